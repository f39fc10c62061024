/**
 * Volumes that the first edition of this program wrote (tests/fixtures/first_edition): the
 * present one finds everything on them again, by the same names and in the same form. It adds
 * only the defaults of younger settings, those that settings.txt does not name, and a default that
 * has changed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { Json } from "../../lib/json.ts";
import { findMember, setValue } from "../../lib/config/json_path.ts";
import {
  makeNode,
  parseDocument,
  printDocument,
} from "../../lib/config/json_text.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { startMariadb } from "../servers/mariadb.ts";
import { startPostgres } from "../../tools/shared/postgres.ts";
import { MARIADB_SERVER } from "../support/database_needs.ts";
import { createHome, type Home, shown } from "../support/home.ts";
import {
  DATABASES,
  MOUNTS,
  type Need,
  PORT_80,
  ROOT_USER,
} from "../support/needs.ts";
import {
  assertClean,
  launch,
  type Outcome,
  type Program,
  testPrograms,
} from "../support/program.ts";
import { openVolume, VOLUME } from "../support/volume.ts";
import { resolved, written } from "../unit/settings/support.ts";

const FIXTURES = join(import.meta.dirname ?? ".", "../fixtures/first_edition");

/** The settings of 1.0.0. */
const FIRST_SETTINGS = (await Deno.readTextFile(join(FIXTURES, "settings.txt")))
  .split("\n");

/** The key whose default has changed for releases from 5.0 on, and its new value. */
const CHANGED = { path: "RateLimitSettings.Enable", value: false };

/** Whom the files belong to. */
const SERVER_USER = ROOT_USER.isMet ? 2000 : Deno.uid();

/** A volume, and what it takes to start on it. */
interface Recording {
  readonly name: string;
  /** The variables of the last start on it. */
  readonly env: Readonly<Record<string, string>>;
  readonly needs: readonly Need[];
  readonly port: number;
  readonly startDatabase: typeof startPostgres;
  /** The server's program. */
  readonly binary: string;
}

/** The volume in a home of its own, with its database and a server. */
interface Installation extends AsyncDisposable {
  readonly home: Home;
  /** The values of config.json that younger settings write by default, by path. */
  readonly younger: ReadonlyMap<string, Json>;
  /** Runs the program there. */
  run(args: readonly string[], env?: Record<string, string>): Promise<Outcome>;
}

type Config = Record<string, Record<string, unknown>>;

const POSTGRES = await readRecording("postgres-10.11", {
  needs: [MOUNTS, DATABASES, PORT_80],
  port: 15432,
  startDatabase: startPostgres,
  binary: "mattermost",
});
const MYSQL = await readRecording("mysql-3.6", {
  needs: [MOUNTS, DATABASES, PORT_80, MARIADB_SERVER],
  port: 13306,
  startDatabase: startMariadb,
  binary: "platform",
});
const TORN = { ...POSTGRES, ...await readRecording("torn-10.11", POSTGRES) };

