/**
 * The socket of the server's local mode.
 *
 * @module
 */

import { trySystemCall } from "../errors.ts";
import type { System } from "../os/system.ts";
import { localSocket } from "./directories/written_paths.ts";
import type { Plan } from "./plan.ts";

/**
 * Removes the socket that the last run has left, because releases up to 5.37 do not start their
 * local mode while it exists.
 *
 * @param plan The plan of the start.
 * @param system The file system of the server's user.
 */
export function removeStaleSocket(
  plan: Plan,
  { files }: Pick<System, "files">,
): void {
  const path = localSocket(plan);
  if (path === undefined) return;
  trySystemCall(() => {
    const facts = files.lstat(path);
    const isSocket = facts !== undefined && !facts.isFile &&
      !facts.isDirectory && !facts.isSymlink;
    if (isSocket) files.remove(path);
  });
}
