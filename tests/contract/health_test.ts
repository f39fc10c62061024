/**
 * `app:health` against small HTTP servers that answer as the releases do.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createAuthority } from "../servers/certificates.ts";
import { assertGolden } from "../support/golden.ts";
import { createHome, type Home } from "../support/home.ts";
import { ROOT_USER } from "../support/needs.ts";
import {
  COMPILED,
  type Outcome,
  runProgram,
  testPrograms,
} from "../support/program.ts";
import { startLikeGo, startPages, startSilence } from "../support/services.ts";

const PING = "/api/v4/system/ping";
const READY = `${PING}?get_server_status=true`;
const OK = '{"AndroidLatestVersion":"","status":"OK"}';

async function writeConfig(home: Home, service: object): Promise<void> {
  await home.write(
    "data/config/config.json",
    JSON.stringify({ ServiceSettings: service }),
  );
}

function settings(home: Home, version = "11.7.9"): Record<string, string> {
  return { ...home.env, MATTERMOST_VERSION: version };
}

function lineOf({ code, stdout, stderr }: Outcome): readonly unknown[] {
  assert.equal(stderr, "");
  assert.match(stdout, /^[^\n]+\n$/);
  return [code, stdout.trimEnd()];
}

testPrograms(
  "the request goes to the address in config.json",
  async (program) => {
    await using server = await startPages({ [PING]: [200, OK] });
    await using home = await createHome();
    await writeConfig(home, { ListenAddress: `:${server.port}` });
    const env = { ...settings(home), MATTERMOST_PORT: "1" };
    const outcome = await runProgram(program, ["app:health"], { env });
    assert.deepEqual(lineOf(outcome), [
      0,
      `healthy: http://127.0.0.1:${server.port}${PING} answers with HTTP status 200`,
    ]);
  },
);

Deno.test("each generation of releases has its own endpoint", async () => {
  const ping3 = '{"server_time":"1","version":"3.6.0"}';
  const cases: readonly (readonly [string, string, string])[] = [
    ["3.0.3", "/", "<html>"],
    ["3.6.0", "/api/v3/general/ping", ping3],
    ["4.10.10", PING, '{"status":"OK"}'],
    ["11.7.9", PING, OK],
    // If the release is unknown, the endpoints are tried in order.
    ["", "/api/v3/general/ping", ping3],
    ["", PING, OK],
  ];
  for (const [version, path, body] of cases) {
    await using server = await startPages({ [path]: [200, body] });
    await using home = await createHome();
    await writeConfig(home, { ListenAddress: `:${server.port}` });
    const outcome = await runProgram(COMPILED, ["app:health"], {
      env: settings(home, version),
    });
    assert.deepEqual(lineOf(outcome), [
      0,
      `healthy: http://127.0.0.1:${server.port}${path} answers with HTTP status 200`,
    ]);
  }
});

Deno.test("data/VERSION has the release if MATTERMOST_VERSION is not set", async () => {
  await using server = await startPages({
    "/api/v3/general/ping": [200, '{"version":"3.6.0"}'],
  });
  await using home = await createHome();
  await home.write("data/VERSION", "3.6.0\n");
  await writeConfig(home, { ListenAddress: `:${server.port}` });
  const outcome = await runProgram(COMPILED, ["app:health"], { env: home.env });
  assert.equal(outcome.code, 0);
});

Deno.test("TLS with any certificate, the path of the site URL, and MM_ variables are used", async () => {
  const tls = createAuthority().issue({
    names: ["chat.example.com"],
    expired: true,
  });
  await using server = await startPages(
    { [`/team/chat${PING}`]: [200, OK] },
    tls,
  );
  await using home = await createHome();
  await writeConfig(home, {
    listenaddress: "[::]:1",
    ConnectionSecurity: "TLS",
    SiteURL: "https://chat.example.com/team/chat/",
  });
  const port = await home.write("port", `127.0.0.1:${server.port}\n`);
  const outcome = await runProgram(COMPILED, ["app:health"], {
    env: { ...settings(home), MM_SERVICESETTINGS_LISTENADDRESS_FILE: port },
  });
  assert.deepEqual(lineOf(outcome), [
    0,
    `healthy: https://chat.example.com:${server.port}/team/chat${PING} answers with HTTP status 200`,
  ]);
});

Deno.test("MM_ variables are read in any letter case by the releases that do so", async () => {
  await using server = await startPages({ [PING]: [200, OK] });
  await using home = await createHome();
  await writeConfig(home, { ListenAddress: "127.0.0.1:1" });
  const address = { mm_ServiceSettings_ListenAddress: `:${server.port}` };
  const codeFor = async (version: string): Promise<number> => {
    const env = { ...settings(home, version), ...address };
    return (await runProgram(COMPILED, ["app:health"], { env })).code;
  };
  assert.equal(await codeFor("11.7.9"), 0);
  assert.equal(await codeFor(""), 0);
  assert.equal(await codeFor("5.29.0"), 1);
});

Deno.test("releases before 5.1 have no sub-path, so the path of the site URL is not part of the request", async () => {
  const ping3 = '{"server_time":"1","version":"3.6.0"}';
  const cases: readonly (readonly [string, string, string])[] = [
    ["3.6.7", "/api/v3/general/ping", ping3],
    ["5.0.3", PING, '{"status":"OK"}'],
    ["5.1.2", `/team${PING}`, '{"status":"OK"}'],
    // If the release is unknown, both are tried.
    ["", `/team${PING}`, OK],
    ["", "/api/v3/general/ping", ping3],
  ];
  for (const [version, path, body] of cases) {
    await using server = await startPages({ [path]: [200, body] });
    await using home = await createHome();
    await writeConfig(home, {
      ListenAddress: `:${server.port}`,
      SiteURL: "https://chat.example.com/team",
    });
    const outcome = await runProgram(COMPILED, ["app:health"], {
      env: settings(home, version),
    });
    assert.deepEqual(lineOf(outcome), [
      0,
      `healthy: http://127.0.0.1:${server.port}${path} answers with HTTP status 200`,
    ]);
  }
});

Deno.test("with the configuration in the database, the server's own hints lead to its sub-path and TLS", async () => {
  const tls = createAuthority().issue({ names: ["chat.example.com"] });
  const redirect = [302, "", { location: `/team${PING}` }] as const;
  const elsewhere = [302, "", { location: `//team.example${PING}` }] as const;
  const pages = { [PING]: redirect, [`/team${PING}`]: [200, OK] } as const;
  await using plain = await startPages(pages);
  await using encrypted = await startPages(pages, tls);
  await using hinted = await startLikeGo(encrypted);
  await using other = await startPages({ [PING]: elsewhere });
  await using turning = await startPages({
    [PING]: [302, "", { location: `/a${PING}` }],
    [`/a${PING}`]: [302, "", { location: `/a/a${PING}` }],
    [`/a/a${PING}`]: [302, "", { location: `/a/a/a${PING}` }],
  });
  await using home = await createHome();
  const linesOf = async ({ port }: { port: number }): Promise<unknown> =>
    lineOf(
      await runProgram(COMPILED, ["app:health"], {
        env: {
          ...settings(home),
          MATTERMOST_CONFIG_STORE: "database",
          MATTERMOST_PORT: String(port),
        },
      }),
    );
  const at = (port: number) => `://127.0.0.1:${port}`;
  assert.deepEqual(await linesOf(plain), [
    0,
    `healthy: http${at(plain.port)}/team${PING} answers with HTTP status 200`,
  ]);
  assert.deepEqual(await linesOf(hinted), [
    0,
    `healthy: https${at(hinted.port)}/team${PING} answers with HTTP status 200`,
  ]);
  for (const [server, path] of [[other, ""], [turning, "/a/a"]] as const) {
    assert.deepEqual(await linesOf(server), [
      1,
      `not healthy: http${
        at(server.port)
      }${path}${PING} answers with HTTP status 302`,
    ]);
  }
});

Deno.test("--ready reports database and file store", async () => {
  const body = (status: string, database: string): string =>
    JSON.stringify({
      status,
      database_status: database,
      filestore_status: "OK",
    });
  const cases: readonly (readonly [number, string, string])[] = [
    [200, body("OK", "OK"), "ready"],
    [500, body("UNHEALTHY", "UNHEALTHY"), "unready"],
    [200, body("OK", "UNHEALTHY"), "unready-200"],
    [200, OK, "silent"],
  ];
  for (const [status, text, name] of cases) {
    await using server = await startPages({ [READY]: [status, text] });
    await using home = await createHome();
    await writeConfig(home, { ListenAddress: `127.0.0.1:${server.port}` });
    const { code, stdout } = await runProgram(
      COMPILED,
      ["app:health", "--ready"],
      { env: settings(home) },
    );
    await assertGolden(`health/${name}.txt`, `${stdout}exit ${code}\n`, {
      volatile: [[`:${server.port}`, ":PORT"]],
    });
  }
});

Deno.test("if config.json cannot be read, the request goes to MATTERMOST_PORT", async () => {
  await using server = await startPages({ [PING]: [200, OK] });
  await using home = await createHome();
  const env = { ...settings(home), MATTERMOST_PORT: String(server.port) };
  const missing = await runProgram(COMPILED, ["app:health"], { env });
  assert.equal(missing.code, 0);
  assert.match(
    missing.stdout,
    /config\.json does not exist, so the port is that of/,
  );
  await home.write("data/config/config.json", "");
  await Deno.remove(home.config);
  await new Deno.Command("mkfifo", { args: [home.config] }).output();
  const fifo = await runProgram(COMPILED, ["app:health"], { env });
  assert.equal(fifo.code, 0);
  assert.match(
    fifo.stdout,
    /config\.json is not a regular file, or is too large/,
  );
  await Deno.remove(home.config);
  await writeConfig(home, { ListenAddress: ":1" });
  await Deno.chmod(home.config, 0o600);
  const outcome = await runProgram(COMPILED, ["app:health"], {
    env,
    ...(ROOT_USER.isMet ? { uid: 1003, gid: 1003 } : {}),
  });
  if (!ROOT_USER.isMet) return assert.equal(outcome.code, 1);
  assert.equal(outcome.code, 0);
  assert.match(outcome.stdout, /config\.json cannot be read, so the port/);
});

Deno.test("an unhealthy server is reported in one line with exit code 1", async () => {
  await using broken = await startPages({
    [PING]: [500, '{"status":"unhealthy"}'],
  });
  await using otherServer = await startPages({});
  await using silent = await startSilence();
  const cases: readonly (readonly [string, number])[] = [
    ["unhealthy", broken.port],
    ["other-server", otherServer.port],
    ["silent-port", silent.port],
    ["not-running", 1],
  ];
  for (const [name, port] of cases) {
    await using home = await createHome();
    await writeConfig(home, { ListenAddress: `:${port}` });
    const outcome = await runProgram(COMPILED, [
      "app:health",
      "--timeout",
      "0.5",
    ], { env: settings(home) });
    assert.equal(outcome.code, 1);
    lineOf(outcome);
    await assertGolden(`health/${name}.txt`, outcome.stdout, {
      volatile: [[new RegExp(`(:| port )${port}\\b`, "g"), "$1PORT"]],
    });
  }
});

Deno.test("wrong arguments are a usage error", async () => {
  for (const args of [["--redy"], ["--timeout", "soon"], ["now"]]) {
    const { code, stdout, stderr } = await runProgram(COMPILED, [
      "app:health",
      ...args,
    ]);
    assert.deepEqual({ code, stdout }, { code: 64, stdout: "" });
    assert.match(stderr, /→/);
  }
});
