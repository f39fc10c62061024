/**
 * What a database says of itself, where a test does not care what that is.
 *
 * @module
 */

import type { DatabaseFacts } from "../../lib/database/session.ts";

/** A good PostgreSQL with the tables of Mattermost in it. */
export const FACTS: DatabaseFacts = {
  product: "PostgreSQL",
  version: "17.2",
  readOnly: false,
  mayCreateTables: true,
  encoding: "UTF8",
  collation: "C",
  serverTime: 0,
  tls: false,
  schema: { installed: true, usersHaveTeamId: false },
};
