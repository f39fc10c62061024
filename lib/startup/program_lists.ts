/**
 * Reads what was found in the server's program before: the names of its migrations, and the
 * versions of its database drivers.
 *
 * Both lists begin with the size of the program, that of an earlier start also with its
 * modification time. They are ignored for any other program.
 *
 * @module
 */

import { trySystemCall } from "../errors.ts";
import type { Release } from "../mattermost/releases.ts";
import type { FileFacts, System } from "../os/system.ts";
import type { Paths } from "./paths.ts";

/** The installed program, and what was found in it. */
export interface ProgramLists {
  /** The path of the program. */
  readonly path: string;
  /** Its facts; `undefined` if no server is installed. */
  readonly program: FileFacts | undefined;
  /** The lists of the image's build and of an earlier start, as far as they belong to the program. */
  readonly lists: readonly string[];
}

/**
 * Reads the lists.
 *
 * @param release The release, which decides on the name of the program.
 * @param paths The directory of the server, and the lists.
 * @param files The file system, as the server's user reads it.
 * @returns The program and the lists.
 */
export function readProgramLists(
  release: Pick<Release, "binary">,
  paths: Paths,
  files: System["files"],
): ProgramLists {
  const path = `${paths.install}/${release.binary}`;
  const found = trySystemCall(() => files.stat(path));
  const program = found?.isFile ? found : undefined;
  if (program === undefined) return { path, program, lists: [] };
  const lists = [paths.shippedMigrations, paths.migrations].flatMap((file) =>
    readList(file, program, files) ?? []
  );
  return { path, program, lists };
}

/** Reads a list of names if it belongs to the program. */
function readList(
  path: string,
  program: FileFacts,
  files: System["files"],
): string | undefined {
  const bytes = trySystemCall(() => files.read(path, { follow: false })?.bytes);
  const text = bytes && new TextDecoder().decode(bytes);
  const [header] = text?.split("\n", 1) ?? [];
  return header === String(program.size) || header === headerOf(program)
    ? text
    : undefined;
}

/**
 * Makes the first line of a list of an earlier start.
 *
 * @param program The facts of the program.
 * @returns The line.
 */
export function headerOf({ size, modified }: FileFacts): string {
  return `${size} ${modified}`;
}
