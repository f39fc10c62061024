/**
 * What the kernel reports in `/proc`.
 *
 * @module
 */

import { trySystemCall } from "../errors.ts";
import { readNamedText } from "../os/named_file.ts";
import type { System } from "../os/system.ts";

/**
 * Reads a file of `/proc`. Deno opens these only with all permissions, so without them `cat`
 * reads it: https://github.com/denoland/deno/security/advisories/GHSA-23rx-c3g5-hv9w
 *
 * @param path The file.
 * @param system The file system, and child processes.
 * @returns The text; empty if it cannot be read.
 */
export async function readProcFile(
  path: string,
  { files, runChild, env }: Pick<System, "files" | "runChild" | "env">,
): Promise<string> {
  const text = trySystemCall(() => readNamedText(files, path)) ?? "";
  // The kernel states no size for these files.
  if (text !== "") return text;
  const child = runChild({
    command: ["cat", path],
    env: { PATH: env["PATH"] ?? "" },
    output: "capture",
  });
  return await child.then(({ stdout }) => stdout, () => "");
}
