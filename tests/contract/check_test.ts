/**
 * `app:check` against real services: PostgreSQL and MariaDB, a mail server with
 * STARTTLS and a login, HTTPS with good and bad certificates, an S3 server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { installFakeMattermost } from "../fake_mattermost/install.ts";
import { type Authority, createAuthority } from "../servers/certificates.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { MARIADB_SERVER } from "../support/database_needs.ts";
import { assertGolden, type Volatile } from "../support/golden.ts";
import { createHome, type Home } from "../support/home.ts";
import { testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  INTERPRETED,
  runProgram,
  start,
} from "../support/program.ts";
import { S3, startS3 } from "../support/s3.ts";
import type { Service } from "../support/services.ts";
import {
  startMail,
  startPages,
  startSilence,
  startWeb,
} from "../support/services.ts";

const PASSWORD = "p@ss:w/ord of check";
const MAIL_PASSWORD = "mail-p@ssword";
const SALT = "2Fq7xKc9wL4mZt8vRb3nYh6pDj5sGa1e";

const authority: Authority = createAuthority("Private Authority");

/** Settings for a home that trusts the private authority. */
async function settings(home: Home): Promise<Record<string, string>> {
  await home.write("ca.d/private.crt", authority.certificate);
  return {
    ...home.env,
    MATTERMOST_VERSION: "11.7.9",
    MATTERMOST_CA_DIR: join(home.path, "ca.d"),
    MATTERMOST_LINK_SALT: SALT,
  };
}

function databaseSettings(
  server: DatabaseServer,
  adapter: "postgres" | "mysql",
  password = PASSWORD,
): Record<string, string> {
  return {
    DB_ADAPTER: adapter,
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: password,
    DB_NAME: adapter,
  };
}

/** What differs from machine to machine and from run to run. */
function volatile(
  home: Home,
  ports: Readonly<Record<string, number>>,
): Volatile {
  return [
    [home.path, "HOME"],
    ...Object.entries(ports).map(([name, port]) =>
      [new RegExp(`(?<=[:=])${port}\\b`, "g"), `<${name}>`] as const
    ),
    [/\b20\d\d-\d\d-\d\d\b/g, "DATE"],
    [/\d+(\.\d)? [GM]iB/g, "SIZE"],
    // Deno 2.7.11 does not report the version of TLS.
    [/ with TLSv1\.\d/g, ""],
    [/(?<=\b[Uu]ser )\d+:\d+/g, "UID:GID"],
  ];
}

Deno.test("correct settings and services have ok findings, and nothing is changed", async () => {
  await using home = await createHome();
  const tls = authority.issue();
  await using database = await startPostgres({ password: PASSWORD, tls });
  await using site = await startPages({
    "/chat/api/v4/system/ping": [200, '{"status":"OK"}'],
    "/oauth/authorize": [302, ""],
    "/oauth/token": [404, ""],
    "/api/v4/user": [401, ""],
    "/version": [200, "6.0"],
  }, tls);
  await using mail = await startMail({
    tls,
    user: "chat@example.com",
    password: MAIL_PASSWORD,
  });
  await using s3 = await startS3();
  const web = `https://localhost:${site.port}`;
  const env = {
    ...await settings(home),
    ...databaseSettings(database, "postgres"),
    DB_SSL_MODE: "verify-full",
    MATTERMOST_SITE_URL: `${web}/chat`,
    MATTERMOST_SECRET_KEY: "8hT2kQm5vXw9rLc4bNz7yJf3pSg6dKa1",
    SMTP_HOST: "localhost",
    SMTP_PORT: String(mail.port),
    SMTP_SECURITY: "STARTTLS",
    SMTP_USER: "chat@example.com",
    SMTP_PASS: MAIL_PASSWORD,
    MATTERMOST_EDITION: "enterprise",
    GITLAB_ID: "id",
    GITLAB_SECRET: "gitlab-secret",
    GITLAB_AUTH_ENDPOINT: `${web}/oauth/authorize`,
    GITLAB_TOKEN_ENDPOINT: `${web}/oauth/token`,
    GITLAB_API_ENDPOINT: `${web}/api/v4/user`,
    MATTERMOST_PUSH_SERVER: web,
    S3_BUCKET: S3.bucket,
    S3_ENDPOINT: `127.0.0.1:${s3.port}`,
    S3_SSL: "false",
    S3_ACCESS_KEY: S3.accessKey,
    S3_SECRET_KEY: S3.secretKey,
  };
  const before = await home.snapshot();
  for (const program of [COMPILED, INTERPRETED]) {
    const outcome = await runProgram(program, ["app:check"], { env });
    assertClean(outcome, [PASSWORD, MAIL_PASSWORD, SALT, "gitlab-secret"]);
    await assertGolden(
      "check/good.txt",
      `${outcome.stdout}exit ${outcome.code}\n`,
      {
        volatile: volatile(home, {
          database: database.port,
          site: site.port,
          mail: mail.port,
          s3: s3.port,
        }),
      },
    );
    assert.equal(outcome.stderr, "");
  }
  assert.deepEqual(await home.snapshot(), before);
});

