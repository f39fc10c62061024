/**
 * A marker in every secret, and a search for it in everything that the program
 * says, writes, runs and hands on. Only config.json and its copies may hold it.
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

/** No word of any message, and in every secret. */
const MARKER = "qZ7xK2vW";

const SECRET_NAMES = SETTING_NAMES.filter((name) =>
  rowOf(name).secret === true
);

/** A value that is long enough for each check, and tells which secret it is. */
function plant(name: string): string {
  return `${MARKER}${name.replaceAll("_", "")}0123456789abcdefghijklmn`;
}

/** All ways in which a secret may be spelled in a text. */
function shows(text: string): boolean {
  return text.includes(MARKER) || text.includes(btoa(MARKER).slice(0, 10)) ||
    decodeLoosely(text).includes(MARKER);
}

function decodeLoosely(text: string): string {
  return text.replace(
    /%([0-9a-f]{2})/gi,
    (_, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
}

function assertSilent(what: string, text: string): void {
  const at = text.split("\n").find(shows);
  assert.equal(at, undefined, `${what} shows a secret`);
}

/** Looks at the command lines of all processes below ours, as often as it can. */
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
      // All at once: a program of ours is over within 50 ms.
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

/** Every file of the home but config.json and its copies. */
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

/** The server shows its environment, and ends. */
const SHOW_ENVIRONMENT = "tr '\\0' '\\n' </proc/$$/environ";

/** How a secret gets in: as a variable, or as a file outside the home. */
const WAYS = ["variable", "file"] as const;

interface Case {
  readonly server: DatabaseServer;
  readonly adapter: "mysql" | "postgres";
  readonly way: typeof WAYS[number];
}

async function environment(
  home: Home,
  secrets: Home,
  { server, adapter, way }: Case,
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
    // Links of both products, with passwords that nobody asks for.
    MYSQL_PORT: "tcp://127.0.0.1:1",
    MYSQL_ENV_MYSQL_PASSWORD: plant("LINK"),
    MYSQL_ENV_MYSQL_ROOT_PASSWORD: plant("LINKROOT"),
    POSTGRES_ENV_POSTGRES_PASSWORD: plant("LINKPOSTGRES"),
  };
  for (const name of SECRET_NAMES) {
    if (way === "variable") env[name] = plant(name);
    else env[`${name}_FILE`] = await secrets.write(name, `${plant(name)}\n`);
  }
  return env;
}

function assertQuiet(what: string, { stdout, stderr }: Outcome): void {
  assert.notEqual(stdout + stderr, "", `${what} says something`);
  assertSilent(`standard output of ${what}`, stdout);
  assertSilent(`standard error of ${what}`, stderr);
}

for (const product of products()) {
  // MySQL's driver is MariaDB's.
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

  for (const way of WAYS) {
    for (const format of ["text", "json"]) {
      Deno.test(`${name}: secrets from each ${way} are found in config.json, and nowhere else (${format})`, async () => {
        await using home = await createHome();
        await using outside = await createHome();
        await home.installServer(
          adapter === "mysql" ? "10.11.4" : "11.7.9",
          SHOW_ENVIRONMENT,
        );
        const env = {
          ...await environment(home, outside, { server, adapter, way }),
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
          assertQuiet(what, outcome);
          return outcome;
        };
        const [first] = [await app(["app:start"])];
        assert.equal(first?.code, 0, first?.stderr);
        assert.match(first?.stdout ?? "", /^MATTERMOST_HOME=/m);
        // That the search finds what is there:
        const config = await Deno.readTextFile(home.config);
        for (const name of ["DB_PASS", "SMTP_PASS", "MATTERMOST_LINK_SALT"]) {
          assert.ok(config.includes(plant(name)), `${name} was planted`);
        }
        assert.ok(shows(encodeURIComponent(`"${MARKER}"`)));
        // A second content, so that there are copies and conflicts to tell.
        await Deno.writeTextFile(
          home.config,
          config.replace(plant("SMTP_PASS"), `${MARKER}edited`),
        );
        const other = { SMTP_PASS: "", SMTP_PASS_FILE: "", GITLAB_SECRET: "" };
        const again = await app(["app:start"], {
          ...(way === "variable"
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
        await fail(app, { server, adapter, way, outside });
        await watcher.stop();
        const ours = [...watcher.seen].filter((line) =>
          line.startsWith(COMPILED.command[0])
        );
        assert.ok(ours.length > 3, "the watcher saw the program");
        for (const line of watcher.seen) assertSilent("a command line", line);
        for (const [path, text] of await otherFiles(home.path)) {
          assertSilent(path, text);
        }
      });
    }
  }

  Deno.test.afterAll(() => server.stop());
}

/** Starts that fail where a driver, or a parser, has the secret in its hands. */
async function fail(
  app: (
    args: readonly string[],
    more: Readonly<Record<string, string>>,
  ) => Promise<Outcome>,
  { server, adapter, way, outside }: Case & { readonly outside: Home },
): Promise<void> {
  await using closing = misbehave((client) => {
    client.close();
    return Promise.resolve();
  });
  // A server that says the password back.
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
  const guess = way === "variable"
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
      way === "variable"
        ? { MATTERMOST_LINK_SALT: MARKER }
        : { MATTERMOST_LINK_SALT_FILE: await outside.write("short", MARKER) },
      78,
    ],
    // Both ways at once, where neither may be told.
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
  // The server's own variable passes through to the server, by design, and only there.
  const { code } = await app(["app:start"], { MM_SQLSETTINGS_DATASOURCE: dsn });
  assert.equal(code, 77);
}
