/**
 * Warnings about a configuration that is passed over, and about other servers that use the same one.
 *
 * @module
 */

import type { ReadyDatabase } from "../database/wait.ts";
import type { Problem } from "../errors.ts";
import { effectiveFlag } from "./effective_config.ts";
import type { Plan } from "./plan.ts";

/**
 * Finds a configuration that is passed over, and other servers that use the same one.
 *
 * @param plan The plan.
 * @param database A session of the database, and its facts.
 * @returns The problems.
 */
export async function storeProblems(
  plan: Plan,
  database: ReadyDatabase,
): Promise<Problem[]> {
  const { store } = plan;
  const other = await store.describeOther(database);
  const isShared = store.kind === "database" &&
    !effectiveFlag(plan, "ClusterSettings.Enable");
  const clients = isShared ? await database.session.otherClients() : [];
  return [
    ...other === undefined ? [] : [other],
    ...clients.length === 0 ? [] : [otherServers(clients)],
  ];
}

function otherServers(clients: readonly string[]): Problem {
  return {
    subject: "",
    message:
      `Another server seems to use this configuration, because its database has connections from ${
        clients.join(", ")
      }: without a cluster licence, servers do not see each other's edits in the System Console, and the next save on one reverts those of the others`,
    remedy:
      "Run one server only; or edit on one of them, and restart the others before the next edit",
  };
}