Deno.test("an installation without mail has no failed finding after its first start, and accepts a mail server later", async () => {
  await using home = await createHome();
  await using database = await startPostgres({ password: PASSWORD });
  await installFakeMattermost(home.install, "11.7.9");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const env = {
    ...await settings(home),
    ...databaseSettings(database, "postgres"),
    MATTERMOST_PORT: String(port),
  };
  const serve = async (more: Record<string, string> = {}): Promise<string> => {
    const running = start(COMPILED, ["app:start"], {
      env: { ...env, ...more },
    });
    await running.until(/Server is listening/);
    running.kill("SIGTERM");
    const { code, stderr } = await running.outcome;
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const mailServer = async (): Promise<string> =>
    JSON.parse(await Deno.readTextFile(home.config)).EmailSettings.SMTPServer;
  await serve();
  assert.equal(await mailServer(), "localhost");

  for (const program of [COMPILED, INTERPRETED]) {
    const { stdout } = await runProgram(program, ["app:check"], { env });
    assert.match(
      stdout,
      /^ok mail: Mail is turned off: SMTP_HOST is not set$/m,
    );
    assert.match(
      stdout,
      /^ok settings\.config: .* already matches the settings$/m,
    );
    assert.doesNotMatch(stdout, /^failed/m);
    const diff = await runProgram(program, ["app:config", "--diff"], { env });
    assert.deepEqual([diff.code, diff.stdout], [0, ""], diff.stderr);
  }
  // A setting that requires mail, or that names the mail server or its port, turns the check on.
  for (
    const chosen of [
      { MATTERMOST_EMAIL_VERIFICATION: "true", SMTP_PORT: String(port) },
      { MM_EMAILSETTINGS_SMTPSERVER: "localhost" },
      { MM_EMAILSETTINGS_SMTPPORT: String(port) },
    ]
  ) {
    const { stdout } = await runProgram(COMPILED, ["app:check"], {
      env: { ...env, ...chosen },
    });
    assert.match(
      stdout,
      /^failed mail\.connection: The mail server localhost:\d+ cannot be reached: the connection was refused$/m,
    );
  }

  const messages = await serve({ SMTP_HOST: "smtp.example.com" });
  assert.doesNotMatch(messages, /was edited|another value|warning: Email/);
  assert.equal(await mailServer(), "smtp.example.com");
});

/** Settings for services that are all misconfigured. */
async function badSettings(
  home: Home,
  { database, expired, untrusted, mail, s3 }:
    & Readonly<
      Record<"expired" | "untrusted" | "mail" | "s3", Service>
    >
    & { readonly database: DatabaseServer },
): Promise<Record<string, string>> {
  const web = `https://localhost:${untrusted.port}`;
  return {
    ...await settings(home),
    ...databaseSettings(database, "postgres", "wrong-p@ssword"),
    MATTERMOST_SITE_URL: `https://localhost:${expired.port}`,
    MATTERMOST_SECRET_KEY: SALT,
    SMTP_HOST: "localhost",
    SMTP_PORT: String(mail.port),
    SMTP_SECURITY: "STARTTLS",
    SMTP_USER: "chat@example.com",
    SMTP_PASS: "wrong-mail-p@ssword",
    MATTERMOST_EDITION: "enterprise",
    GITLAB_ID: "id",
    GITLAB_SECRET: "gitlab-secret",
    GITLAB_AUTH_ENDPOINT: `${web}/oauth/authorize`,
    GITLAB_TOKEN_ENDPOINT: `${web}/oauth/token`,
    MATTERMOST_PUSH_SERVER: "http://127.0.0.1:1",
    MATTERMOST_ENABLE_CLUSTER: "false",
    S3_BUCKET: "elsewhere",
    S3_ENDPOINT: `127.0.0.1:${s3.port}`,
    S3_SSL: "false",
    S3_ACCESS_KEY: S3.accessKey,
    S3_SECRET_KEY: S3.secretKey,
  };
}

Deno.test("wrong settings and services are reported with remedies, as text and as JSON", async () => {
  await using home = await createHome();
  await using database = await startPostgres({ password: PASSWORD });
  await using expired = await startPages(
    {},
    authority.issue({ expired: true }),
  );
  await using untrusted = await startPages({}, createAuthority().issue());
  await using mail = await startMail({
    tls: authority.issue(),
    user: "chat@example.com",
    password: MAIL_PASSWORD,
  });
  await using s3 = await startS3();
  const env = await badSettings(home, {
    database,
    expired,
    untrusted,
    mail,
    s3,
  });
  const secrets = ["wrong-p@ssword", "wrong-mail-p@ssword", SALT];
  const options = {
    volatile: volatile(home, {
      database: database.port,
      site: expired.port,
      gitlab: untrusted.port,
      mail: mail.port,
      s3: s3.port,
    }),
  };
  for (const program of [COMPILED, INTERPRETED]) {
    const text = await runProgram(program, ["app:check"], { env });
    assertClean(text, secrets);
    await assertGolden(
      "check/bad.txt",
      `${text.stdout}exit ${text.code}\n`,
      options,
    );
    const json = await runProgram(program, ["app:check", "--json"], { env });
    assertClean(json, secrets);
    assert.equal(json.code, 1);
    JSON.parse(json.stdout);
    await assertGolden("check/bad.json", json.stdout, options);
  }
});

Deno.test("settings that cannot be loaded are reported with the exit code of a start", async () => {
  await using home = await createHome();
  const cases: readonly (readonly [string, number, Record<string, string>])[] =
    [
      ["unresolved", 78, {
        MATTERMOST_PORT: "eighty",
        MATTERMOST_LINK_SALT: "short-s3cret",
      }],
      ["unreadable", 66, { DB_HOST: "db", DB_PASS_FILE: "/no/such/secret" }],
    ];
  for (const [name, code, env] of cases) {
    for (const format of ["txt", "json"]) {
      const outcome = await runProgram(
        COMPILED,
        ["app:check", ...(format === "json" ? ["--json"] : [])],
        { env: { ...home.env, ...env } },
      );
      assertClean(outcome, ["short-s3cret"]);
      assert.equal(outcome.code, code, outcome.stdout);
      await assertGolden(`check/${name}.${format}`, outcome.stdout, {
        volatile: volatile(home, {}),
      });
    }
  }
});

Deno.test("a config.json that cannot be used is reported with code 65", async () => {
  await using home = await createHome();
  await home.write("data/config/config.json", '{"ServiceSettings": {');
  const outcome = await runProgram(COMPILED, ["app:check"], {
    env: { ...await settings(home), DB_HOST: "127.0.0.1" },
  });
  assertClean(outcome);
  assert.equal(outcome.code, 65);
  assert.match(outcome.stdout, /^failed settings\.config: .*config\.json/m);
});

Deno.test("services that do not answer end with the timeout", async () => {
  await using home = await createHome();
  await using silence = await startSilence();
  const { port } = silence;
  const outcome = await runProgram(
    COMPILED,
    ["app:check", "--timeout", "1"],
    {
      env: {
        ...await settings(home),
        DB_ADAPTER: "postgres",
        DB_HOST: "127.0.0.1",
        DB_PORT: String(port),
        MATTERMOST_SITE_URL: `http://localhost:${port}`,
        SMTP_HOST: "localhost",
        SMTP_PORT: String(port),
        MATTERMOST_PUSH_SERVER: `https://localhost:${port}`,
        S3_BUCKET: "mattermost",
        S3_ENDPOINT: `localhost:${port}`,
      },
    },
  );
  assertClean(outcome);
  await assertGolden(
    "check/silent.txt",
    `${outcome.stdout}exit ${outcome.code}\n`,
    {
      volatile: volatile(home, { port }),
    },
  );
});

Deno.test("a release is assumed if no server is installed", async () => {
  await using home = await createHome();
  const { MATTERMOST_VERSION: _, ...env } = await settings(home);
  const outcome = await runProgram(COMPILED, ["app:check", "--json"], {
    env: { ...env, DB_HOST: "nowhere.invalid", DB_ADAPTER: "postgres" },
  });
  const report = JSON.parse(outcome.stdout);
  assert.equal(report.release, "11.7.9");
  const byId = Object.fromEntries(
    report.findings.map((
      finding: { check: string },
    ) => [finding.check, finding]),
  );
  assert.equal(byId["settings.release"].level, "warning");
  assert.equal(byId["database.name"].level, "failed");
});

Deno.test("sites that redirect, fail or are not Mattermost have warnings", async () => {
  const cases: readonly (readonly [number, Record<string, string>, RegExp])[] =
    [
      [
        301,
        { location: "https://chat.example.com/" },
        /warning site\.answer: The site redirects .* to https:\/\/chat/,
      ],
      [
        502,
        {},
        /warning site\.answer: The site at \S+ answers with HTTP status 502/,
      ],
      [
        404,
        {},
        /warning site\.answer: The site at .* answers with HTTP status 404, and not as/,
      ],
    ];
  for (const [status, headers, pattern] of cases) {
    await using home = await createHome();
    await using site = await startWeb((_, response) => {
      response.writeHead(status, headers);
      response.end();
    });
    const outcome = await runProgram(COMPILED, ["app:check"], {
      env: {
        ...await settings(home),
        DB_HOST: "127.0.0.1",
        DB_PORT: "1",
        MATTERMOST_SITE_URL: `http://localhost:${site.port}`,
      },
    });
    assert.match(outcome.stdout, pattern);
  }
});

for (
  const [name, change, expected] of [
    [
      "an unknown access key is refused by the bucket",
      { S3_ACCESS_KEY: "ANOTHER" },
      /failed s3\.bucket: .* refuses S3_ACCESS_KEY and S3_SECRET_KEY/,
    ],
    [
      "a wrong secret key is refused by the bucket",
      { S3_SECRET_KEY: "another-s3cret" },
      /failed s3\.bucket: .* refuses S3_ACCESS_KEY and S3_SECRET_KEY/,
    ],
    [
      "a bucket in another region is reported with its region",
      { S3_REGION: "eu-west-1" },
      /failed s3\.bucket: The bucket mattermost is in the region us-east-1/,
    ],
    [
      "a bucket that refuses anonymous requests is a warning",
      { S3_ACCESS_KEY: "", S3_SECRET_KEY: "" },
      /warning s3\.bucket: The bucket mattermost refuses anonymous requests/,
    ],
  ] as const
) {
  Deno.test(name, async () => {
    await using home = await createHome();
    await using s3 = await startS3();
    const outcome = await runProgram(COMPILED, ["app:check"], {
      env: {
        ...await settings(home),
        DB_HOST: "127.0.0.1",
        DB_PORT: "1",
        S3_BUCKET: S3.bucket,
        S3_ENDPOINT: `localhost:${s3.port}`,
        S3_SSL: "false",
        S3_ACCESS_KEY: S3.accessKey,
        S3_SECRET_KEY: S3.secretKey,
        ...change,
      },
    });
    assertClean(outcome, ["another-s3cret", S3.secretKey]);
    assert.match(outcome.stdout, expected);
  });
}

Deno.test("a file system is reported once, even while its free space changes", async () => {
  await using home = await createHome();
  const path = join(home.path, "growing");
  const megabytes = new Uint8Array(2 * 1024 ** 2);
  let isDone = false;
  const writing = (async () => {
    while (!isDone) {
      using file = await Deno.open(path, { create: true, write: true });
      await file.write(megabytes);
      await file.sync();
      await Deno.remove(path);
    }
  })();
  try {
    for (let round = 0; round < 30; round++) {
      const { stdout } = await runProgram(COMPILED, ["app:check", "--json"], {
        env: { ...await settings(home), DB_HOST: "127.0.0.1", DB_PORT: "1" },
      });
      const spaces = JSON.parse(stdout).findings
        .filter(({ check }: { check: string }) =>
          check === "directories.space"
        );
      assert.equal(spaces.length, 1, JSON.stringify(spaces));
    }
  } finally {
    isDone = true;
    await writing;
  }
});

testWith([MARIADB_SERVER], "MariaDB is checked", async () => {
  await using home = await createHome();
  const tls = authority.issue();
  await using database = await startMariadb({ password: PASSWORD, tls });
  await database.sql("CREATE DATABASE chat CHARACTER SET latin1");
  const outcome = await runProgram(COMPILED, ["app:check"], {
    env: {
      ...await settings(home),
      ...databaseSettings(database, "mysql"),
      MATTERMOST_VERSION: "9.11.18",
      DB_NAME: "chat",
      DB_SSL_MODE: "verify-full",
    },
  });
  assertClean(outcome, [PASSWORD]);
  await assertGolden(
    "check/mariadb.txt",
    `${outcome.stdout}exit ${outcome.code}\n`,
    {
      volatile: [
        ...volatile(home, { database: database.port }),
        [/(?<=MariaDB )\d+\.\S+/g, "VERSION"],
      ],
    },
  );
});
