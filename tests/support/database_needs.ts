/**
 * Database servers that may not be available on a machine.
 *
 * @module
 */

import { mariadbAvailable } from "../servers/mariadb.ts";
import { mysqlAvailable } from "../servers/mysql.ts";
import { pgbouncerAvailable } from "../servers/pgbouncer.ts";
import type { Need } from "./needs.ts";

/** MariaDB, from this machine or from Debian's packages. */
export const MARIADB_SERVER: Need = need("MariaDB", await mariadbAvailable());

/** MySQL, from Debian's packages. */
export const MYSQL_SERVER: Need = need("MySQL", await mysqlAvailable());

/** PgBouncer, from Debian's packages. */
export const PGBOUNCER: Need = need("PgBouncer", await pgbouncerAvailable());

function need(what: string, reason: string | undefined): Need {
  return reason === undefined
    ? { what, isMet: true }
    : { what: reason, isMet: false };
}
