/**
 * The operator's certificate authorities: checked, joined with the system's, used for the
 * entrypoint's login, and passed to the server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { createAuthority } from "../servers/certificates.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { MARIADB_SERVER } from "../support/database_needs.ts";
import { createHome, type Home, shown } from "../support/home.ts";
import { testWith } from "../support/needs.ts";
import { assertClean, COMPILED, runProgram } from "../support/program.ts";

const PASSWORD = "p@ss:w/ord of trust";

const authority = createAuthority("Private Authority");

function settings(
  home: Home,
  server: DatabaseServer,
  adapter: "postgres" | "mysql",
): Record<string, string> {
  return {
    ...home.env,
    MATTERMOST_VERSION: adapter === "postgres" ? "11.7.9" : "9.11.18",
    MATTERMOST_UID: "65534",
    MATTERMOST_GID: "65534",
    MATTERMOST_CA_DIR: join(home.path, "ca.d"),
    DB_ADAPTER: adapter,
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: PASSWORD,
    DB_NAME: adapter,
    DB_SSL_MODE: "verify-full",
    DB_TIMEOUT: "20",
  };
}

/** The bundle that SSL_CERT_FILE names for the server. */
async function bundleOf(stdout: string): Promise<string> {
  const path = shown(stdout).env["SSL_CERT_FILE"];
  assert.ok(path !== undefined, "SSL_CERT_FILE is not set");
  const { mode, uid } = await Deno.stat(path);
  assert.equal((mode ?? 0) & 0o777, 0o600);
  if (Deno.uid() === 0) assert.equal(uid, 65534);
  return await Deno.readTextFile(path);
}

Deno.test("the entrypoint and the server trust the certificates in MATTERMOST_CA_DIR", async () => {
  await using home = await createHome();
  await using database = await startPostgres({
    password: PASSWORD,
    tls: authority.issue(),
  });
  await home.installServer("11.7.9");
  const env = settings(home, database, "postgres");
  const refused = await runProgram(COMPILED, ["app:start"], { env });
  assertClean(refused, [PASSWORD]);
  assert.equal(refused.code, 78, refused.stderr);
  assert.match(refused.stderr, /has a certificate that is not trusted/);

  await home.write("ca.d/private.crt", authority.certificate);
  await home.write("ca.d/README", "not a certificate");
  const accepted = await runProgram(COMPILED, ["app:start"], { env });
  assertClean(accepted, [PASSWORD]);
  assert.equal(accepted.code, 0, accepted.stderr);
  const bundle = await bundleOf(accepted.stdout);
  assert.ok(bundle.endsWith(`${authority.certificate.trim()}\n`));
  const system = await Deno.readTextFile("/etc/ssl/certs/ca-certificates.crt")
    .catch(() => "");
  assert.ok(bundle.startsWith(system.trimEnd()));

  const path = shown(accepted.stdout).env["SSL_CERT_FILE"] ?? "";
  const before = await Deno.stat(path);
  await runProgram(COMPILED, ["app:start"], { env });
  assert.equal((await Deno.stat(path)).ino, before.ino);
});

Deno.test("no bundle is written without added certificates, or if SSL_CERT_FILE is set", async () => {
  await using home = await createHome();
  await using database = await startPostgres({
    password: PASSWORD,
    tls: authority.issue(),
  });
  await home.installServer("11.7.9");
  const env = settings(home, database, "postgres");
  const plain = await runProgram(COMPILED, ["app:start"], {
    env: { ...env, DB_SSL_MODE: "require" },
  });
  assert.equal(plain.code, 0, plain.stderr);
  assert.equal(shown(plain.stdout).env["SSL_CERT_FILE"], undefined);

  const whole = await home.write("whole.pem", authority.certificate);
  await home.write("ca.d/other.crt", createAuthority().certificate);
  const own = await runProgram(COMPILED, ["app:start"], {
    env: { ...env, SSL_CERT_FILE: whole },
  });
  assert.equal(own.code, 0, own.stderr);
  assert.equal(shown(own.stdout).env["SSL_CERT_FILE"], whole);
  assert.match(own.stderr, /warning: SSL_CERT_FILE is set, so/);
});

Deno.test("certificates that cannot be used end the start before anything is written", async () => {
  await using home = await createHome();
  await using database = await startPostgres({ password: PASSWORD });
  await home.installServer("11.7.9");
  const { key } = authority.issue();
  await home.write("ca.d/key.crt", key);
  await home.write("ca.d/noise.crt", "noise");
  await home.write(
    "ca.d/torn.crt",
    authority.certificate.replace(/\n[^-\n]{64}/, ""),
  );
  const before = await home.snapshot();
  const outcome = await runProgram(COMPILED, ["app:start"], {
    env: { ...settings(home, database, "postgres"), DB_SSL_MODE: "disable" },
  });
  assertClean(outcome, [PASSWORD, key]);
  assert.equal(outcome.code, 66, outcome.stderr);
  assert.match(outcome.stderr, /key\.crt holds a private key but no certif/);
  assert.match(outcome.stderr, /noise\.crt holds no certificate in PEM format/);
  assert.match(
    outcome.stderr,
    /torn\.crt holds a damaged certificate/,
  );
  assert.deepEqual(await home.snapshot(), before);
});

Deno.test("certificates that verify nothing are warnings", async () => {
  await using home = await createHome();
  await using database = await startPostgres({ password: PASSWORD });
  await home.installServer("11.7.9");
  await home.write(
    "ca.d/leaf.crt",
    authority.issue({ names: ["db.example.com"], expired: true }).certificate,
  );
  const outcome = await runProgram(COMPILED, ["app:start"], {
    env: { ...settings(home, database, "postgres"), DB_SSL_MODE: "disable" },
  });
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(
    outcome.stderr,
    /The certificate of db\.example\.com in .*leaf\.crt expired on/,
  );
  assert.match(
    outcome.stderr,
    /The certificate of db\.example\.com in .*leaf\.crt belongs to a server, not to an authority/,
  );
});

testWith(
  [MARIADB_SERVER],
  "DB_SSL_CA reaches MySQL's driver through the bundle",
  async () => {
    await using home = await createHome();
    await using database = await startMariadb({
      password: PASSWORD,
      tls: authority.issue(),
    });
    await home.installServer("9.11.18");
    const file = await home.write("db_ca.pem", authority.certificate);
    const outcome = await runProgram(COMPILED, ["app:start"], {
      env: { ...settings(home, database, "mysql"), DB_SSL_CA: file },
    });
    assertClean(outcome, [PASSWORD]);
    assert.equal(outcome.code, 0, outcome.stderr);
    const bundle = await bundleOf(outcome.stdout);
    assert.ok(bundle.includes(authority.certificate.trim()));
  },
);
