/**
 * Commands that only read, and commands that are refused, change nothing: neither an empty
 * directory nor a volume that a start would take over.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../../tools/shared/database_server.ts";
import { createHome } from "../support/home.ts";
import { runProgram, testPrograms } from "../support/program.ts";

/** A port on which nothing listens. */
const DB_PORT = String(freePort());

/** Commands with their exit codes; `undefined` if the code depends on the volume. */
const COMMANDS: readonly (readonly [number | undefined, ...string[]])[] = [
  [0, "app:help"],
  [0, "app:help", "DB_HOST"],
  [0, "app:version"],
  [0, "app:secrets"],
  [0, "app:config"],
  [0, "app:config", "--show-secrets"],
  [0, "app:config", "--explain"],
  [1, "app:config", "--diff"],
  // The installed server has no package, whose defaults are compared.
  [78, "app:config", "--export"],
  [64, "app:config", "--write", "/tmp"],
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
  // The database cannot be reached, which ends them before the first write.
  [undefined, "app:start"],
  [undefined, "app:migrate"],
];

for (const hasVolume of [false, true]) {
  testPrograms(
    hasVolume
      ? "commands that only read leave a volume unchanged"
      : "commands that only read create nothing in an empty directory",
    async (program) => {
      await using home = await createHome();
      await home.installServer("11.7.9");
      const root = join(home.path, "volume");
      if (hasVolume) {
        await home.write("volume/data/VERSION", "11.7.9\n");
        await home.write("volume/data/config/config.json", "{}\n");
        await home.write("volume/data/config/config.json.2", "{}\n");
        await home.write("volume/data/file", "an uploaded file");
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