for (const recording of [POSTGRES, MYSQL]) {
  const test = (
    name: string,
    body: (installation: Installation) => Promise<void>,
  ): void => testRecording(recording, name, body);

  test("a start with the same settings writes only what younger ones add", async ({ home, younger, run }) => {
    const before = await home.snapshot();
    const [config = "", memory] = await readFiles(home, ["", ".memory"]);
    const expected = withYounger(config, younger);
    const { code, stdout, stderr } = await run(["app:start"]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /Generated |edited/);
    assert.deepEqual(shown(stdout).args.slice(-2), [
      "--config",
      `${VOLUME}/data/config/config.json`,
    ]);
    assert.equal(
      shown(stdout).env["SSL_CERT_FILE"],
      `${VOLUME}/data/config/authorities.pem`,
    );
    const [now, nowMemory] = await readFiles(home, ["", ".memory"]);
    assert.equal(now, expected);
    assert.deepEqual(
      readMemory(nowMemory, younger),
      readMemory(memory, younger),
    );
    const after = await home.snapshot();
    const ends = now === config
      ? [".memory"]
      : ["", ".1", ".2", ".3", ".memory"];
    for (const path of ends.map((end) => home.config + end)) {
      before[path] = after[path] ?? "";
    }
    // 1.0.0 did not read the names of migrations from the program.
    const names = join(home.path, "data/MIGRATIONS");
    if (names in after) before[names] = after[names] ?? "";
    await home.assertUnchanged(before);
    assert.equal(await home.wasAsked(), false);
    const again = await run(["app:start"]);
    assert.equal(again.code, 0, again.stderr);
    await home.assertUnchanged(after);
  });

  test("app:config shows config.json as it is, and no change but of younger settings", async ({ home, younger, run }) => {
    const before = await home.snapshot();
    const shownConfig = await run(["app:config", "--show-secrets"]);
    assert.equal(
      shownConfig.stdout.trimEnd(),
      withYounger(await Deno.readTextFile(home.config), younger).trimEnd(),
    );
    const diff = await run(["app:config", "--diff", "--json"]);
    const { changes, ...rest }: {
      readonly changes: readonly { readonly path: string }[];
    } = JSON.parse(diff.stdout);
    assert.deepEqual(rest, {});
    assert.equal(diff.code, changes.length === 0 ? 0 : 1, diff.stderr);
    assert.deepEqual(changes.filter(({ path }) => !younger.has(path)), []);
    await home.assertUnchanged(before);
  });

  test("a changed variable is applied, and edits, secrets and copies stay", async ({ home, younger, run }) => {
    const [config = "", second] = await readFiles(home, ["", ".2"]);
    const expected = withYounger(config, younger);
    const before: Config = JSON.parse(expected);
    const { code, stderr } = await run(["app:start"], {
      MATTERMOST_NAME: "Third",
    });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /Generated |edited/);
    const now = await Deno.readTextFile(home.config);
    assert.deepEqual(JSON.parse(now), {
      ...before,
      TeamSettings: { ...before["TeamSettings"], SiteName: "Third" },
      EmailSettings: { ...before["EmailSettings"], FeedbackName: "Third" },
    });
    assert.equal(now, expected.replaceAll('"Second"', '"Third"'));
    assert.deepEqual(await readFiles(home, [".1", ".2", ".3"]), [
      now,
      config,
      second,
    ]);
  });

  test("an edit of a setting that has a variable is noticed", async ({ home, younger, run }) => {
    const config = await Deno.readTextFile(home.config);
    const edited = config.replace('"Second"', '"Edited"')
      .replace('"SMTPPort": "587"', '"SMTPPort": "2525"');
    await Deno.writeTextFile(home.config, edited);
    const { code, stderr } = await run(["app:start"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /TeamSettings\.SiteName was edited/);
    assert.match(stderr, /EmailSettings\.SMTPPort was edited/);
    assert.equal(
      await Deno.readTextFile(home.config),
      withYounger(config, younger),
    );
  });

  test("each copy can be brought back", async ({ home, run }) => {
    const [config, ...copies] = await readFiles(home, ["", ".1", ".2", ".3"]);
    assert.equal(copies[0], config);
    await Deno.writeTextFile(home.config, "{");
    const first = await run(["app:config", "--restore", "1"]);
    assert.equal(first.code, 0, first.stderr);
    assert.deepEqual(await readFiles(home, ["", ".1", ".2", ".3"]), [
      config,
      ...copies,
    ]);
    assert.deepEqual(await readFiles(home, [".broken"]), ["{"]);
    const third = await run(["app:config", "--restore", "3"]);
    assert.equal(third.code, 0, third.stderr);
    assert.deepEqual(await readFiles(home, ["", ".1", ".2", ".3"]), [
      copies[2],
      copies[2],
      copies[0],
      copies[1],
    ]);
  });

  test("VERSION tells the release that ran last, and the lock is the same", async ({ home, run }) => {
    const lock = await Deno.open(join(home.conf, "config.json.lock"), {
      write: true,
    });
    await lock.lock(true);
    const waiting = run(["app:start"], {
      MATTERMOST_NAME: "Third",
      MATTERMOST_VERSION: recording.env["MATTERMOST_VERSION"] ?? "",
    });
    const isOver = await Promise.race([
      waiting.then(() => true),
      new Promise((resolve) => setTimeout(() => resolve(false), 1500)),
    ]);
    assert.equal(isOver, false, "a start did not wait for the lock");
    lock.close();
    const { code, stderr } = await waiting;
    assert.equal(code, 0, stderr);
    // The database is empty here: only VERSION can tell that a server has run.
    assert.match(
      stderr,
      new RegExp(
        `data/VERSION names Mattermost ${recording.env["MATTERMOST_VERSION"]}`,
      ),
    );
  });
}

