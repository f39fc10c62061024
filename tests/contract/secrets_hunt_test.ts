/**
 * Puts a marker into every secret, and searches for it in everything that the program
 * prints, writes, executes and passes on. Only config.json and its copies may contain it.
 * Secrets are also what stands at the wrong place: credentials inside URLs, passwords of links,
 * misspelt variables, and a password in place of the path of its file.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { rowOf, SETTING_NAMES } from "../../lib/settings/catalogue.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { misbehave, products } from "../database/support.ts";
import PACKAGE from "../fixtures/package_11.6.0.json" with { type: "json" };
import { createHome, type Home } from "../support/home.ts";
import { COMPILED, type Outcome, start } from "../support/program.ts";

/** A text that is part of every secret, and of no message. */
const MARKER = "qZ7xK2vW";

const SECRET_NAMES = SETTING_NAMES.filter((name) =>
  rowOf(name).secret === true
);

/** The value of a secret: long enough for each check, and with the name of the setting. */
function plant(name: string): string {
  return `${MARKER}${name.replaceAll("_", "")}0123456789abcdefghijklmn`;
}

/** A URL with credentials. */
function urlWith(name: string, host: string): string {
  return `http://ann:${plant(name)}@${host}`;
}

/** Whether a text contains the marker: plain, in base64, or percent-encoded. */
function hasMarker(text: string): boolean {
  return text.includes(MARKER) || text.includes(btoa(MARKER).slice(0, 10)) ||
    decodeLoosely(text).includes(MARKER);
}

