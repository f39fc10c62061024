/**
 * A program that finds its volume, its database and its certificates at the same names on
 * every machine, so that what it wrote on another one can be compared byte by byte.
 *
 * @module
 */

import { join } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import type { Home } from "./home.ts";
import { AS_ROOT, NAMESPACE } from "./needs.ts";

/** Where the program finds the home. */
export const VOLUME = "/srv/mattermost";

/** The name of the database's host. */
const DATABASE_HOST = "db";

/**
 * Shows the home at its fixed name, and a machine without authorities of its own: the
 * bundle for the server begins with those of the machine, which differ.
 */
const MOUNTS = `
mount -t tmpfs tmpfs /srv && mkdir ${VOLUME} && mount --bind "$1" ${VOLUME} &&
mount --bind "$1/hosts" /etc/hosts || exit 99
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \\
  /etc/ssl/ca-bundle.pem /etc/pki/tls/cacert.pem \\
  /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem
do
  if [ -e "$bundle" ]; then mount --bind /dev/null "$bundle" || exit 99; fi
done
shift
exec "$@"`;

/** A home with fixed names; `await using` closes the way to the database. */
export interface Volume extends AsyncDisposable {
  /** The command that runs another one where the names are. */
  readonly command: readonly string[];
  /** Variables that lead to the home and the database. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Gives a home and a database their fixed names.
 *
 * @param home The home.
 * @param server The database.
 * @param port The port at which the database is found.
 * @returns How to run a program there.
 */
export async function openVolume(
  home: Home,
  server: DatabaseServer,
  port: number,
): Promise<Volume> {
  // All of 127.0.0.0/8 is this machine: other tests have the same port at another address.
  const hostname = `127.${
    [...crypto.getRandomValues(new Uint8Array(2))].join(".")
  }.2`;
  const listener = Deno.listen({ hostname, port });
  const forwarding = forward(listener, server);
  await home.write(
    "hosts",
    `127.0.0.1 localhost\n${hostname} ${DATABASE_HOST}\n`,
  );
  return {
    command: [...NAMESPACE, "sh", "-c", MOUNTS, "sh", home.path],
    env: {
      ...AS_ROOT,
      HOME: VOLUME,
      MATTERMOST_HOME: VOLUME,
      MATTERMOST_LOG_DIR: join(VOLUME, "log"),
      MATTERMOST_CA_DIR: join(VOLUME, "ca.d"),
      DB_HOST: DATABASE_HOST,
      DB_PORT: String(port),
      DB_TIMEOUT: "20",
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await forwarding;
    },
  };
}

async function forward(
  listener: Deno.TcpListener,
  { host, port }: DatabaseServer,
): Promise<void> {
  for await (const client of listener) {
    const server = await Deno.connect({ hostname: host, port });
    // Either side may hang up first.
    Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  }
}
