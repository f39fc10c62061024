/**
 * The ports on which the server listens.
 *
 * @module
 */

import { isServerInstalled } from "../../startup/handoff.ts";
import { checkPorts } from "../../startup/ports.ts";
import { serverIdentity } from "../../startup/become_user.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok } from "./finding.ts";
import { findRunningServer } from "./own_server.ts";

/**
 * Checks the ports. The port of the running server is no problem.
 *
 * @param context The configuration and the system.
 * @returns The findings; none where no server is installed.
 */
export async function checkPort(context: CheckContext): Promise<Finding[]> {
  const { plan, system } = context;
  if (!isServerInstalled(plan, system)) return [];
  const id = "port.available";
  const { port, problems } = await checkPorts(plan, system);
  const isRunning = problems.some(({ isInUse }) => isInUse) &&
    await findRunningServer(context) !== undefined;
  const left = problems.filter(({ isInUse }) => !(isInUse && isRunning));
  if (left.length > 0) return left.map((problem) => failed(id, problem));
  if (port === undefined) return [];
  const { uid, gid } = serverIdentity(plan.settings, system);
  return [
    ok(
      id,
      isRunning
        ? `The server runs and listens on port ${port}`
        : `User ${uid}:${gid} may listen on port ${port}, and nobody else does`,
    ),
  ];
}
