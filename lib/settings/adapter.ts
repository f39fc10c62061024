/**
 * The database products that Mattermost supports, or once did.
 *
 * @module
 */

/** A database product, by the name in `SqlSettings.DriverName`; `mysql` includes MariaDB. */
export type Adapter = "mysql" | "postgres";

/** The names of the products in messages. */
export const PRODUCTS: Readonly<Record<Adapter, string>> = {
  mysql: "MySQL",
  postgres: "PostgreSQL",
};
