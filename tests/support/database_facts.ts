/**
 * Facts about a database, for tests that do not depend on them.
 *
 * @module
 */

import type { DatabaseFacts } from "../../lib/database/session.ts";

/** A suitable PostgreSQL with Mattermost's tables. */
export const FACTS: DatabaseFacts = {
  product: "PostgreSQL",
  version: "17.2",
  readOnly: false,
  mayCreateTables: true,
  encoding: "UTF8",
  collation: "C",
  serverTime: 0,
  tls: false,
  schema: { installed: true, usersHaveTeamId: false, migrations: [] },
  hasConfigurations: false,
};
