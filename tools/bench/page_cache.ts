/**
 * Files in the kernel's page cache, as on a machine that has read them from its disk.
 *
 * What was just written lies there in pieces of another size, which depends on who
 * wrote it and how, and a program starts up to a tenth faster or slower for that: more
 * than two builds of it differ.
 *
 * @module
 */

import { run } from "../shared/process.ts";

/**
 * Drops files from the page cache and reads them again.
 *
 * @param paths The files.
 */
export async function readAnew(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    // Only what is on the disk can be dropped.
    await run(["sync", path]);
    await run(["dd", `if=${path}`, "iflag=nocache", "count=0", "status=none"]);
    await Deno.readFile(path);
  }
}

/**
 * Finds what a program of an unpacked distribution may load.
 *
 * @param directory Where it was unpacked.
 * @returns Programs and libraries.
 */
export async function loadableFiles(directory: string): Promise<string[]> {
  const kinds = ["(", "-perm", "-u+x", "-o", "-name", "*.so*", ")"];
  const found = await run(["find", directory, "-type", "f", ...kinds]);
  return found.split("\n").filter((path) => path !== "");
}
