/**
 * Starts a server, prints its process id and directory, and never ends by itself.
 *
 * @module
 */

import { startPostgres } from "../../tools/shared/postgres.ts";

const server = await startPostgres();
console.log(JSON.stringify({ pid: server.pid, home: server.socketDir }));
setInterval(() => {}, 60_000);
