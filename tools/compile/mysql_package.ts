/**
 * The MySQL driver as a script of its own, which who has PostgreSQL need not load.
 *
 * @module
 */

import mysql from "mysql";

/** What the program gets when it imports the package. */
export const content = mysql;
