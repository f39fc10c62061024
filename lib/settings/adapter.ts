/**
 * The two kinds of database that Mattermost has had.
 *
 * @module
 */

/** A database product, by the name of the server's driver; `mysql` is MariaDB too. */
export type Adapter = "mysql" | "postgres";

/** Names of the products, for people. */
export const PRODUCTS: Readonly<Record<Adapter, string>> = {
  mysql: "MySQL",
  postgres: "PostgreSQL",
};
