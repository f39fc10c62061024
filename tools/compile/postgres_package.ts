/**
 * The PostgreSQL driver as a script of its own, which who has MySQL need not load.
 *
 * @module
 */

import postgres from "postgres";

/** What the program gets when it imports the package. */
export const content = postgres;
