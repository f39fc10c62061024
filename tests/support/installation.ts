/**
 * An installed server and a context in memory, for tests of commands.
 *
 * @module
 */

import type { Context } from "../../lib/startup/context.ts";
import { Log } from "../../lib/log.ts";
import type { FakeSystem, World } from "./fake_system.ts";
import { fakeSystem } from "./fake_system.ts";
import { MemoryFiles } from "./memory_files.ts";

/** Where the default settings put config.json. */
export const CONFIG = "/opt/mattermost/data/config/config.json";

/** The directory of the installed server. */
export const INSTALL = "/opt/mattermost/mattermost";

/** Settings that are enough for a plan. */
export const ENOUGH: Readonly<Record<string, string>> = {
  MATTERMOST_VERSION: "11.7.9",
  DB_ADAPTER: "postgres",
  DB_HOST: "db.example.com",
  DB_PASS: "a password nobody may see",
};

/** A fake system, and the context of a command in it. */
export interface Stage {
  readonly system: FakeSystem;
  readonly context: Context;
}

/**
 * Sets a stage with an installed server.
 *
 * @param world What is special about it; its files are kept if it has some.
 * @returns The system and a context.
 */
export function stage(world: World = {}): Stage {
  const files = world.files ?? installed();
  const system = fakeSystem({ env: ENOUGH, ...world, files });
  const context: Context = {
    system,
    log: new Log(system),
    signal: new AbortController().signal,
    finishing: (work) => work,
  };
  return { system, context };
}

/**
 * Makes a file older, or younger by a negative number.
 *
 * @param files The files.
 * @param path The file.
 * @param milliseconds By how much.
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
 * Files of an installed server.
 *
 * @returns The files.
 */
export function installed(): MemoryFiles {
  const files = new MemoryFiles(
    `${INSTALL}/bin`,
    `${INSTALL}/plugins`,
    "/run/secrets",
  );
  files.place(`${INSTALL}/bin/mattermost`, "", 0o755);
  // The image is older than what is written in it.
  age(files, `${INSTALL}/bin/mattermost`, 1000);
  return files;
}