testRecording(
  TORN,
  "files that a killed process left are repaired",
  async ({ home, younger, run }) => {
    const [torn, copy = ""] = await readFiles(home, ["", ".1"]);
    assert.equal(torn, "");
    // A kill before a rename leaves such a file.
    await home.write("data/config/.config.json.0123456789abcdef.tmp", "{");
    const { code, stderr } = await run(["app:start"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /it is restored from .*config\.json\.1/);
    assert.doesNotMatch(stderr, /Generated /);
    assert.match(stderr, /TeamSettings\.MaxUsersPerTeam was edited/);
    assert.equal((stderr.match(/ was edited/g) ?? []).length, 1, stderr);
    assert.equal(
      await Deno.readTextFile(home.config),
      withYounger(copy, younger).replaceAll('"First"', '"Second"').replace(
        '"MaxUsersPerTeam": 750',
        '"MaxUsersPerTeam": 200',
      ),
    );
    const left = await Array.fromAsync(
      Deno.readDir(home.conf),
      ({ name }) => name,
    );
    assert.deepEqual(left.sort(), [
      "authorities.pem",
      ...["", ".1", ".2", ".3", ".lock", ".memory"].map((end) =>
        `config.json${end}`
      ),
    ]);
  },
);

async function readRecording(
  name: string,
  rest: Omit<Recording, "name" | "env">,
): Promise<Recording> {
  const text = await Deno.readTextFile(join(FIXTURES, name, "start.env"));
  return { ...rest, name, env: parseEnv(text) as Record<string, string> };
}

function testRecording(
  recording: Recording,
  name: string,
  body: (installation: Installation) => Promise<void>,
): void {
  testPrograms(`${recording.name}: ${name}`, async (program) => {
    await using installation = await install(recording, program);
    await body(installation);
  }, recording.needs);
}

async function install(
  { name, env, port, startDatabase, binary }: Recording,
  program: Program,
): Promise<Installation> {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await createHome());
  const database: DatabaseServer = stack.use(
    await startDatabase({ password: env["DB_PASS"] ?? "" }),
  );
  await database.sql(`CREATE DATABASE ${env["DB_NAME"]}`);
  const volume = stack.use(await openVolume(home, database, port));
  await home.installServer(env["MATTERMOST_VERSION"] ?? "", undefined, binary);
  await copyVolume(join(FIXTURES, name, "data"), join(home.path, "data"));
  await Deno.mkdir(join(home.path, "log"), { mode: 0o750 });
  await own(join(home.path, "log"));
  await home.write(
    "ca.d/private.crt",
    await Deno.readTextFile(join(home.conf, "authorities.pem")),
  );
  // A start that has asked the server for its release gives VERSION the program's date.
  const { mtime, ctime } = await Deno.stat(join(home.install, "bin", binary));
  const asked = new Date(Math.max(Number(mtime), Number(ctime)));
  await Deno.utime(home.version, asked, asked);
  const release = env["MATTERMOST_VERSION"] ?? "";
  const defaults = written(
    resolved({ ...volume.env, ...env }, { release }),
    release,
  );
  return {
    home,
    younger: new Map(
      defaults.flatMap(({ path, value, variables }) =>
        value === undefined ||
          variables.some((name) => FIRST_SETTINGS.includes(name)) &&
            !(path === CHANGED.path && value === CHANGED.value)
          ? []
          : [[path, value]]
      ),
    ),
    async run(args, more = {}) {
      const outcome = await launch(
        [...volume.command, ...program.command, ...args],
        { env: { ...program.env, ...volume.env, ...env, ...more } },
      ).outcome;
      const isShown = args.includes("--show-secrets");
      assertClean(outcome, isShown ? [] : [env["DB_PASS"] ?? ""]);
      return outcome;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** With the modes and the owner that a start gives, which git does not keep. */
async function copyVolume(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { mode: 0o750 });
  await own(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) await copyVolume(source, target);
    else {
      await Deno.copyFile(source, target);
      await Deno.chmod(target, 0o600);
      await own(target);
    }
  }
}

async function own(path: string): Promise<void> {
  if (SERVER_USER !== Deno.uid()) {
    await Deno.chown(path, SERVER_USER, SERVER_USER);
  }
}

/** A config.json with the values of younger settings that it lacks. */
function withYounger(
  config: string,
  younger: ReadonlyMap<string, Json>,
): string {
  const document = parseDocument(config);
  for (const [path, value] of younger) {
    const isMissing = findMember(document.root, path).member === undefined;
    if (isMissing || path === CHANGED.path) {
      setValue(document.root, path, makeNode(value));
    }
  }
  return printDocument(document);
}

/** A config.json.memory without the keys of younger settings. */
function readMemory(
  text = "{}",
  younger: ReadonlyMap<string, Json> = new Map(),
): unknown {
  return JSON.parse(
    text,
    // What the server accepted is younger than the fixtures, too.
    (key, value) => younger.has(key) || key === "accepted" ? undefined : value,
  );
}

/** The config.json and its companions, by what follows its name. */
async function readFiles(
  { config }: Home,
  ends: readonly string[],
): Promise<(string | undefined)[]> {
  return await Promise.all(
    ends.map((end) => Deno.readTextFile(`${config}${end}`)),
  );
}