function decodeLoosely(text: string): string {
  return text.replace(
    /%([0-9a-f]{2})/gi,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
}

function assertNoSecret(what: string, text: string): void {
  const at = text.split("\n").find(hasMarker);
  assert.equal(at, undefined, `${what} contains a secret`);
}

/**
 * Collects the command lines of all processes every 5 ms, and the environments of those that belong
 * to a home and are not the program itself.
 */
class Watcher {
  readonly seen = new Set<string>();
  readonly environments = new Set<string>();
  readonly #home: string;
  readonly #own: readonly string[];
  readonly #ended = Promise.withResolvers<void>();
  #active = true;

  constructor(home: string, own: readonly string[]) {
    this.#home = home;
    this.#own = own;
    this.#watch();
  }

  async stop(): Promise<void> {
    this.#active = false;
    await this.#ended.promise;
  }

  async #watch(): Promise<void> {
    while (this.#active) {
      const entries = await Array.fromAsync(Deno.readDir("/proc"));
      // All at once, since the program can end within 50 ms.
      await Promise.all(
        entries.filter(({ name }) => /^\d+$/.test(name)).map(
          async ({ name }) => {
            const text = await Deno.readTextFile(`/proc/${name}/cmdline`)
              .catch(() => "");
            if (text === "") return;
            this.seen.add(text.replaceAll("\0", " "));
            if (this.#own.includes(text.split("\0")[0] ?? "")) return;
            // After the command line, which changes together with it.
            const environment = await Deno.readTextFile(
              `/proc/${name}/environ`,
            ).catch(() => "");
            if (`${text}${environment}`.includes(this.#home)) {
              this.environments.add(environment.replaceAll("\0", "\n"));
            }
          },
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#ended.resolve();
  }
}

/** Every file of the home except config.json and its copies. */
async function otherFiles(directory: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (isDirectory) found.push(...await otherFiles(path));
    else if (!/^config\.json(\.[123])?$/.test(name)) {
      found.push([path, await Deno.readTextFile(path)]);
    }
  }
  return found;
}

/** The fake server prints its environment, and ends. */
const SHOW_ENVIRONMENT = "tr '\\0' '\\n' </proc/$$/environ";

/** Makes the fake server write its environment to a file, whatever it is started for. */
async function recordEnvironments(home: Home, program: string): Promise<void> {
  const script = await Deno.readTextFile(program);
  const record =
    `(echo "$@"; ${SHOW_ENVIRONMENT}) >>'${home.path}/marks/environ.'$(id -u)`;
  await Deno.writeTextFile(program, `#!/bin/sh\n${record}\n${script}`);
}

/** Adds what only config.json has: keys of plugins, and a URL with credentials. */
async function addToConfig(home: Home): Promise<void> {
  const config = JSON.parse(await Deno.readTextFile(home.config));
  const keys = ["auth", "pwd", "bearer", "cert", "private", "api_key", "dsn"];
  config.PluginSettings = {
    Plugins: {
      "com.example.x": {
        ...Object.fromEntries(keys.map((key) => [key, plant(key)])),
        address: urlWith("PLUGIN", "127.0.0.1"),
        auth: { user: plant("NESTED"), list: [plant("NESTED")] },
      },
    },
  };
  config.ElasticsearchSettings = {
    // The name is an address, and the password has a slash.
    ConnectionURL: `http://ann@example.com:a/${
      plant("ELASTIC")
    }@127.0.0.1:9200`,
  };
  config.SupportSettings = {
    AboutLink: `https://example.com/?token=${plant("ABOUT")}`,
    HelpLink: `https://example.com/?next=${
      encodeURIComponent(urlWith("HELP", "h"))
    }`,
  };
  await Deno.writeTextFile(home.config, JSON.stringify(config));
}

/** How a secret is set: by its variable, or by a file outside the home. */
const METHODS = ["variable", "file"] as const;

interface Case {
  readonly server: DatabaseServer;
  readonly adapter: "mysql" | "postgres";
  readonly method: typeof METHODS[number];
}

async function environment(
  home: Home,
  secrets: Home,
  { server, adapter, method }: Case,
): Promise<Record<string, string>> {
  const env: Record<string, string> = {
    ...home.env,
    MATTERMOST_VERSION: adapter === "mysql" ? "10.11.4" : "11.7.9",
    DB_ADAPTER: adapter,
    DB_HOST: "127.0.0.1",
    DB_PORT: String(server.port),
    DB_USER: "hunted",
    DB_NAME: "hunted",
    DB_TIMEOUT: "5",
    DEBUG: "true",
    S3_BUCKET: "bucket",
    SMTP_HOST: "mail.example.com",
    SMTP_USER: "mailer",
    // Docker links of both products, whose passwords are not used.
    MYSQL_PORT: "tcp://127.0.0.1:1",
    MYSQL_ENV_MYSQL_PASSWORD: plant("LINK"),
    MYSQL_ENV_MYSQL_ROOT_PASSWORD: plant("LINKROOT"),
    POSTGRES_ENV_POSTGRES_PASSWORD: plant("LINKPOSTGRES"),
    POSTGRES_1_ENV_POSTGRES_PASSWORD: plant("LINKNUMBER"),
    REDIS_ENV_REDIS_PASSWORD: plant("LINKREDIS"),
    VAULT_ENV_JWT: plant("LINKJWT"),
    REDIS_ENV_REDIS_URL: `redis://:${plant("LINKURL")}@redis:6379`,
    // Misspelt variables, and those of other images.
    DB_PASSWORD: plant("MISSPELT"),
    DBPASS: plant("MISSPELT"),
    DBPASSWD: plant("MISSPELT"),
    SMPT_PASS: plant("MISSPELT"),
    MATTERMOST_SECRETKEY: plant("MISSPELT"),
    MATERMOST_LINK_SALT: plant("MISSPELT"),
    MM_PASSWORD: plant("MISSPELT"),
    // Credentials inside the values of other settings.
    MATTERMOST_SITE_URL: urlWith("SITE", "127.0.0.1:1"),
    MATTERMOST_ENABLE_PUSH_NOTIFICATIONS: "true",
    MATTERMOST_PUSH_SERVER: urlWith("PUSH", "127.0.0.1:1"),
    GITLAB_ENABLE: "true",
    GITLAB_AUTH_ENDPOINT: urlWith("GITLABAUTH", "127.0.0.1:1/auth"),
    GITLAB_TOKEN_ENDPOINT: urlWith("GITLABTOKEN", "127.0.0.1:1/token"),
    GITLAB_API_ENDPOINT: `http://127.0.0.1:1/?a=1#access_token=${
      plant("GITLAB")
    }`,
  };
  for (const name of SECRET_NAMES) {
    if (method === "variable") env[name] = plant(name);
    else env[`${name}_FILE`] = await secrets.write(name, `${plant(name)}\n`);
  }
  return env;
}

function assertOutputClean(what: string, { stdout, stderr }: Outcome): void {
  assert.notEqual(stdout + stderr, "", `${what} prints something`);
  assertNoSecret(`standard output of ${what}`, stdout);
  assertNoSecret(`standard error of ${what}`, stderr);
}

for (const product of products()) {
  // The program uses one driver for MySQL and MariaDB.
  if (product.name === "MySQL") continue;
  const { adapter, name } = product;
  let server: DatabaseServer;

  Deno.test.beforeAll(async () => {
    server = await product.prepare();
    await server.start();
    await server.sql(product.createUser("hunted", plant("DB_PASS")));
    for (const text of product.createDatabase("hunted", "hunted")) {
      await server.sql(text);
    }
  });

  for (const method of METHODS) {
    for (const format of ["text", "json"]) {
      Deno.test(`${name}: secrets from each ${method} are in config.json and nowhere else (${format})`, async () => {
        await using home = await createHome();
        await using outside = await createHome();
        const program = await home.installServer(
          adapter === "mysql" ? "10.11.4" : "11.7.9",
          SHOW_ENVIRONMENT,
        );
        await recordEnvironments(home, program);
        const env = {
          ...await environment(home, outside, { server, adapter, method }),
          ENTRYPOINT_LOG_FORMAT: format,
        };
        // Under the name of the server, as in images that call it so.
        const own = [
          COMPILED.command[0],
          join(outside.path, "mattermost"),
        ] as const;
        await Deno.symlink(...own);
        const watcher = new Watcher(home.path, own);
        const app = async (
          args: readonly string[],
          more: Readonly<Record<string, string>> = {},
        ): Promise<Outcome> => {
          const outcome = await start(COMPILED, args, {
            env: { ...env, ...more },
          }).outcome;
          const what = `${args.join(" ")} ${JSON.stringify(Object.keys(more))}`;
          assertOutputClean(what, outcome);
          return outcome;
        };
        const [first] = [await app(["app:start"])];
        assert.equal(first?.code, 0, first?.stderr);
        assert.match(first?.stdout ?? "", /^MATTERMOST_HOME=/m);
        // The search finds secrets where they are.
        const config = await Deno.readTextFile(home.config);
        for (const name of ["DB_PASS", "SMTP_PASS", "MATTERMOST_LINK_SALT"]) {
          assert.ok(config.includes(plant(name)), `${name} was planted`);
        }
        assert.ok(hasMarker(encodeURIComponent(`"${MARKER}"`)));
        // An edit, so that the next start makes copies and reports conflicts.
        await Deno.writeTextFile(
          home.config,
          config.replace(plant("SMTP_PASS"), `${MARKER}edited`),
        );
        await addToConfig(home);
        const other = { SMTP_PASS: "", SMTP_PASS_FILE: "", GITLAB_SECRET: "" };
        // An export compares with the package.
        await home.write(
          "mattermost/config/default.json",
          JSON.stringify(PACKAGE),
        );
        const again = await app(["app:start"], {
          ...(method === "variable"
            ? { SMTP_PASS: plant("OTHER") }
            : { SMTP_PASS_FILE: await outside.write("o", plant("OTHER")) }),
        });
        assert.equal(again.code, 0, again.stderr);
        for (
          const args of [
            ["app:check"],
            ["app:check", "--json"],
            ["app:config"],
            ["app:config", "--explain"],
            ["app:config", "--explain", "--json"],
            ["app:config", "--diff"],
            ["app:config", "--diff", "--json"],
            ["app:config", "--export"],
            ["app:config", "--export", "--format", "kubernetes"],
            ["app:config", "--export", "--json"],
            ["app:health"],
          ]
        ) {
          const outcome = await app(args, {
            ...other,
            MATTERMOST_NAME: "Changed",
          });
          assert.notEqual(outcome.code, 70, outcome.stderr);
          if (args[1] !== "--export") continue;
          assert.equal(outcome.code, 0, outcome.stderr);
          assert.match(outcome.stdout, /DB_PASS_FILE/);
        }
        for (const args of [["app:migrate"], [program, "jobserver"]]) {
          const { stdout } = await app(args);
          assert.match(stdout, /^MATTERMOST_HOME=/m);
        }
        const asServer = { ...COMPILED, command: [own[1]] } as const;
        const passed = await start(asServer, ["jobserver"], { env }).outcome;
        assert.match(passed.stdout, /^MATTERMOST_HOME=/m);
        assertOutputClean("mattermost jobserver", passed);
        await fail(app, { server, adapter, method, outside });
        await watcher.stop();
        const ours = [...watcher.seen].filter((line) =>
          line.startsWith(COMPILED.command[0])
        );
        assert.ok(ours.length > 3, "the watcher saw the program");
        for (const line of watcher.seen) assertNoSecret("a command line", line);
        assert.ok(watcher.environments.size > 0, "the watcher saw the server");
        for (const text of watcher.environments) {
          assertNoSecret("an environment", text);
        }
        const files = await otherFiles(home.path);
        for (const [path, text] of files) assertNoSecret(path, text);
        const recorded = files.filter(([path]) => /marks\/environ\./.test(path))
          .map(([, text]) => text).join("");
        for (
          const what of [
            /^version/m,
            /^--config .*entrypoint-/m,
            /^db migrate/m,
            /^jobserver$/m,
          ]
        ) {
          assert.ok(what.test(recorded), `${what} is in no command line`);
        }
      });
    }
  }

  Deno.test.afterAll(() => server.stop());
}

/** Starts that fail while a driver or a parser handles the secret. */
async function fail(
  app: (
    args: readonly string[],
    more: Readonly<Record<string, string>>,
  ) => Promise<Outcome>,
  { server, adapter, method, outside }: Case & { readonly outside: Home },
): Promise<void> {
  await using closing = misbehave((client) => {
    client.close();
    return Promise.resolve();
  });
  // A server whose error message contains the password.
  await using echo = misbehave(async (client) => {
    const text = `${plant("DB_PASS")} ${encodeURIComponent(plant("DB_PASS"))}`;
    const body = new TextEncoder().encode(text);
    if (adapter === "postgres") {
      await client.read(new Uint8Array(512));
      const field = new TextEncoder().encode(
        `SFATAL\0C28P01\0Mno ${text}\0\0`,
      );
      const head = new Uint8Array(5);
      head[0] = 69;
      new DataView(head.buffer).setUint32(1, 4 + field.length);
      await client.write(Uint8Array.of(...head, ...field));
    } else {
      const packet = Uint8Array.of(
        ...[3 + body.length, 0, 0, 0, 0xff, 0x15, 0x04],
        ...body,
      );
      await client.write(packet);
    }
    client.closeWrite();
  });
  const guess = method === "variable"
    ? { DB_PASS: plant("GUESS") }
    : { DB_PASS_FILE: await outside.write("guess", plant("GUESS")) };
  const dsn = adapter === "postgres"
    ? `postgres://hunted:${
      plant("DSN")
    }@127.0.0.1:${server.port}/hunted?sslmode=disable`
    : `hunted:${plant("DSN")}@tcp(127.0.0.1:${server.port})/hunted`;
  const broken = adapter === "postgres"
    ? `postgres://hunted:${plant("DSN")}@[::1`
    : `hunted:${plant("DSN")}@tcp(127.0.0.1/hunted`;
  const cases: readonly (readonly [
    more: Record<string, string>,
    code: number,
    says?: RegExp,
  ])[] = [
    [guess, 77],
    [{ DB_PORT: "1" }, 69],
    [{ DB_PORT: String(closing.port) }, 69],
    [{ DB_PORT: String(echo.port) }, 77],
    [{ DB_SSL_MODE: "require" }, 78],
    [{ MM_SQLSETTINGS_DATASOURCE: broken }, 78],
    [{ MM_SQLSETTINGS_DATASOURCE: dsn }, 77],
    [{
      MATTERMOST_PORT: "x",
      MATTERMOST_SECRET_KEY: "",
      MATTERMOST_SECRET_KEY_FILE: "/none",
    }, 78],
    [
      method === "variable"
        ? { MATTERMOST_LINK_SALT: MARKER }
        : { MATTERMOST_LINK_SALT_FILE: await outside.write("short", MARKER) },
      78,
    ],
    // The secret in place of the path of its file.
    [{ DB_PASS: "", DB_PASS_FILE: plant("NOPATH") }, 66],
    [{ DB_PASS: "", DB_PASS_FILE: `/${plant("NOPATH")}` }, 66],
    [{ MM_SQLSETTINGS_DATASOURCE_FILE: dsn }, 66],
    // Files that are odd.
    [
      { DB_PASS: "", DB_PASS_FILE: await outside.write("nul", `${MARKER}\0`) },
      66,
    ],
    [
      {
        DB_PASS: "",
        DB_PASS_FILE: await outside.write(
          "quoted",
          `"${plant("QUOTED")}" \n\n`,
        ),
      },
      77,
      /quotes around it[^]*Check DB_USER and DB_PASS_FILE,/,
    ],
    // A word of the database's message.
    [
      { DB_PASS: "password", DB_PASS_FILE: "" },
      77,
      /password authentication failed for user|using password: YES/,
    ],
    // Credentials in place of a host.
    [{ DB_HOST: `hunted:${plant("HOST")} x@127.0.0.1` }, 78],
    [{ DB_HOST: dsn }, 78],
    [{
      SMTP_HOST: `mailer:${plant("HOST")}@mail`,
      S3_ENDPOINT: urlWith("S3", "minio"),
    }, 78],
    [{ MATTERMOST_PUSH_SERVER: `ann:${plant("PUSH")}@push` }, 78],
    // Variable and file at once, of which no value may be printed.
    [
      { SMTP_PASS: plant("TWICE"), SMTP_PASS_FILE: join(outside.path, "o") },
      78,
    ],
  ];
  await Promise.all(cases.map(async ([more, code, says = /./]) => {
    const outcome = await app(["app:start"], more);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, says);
    await app(["app:check", "--json", "--timeout", "1"], more);
  }));
}
