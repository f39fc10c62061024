/**
 * An installed server and a context in memory, for tests of commands.
 *
 * @module
 */

import type { Context } from "../../lib/startup/context.ts";
import { fakeContext } from "./fake_context.ts";
import type { FakeSystem, World } from "./fake_system.ts";
import { fakeSystem } from "./fake_system.ts";
import { MemoryFiles } from "./memory_files.ts";

/** The default path of config.json. */
export const CONFIG = "/opt/mattermost/data/config/config.json";

/** The default directory of the server. */
export const INSTALL = "/opt/mattermost/mattermost";

/** The settings that a plan needs. */
export const ENOUGH: Readonly<Record<string, string>> = {
  MATTERMOST_VERSION: "11.7.9",
  DB_ADAPTER: "postgres",
  DB_HOST: "db.example.com",
  DB_PASS: "a password nobody may see",
};

/** A fake system, and the context of a command with it. */
export interface Stage {
  readonly system: FakeSystem;
  readonly context: Context;
}

/**
 * Makes a fake system with an installed server.
 *
 * @param world Options of the fake system; by default its files are those of {@linkcode installed}.
 * @returns The system and a context.
 */
export function stage(world: World = {}): Stage {
  const files = world.files ?? installed();
  const system = fakeSystem({ env: ENOUGH, ...world, files });
  return { system, context: fakeContext(system) };
}

/**
 * Changes the modification time of a file.
 *
 * @param files The file system.
 * @param path The file.
 * @param milliseconds How much older it becomes; a negative number makes it newer.
 */
export function age(
  files: MemoryFiles,
  path: string,
  milliseconds: number,
): void {
  const node = files.nodes.get(path);
  if (node !== undefined) node.modified -= milliseconds;
}

/**
 * Makes the files of an installed server.
 *
 * @returns The file system.
 */
export function installed(): MemoryFiles {
  const files = new MemoryFiles(
    `${INSTALL}/bin`,
    `${INSTALL}/plugins`,
    "/run/secrets",
    "/tmp",
  );
  files.chmod("/tmp", 0o1777);
  files.place(`${INSTALL}/bin/mattermost`, "", 0o755);
  // Files of the image are older than files that a start writes.
  age(files, `${INSTALL}/bin/mattermost`, 1000);
  return files;
}
