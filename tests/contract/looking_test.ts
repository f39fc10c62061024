/**
 * Commands that only look, and those that are refused, make and change nothing: where nothing
 * is yet, and where there is a volume that a start would take over.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../../tools/shared/database_server.ts";
import { createHome } from "../support/home.ts";
import { runProgram, testPrograms } from "../support/program.ts";

/** Nobody listens there. */
const DB_PORT = String(freePort());

/** Commands with their exit codes, `undefined` where it depends on what is there. */
const COMMANDS: readonly (readonly [number | undefined, ...string[]])[] = [
  [0, "app:help"],
  [0, "app:help", "DB_HOST"],
  [0, "app:version"],
  [0, "app:secrets"],
  [0, "app:config"],
  [0, "app:config", "--show-secrets"],
  [0, "app:config", "--explain"],
  [1, "app:config", "--diff"],
  [64, "app:config", "--restore"],
  [64, "app:config", "--restore", "1"],
  [64, "app:config", "--restore", "3"],
  [64, "app:config", "--restore", "0"],
  [64, "app:config", "--nonsense"],
  [1, "app:check", "--timeout", "2"],
  [1, "app:check", "--timeout", "2", "--json"],
  [1, "app:health", "--timeout", "1"],
  [64, "app:migrate", "--help"],
  [64, "app:start", "--nonsense"],
  // The database is refused before anything is made.
  [undefined, "app:start"],
  [undefined, "app:migrate"],
];

for (const isThere of [false, true]) {
  testPrograms(
    isThere
      ? "what only looks leaves a volume as it is"
      : "what only looks makes nothing where nothing is",
    async (program) => {
      await using home = await createHome();
      await home.installServer("11.7.9");
      const root = join(home.path, "volume");
      if (isThere) {
        await home.write("volume/data/VERSION", "11.7.9\n");
        await home.write("volume/data/config/config.json", "{}\n");
        await home.write("volume/data/config/config.json.2", "{}\n");
        await home.write("volume/data/file", "of somebody");
      }
      const env = {
        ...home.env,
        MATTERMOST_HOME: root,
        MATTERMOST_INSTALL_DIR: home.install,
        MATTERMOST_LOG_DIR: join(root, "log"),
        MATTERMOST_VERSION: "11.7.9",
        DB_ADAPTER: "postgres",
        DB_HOST: "127.0.0.1",
        DB_PORT,
        DB_PASS: "secret",
        DB_TIMEOUT: "0",
      };
      const before = await home.snapshot();
      for (const [expected, ...args] of COMMANDS) {
        const { code, stderr } = await runProgram(program, args, { env });
        const what = `${args.join(" ")}\n${stderr}`;
        if (expected === undefined) assert.notEqual(code, 0, what);
        else assert.equal(code, expected, what);
        await home.assertUnchanged(before).catch((error) => {
          throw new Error(what, { cause: error });
        });
      }
    },
  );
}
