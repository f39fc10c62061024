/**
 * The compiled program with something else in place of each file that it opens: a FIFO that
 * nobody writes to, a device without an end, a directory, a file that is larger than the memory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { run } from "../../tools/shared/process.ts";
import { createAuthority } from "../servers/certificates.ts";
import { createHome, type Home } from "../support/home.ts";
import { assertClean, COMPILED, runProgram } from "../support/program.ts";
import {
  databaseSettings,
  PASSWORD,
  startServerDatabase,
} from "../support/server_database.ts";

const VERSION = "11.7.9";
/** Milliseconds in which each command ends, on a busy machine. */
const LIMIT = 20_000;

const database = await startServerDatabase();

const KINDS: Readonly<Record<string, (path: string) => readonly string[]>> = {
  "a FIFO": (path) => ["mkfifo", path],
  "a device": (path) => ["ln", "-s", "/dev/zero", path],
  "a directory": (path) => ["mkdir", path],
  "a huge file": (path) => ["truncate", "-s", "20G", path],
  "a link to itself": (path) => ["ln", "-s", basename(path), path],
};

/** A file that the program opens, and how a start ends if it is something else. */
interface Place {
  readonly path: (home: Home) => string;
  /** Variables that name it. */
  readonly env?: (path: string) => Readonly<Record<string, string>>;
  /** Options before the command. */
  readonly options?: (path: string) => readonly string[];
  /** The exit code of a start; 0 if it can do without the file. */
  readonly code: number;
  /** What makes no difference, because it is not read. */
  readonly harmless?: readonly string[];
}

const PLACES: Readonly<Record<string, Place>> = {
  "config.json": { path: (home) => home.config, code: 65 },
  ...Object.fromEntries(
    ["lock", "memory", "1", "2", "3"].map((end) => [
      `config.json.${end}`,
      {
        path: (home: Home) => `${home.config}.${end}`,
        code: 73,
        harmless: ["lock", "2", "3"].includes(end) ? ["a huge file"] : [],
      },
    ]),
  ),
  "VERSION": { path: (home) => home.version, code: 73 },
  "the list of migrations": {
    path: (home) => join(dirname(home.version), "MIGRATIONS"),
    code: 0,
  },
  "a certificate of MATTERMOST_CA_DIR": {
    path: (home) => join(home.path, "ca.d/x.crt"),
    env: (path) => ({ MATTERMOST_CA_DIR: dirname(path) }),
    code: 66,
  },
  "DB_SSL_CA": {
    path: (home) => join(home.path, "ca.pem"),
    env: (path) => ({ DB_SSL_CA: path, DB_SSL_MODE: "verify-ca" }),
    code: 66,
  },
  "DB_PASS_FILE": {
    path: (home) => join(home.path, "secret"),
    env: (path) => ({ DB_PASS_FILE: path, DB_PASS: "" }),
    code: 66,
  },
  "an MM_ variable with _FILE": {
    path: (home) => join(home.path, "secret"),
    env: (path) => ({ MM_EMAILSETTINGS_SMTPPASSWORD_FILE: path }),
    code: 66,
  },
  "MM_CUSTOM_DEFAULTS_PATH": {
    path: (home) => join(home.path, "defaults.json"),
    env: (path) => ({ MM_CUSTOM_DEFAULTS_PATH: path }),
    code: 0,
  },
  "--env-file": {
    path: (home) => join(home.path, "settings.env"),
    options: (path) => ["--env-file", path],
    code: 66,
  },
  "the package's config.json": {
    path: (home) => join(home.install, "config/config.json"),
    code: 65,
    harmless: ["a link to itself"],
  },
  "the package's translations": {
    path: (home) => join(home.install, "i18n/en.json"),
    // What the server would refuse is explained with them.
    env: () => ({ MATTERMOST_NAME: "to be refused" }),
    code: 78,
  },
};

async function makeHome(): Promise<Home> {
  const home = await createHome();
  await home.installServer(VERSION, "exit 0");
  await home.write("ca.d/a.crt", createAuthority("Private").certificate);
  await Deno.mkdir(join(home.install, "config"));
  await Deno.mkdir(join(home.install, "i18n"));
  const { code, stderr } = await runProgram(COMPILED, ["app:start"], {
    env: databaseSettings(home, database),
  });
  assert.equal(code, 0, stderr);
  return home;
}

for (
  const [name, { path: pathOf, env, options, code: expected, harmless = [] }]
    of Object.entries(PLACES)
) {
  Deno.test(`something else in place of ${name} is refused by name, and nothing waits for it`, async () => {
    await using home = await makeHome();
    const path = pathOf(home);
    await run(["rm", "-f", path]);
    for (const [kind, make] of Object.entries(KINDS)) {
      await run(make(path));
      const settings = {
        ...databaseSettings(home, database),
        MATTERMOST_NAME: kind,
        ...env?.(path),
      };
      for (
        const command of [
          ["app:start"],
          ["app:check", "--timeout", "2"],
          ["app:config"],
          ["app:health", "--timeout", "2"],
        ]
      ) {
        const began = performance.now();
        const outcome = await runProgram(
          COMPILED,
          [...options?.(path) ?? [], ...command],
          { env: settings },
        );
        const { code, stdout, stderr } = outcome;
        const where = `${command[0]} with ${kind}: ${code}\n${stdout}${stderr}`;
        assert.equal(outcome.signal, null, where);
        assert.ok(performance.now() - began < LIMIT, where);
        assertClean(outcome, [PASSWORD]);
        if (command[0] === "app:start") {
          const isRefused = ![0, 78].includes(expected) &&
            !harmless.includes(kind);
          assert.equal(
            code,
            isRefused || expected === 78 ? expected : 0,
            where,
          );
          if (!isRefused) continue;
          assert.ok(stderr.includes(path), where);
          assert.match(stderr, /→ /, where);
        }
      }
      await run(["rm", "-rf", path]);
    }
  });
}

Deno.test.afterAll(() => database.stop());
