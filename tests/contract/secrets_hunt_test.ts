/**
 * Puts a marker into every secret, and searches for it in everything that the program
 * prints, writes, executes and passes on. Only config.json and its copies may contain it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { rowOf, SETTING_NAMES } from "../../lib/settings/catalogue.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { misbehave, products } from "../database/support.ts";
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

/** Collects the command lines of all processes every 5 ms. */
class Watcher {
  readonly seen = new Set<string>();
  readonly #ended = Promise.withResolvers<void>();
  #active = true;

  constructor() {
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
            if (text !== "") this.seen.add(text.replaceAll("\0", " "));
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
    DB_TIMEOUT: "3",
    DEBUG: "true",
    S3_BUCKET: "bucket",
    SMTP_HOST: "mail.example.com",
    SMTP_USER: "mailer",
    // Docker links of both products, whose passwords are not used.
    MYSQL_PORT: "tcp://127.0.0.1:1",
    MYSQL_ENV_MYSQL_PASSWORD: plant("LINK"),
    MYSQL_ENV_MYSQL_ROOT_PASSWORD: plant("LINKROOT"),
    POSTGRES_ENV_POSTGRES_PASSWORD: plant("LINKPOSTGRES"),
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
        await home.installServer(
          adapter === "mysql" ? "10.11.4" : "11.7.9",
          SHOW_ENVIRONMENT,
        );
        const env = {
          ...await environment(home, outside, { server, adapter, method }),
          ENTRYPOINT_LOG_FORMAT: format,
        };
        const watcher = new Watcher();
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
        const other = { SMTP_PASS: "", SMTP_PASS_FILE: "", GITLAB_SECRET: "" };
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
            ["app:health"],
          ]
        ) {
          const outcome = await app(args, {
            ...other,
            MATTERMOST_NAME: "Changed",
          });
          assert.notEqual(outcome.code, 70, outcome.stderr);
        }
        await fail(app, { server, adapter, method, outside });
        await watcher.stop();
        const ours = [...watcher.seen].filter((line) =>
          line.startsWith(COMPILED.command[0])
        );
        assert.ok(ours.length > 3, "the watcher saw the program");
        for (const line of watcher.seen) assertNoSecret("a command line", line);
        for (const [path, text] of await otherFiles(home.path)) {
          assertNoSecret(path, text);
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
  const cases: readonly (readonly [Record<string, string>, number])[] = [
    [guess, 77],
    [{ DB_PORT: "1" }, 69],
    [{ DB_PORT: String(closing.port) }, 69],
    [{ DB_PORT: String(echo.port) }, 77],
    [{ DB_SSL_MODE: "require" }, 78],
    [{ MM_SQLSETTINGS_DATASOURCE: broken }, 78],
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
    // Variable and file at once, of which no value may be printed.
    [
      { SMTP_PASS: plant("TWICE"), SMTP_PASS_FILE: join(outside.path, "o") },
      78,
    ],
  ];
  await Promise.all(cases.map(async ([more, code]) => {
    const outcome = await app(["app:start"], more);
    assert.equal(outcome.code, code, outcome.stderr);
    await app(["app:check", "--json", "--timeout", "1"], more);
  }));
  // The server's own variable is passed to the server, and printed nowhere.
  const { code } = await app(["app:start"], { MM_SQLSETTINGS_DATASOURCE: dsn });
  assert.equal(code, 77);
}
