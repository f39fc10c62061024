/**
 * Reads files into the kernel's page cache from the disk.
 *
 * A file that was just written has pages (folios) of another size there, which depends on how
 * it was written. That makes a program start up to 10 % faster or slower, which is more than
 * the difference between two builds.
 *
 * @module
 */

import { run } from "../shared/process.ts";

/**
 * Drops files from the page cache and reads them again.
 *
 * @param paths The files.
 */
export async function readAgain(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    // Pages can be dropped only after they are written to the disk.
    await run(["sync", path]);
    await run(["dd", `if=${path}`, "iflag=nocache", "count=0", "status=none"]);
    await Deno.readFile(path);
  }
}

/**
 * Finds programs and libraries.
 *
 * @param directory The directory of an unpacked distribution.
 * @returns Their paths.
 */
export async function loadableFiles(directory: string): Promise<string[]> {
  const kinds = ["(", "-perm", "-u+x", "-o", "-name", "*.so*", ")"];
  const found = await run(["find", directory, "-type", "f", ...kinds]);
  return found.split("\n").filter((path) => path !== "");
}
