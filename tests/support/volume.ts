/**
 * Runs a program with the same paths of the volume and certificates and the same address of
 * the database on every machine, so that its files can be compared with fixtures.
 *
 * @module
 */

import { join } from "node:path";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import type { Home } from "./home.ts";
import { AS_ROOT, NAMESPACE } from "./needs.ts";

/** The path of the home for the program. */
export const VOLUME = "/srv/mattermost";

/** The host name of the database. */
const DATABASE_HOST = "db";

/**
 * Mounts the home at its fixed path, lets every user listen on port 80, and hides the machine's CA certificates, because the
 * program copies them into the bundle for the server.
 */
const MOUNTS = `
mount -t tmpfs tmpfs /srv && mkdir ${VOLUME} && mount --bind "$1" ${VOLUME} &&
mount --bind "$1/hosts" /etc/hosts &&
mount --bind "$1/first_port" /proc/sys/net/ipv4/ip_unprivileged_port_start ||
exit 99
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \\
  /etc/ssl/ca-bundle.pem /etc/pki/tls/cacert.pem \\
  /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem
do
  if [ -e "$bundle" ]; then mount --bind /dev/null "$bundle" || exit 99; fi
done
shift
exec "$@"`;

/** A home with a fixed path; `await using` closes the connection to the database. */
export interface Volume extends AsyncDisposable {
  /** The prefix of a command that uses these paths. */
  readonly command: readonly string[];
  /** The settings for the home and the database. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Gives a home a fixed path, and a database a fixed address.
 *
 * @param home The home.
 * @param server The database.
 * @param port The port of the database for the program.
 * @returns How to run a program with both.
 */
export async function openVolume(
  home: Home,
  server: DatabaseServer,
  port: number,
): Promise<Volume> {
  // All of 127.0.0.0/8 is this machine: each test uses another address with the same port.
  const hostname = `127.${
    [...crypto.getRandomValues(new Uint8Array(2))].join(".")
  }.2`;
  const listener = Deno.listen({ hostname, port });
  const forwarding = forward(listener, server);
  await home.write(
    "hosts",
    `127.0.0.1 localhost\n${hostname} ${DATABASE_HOST}\n`,
  );
  await home.write("first_port", "0\n");
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
    // Either side may close first.
    Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  }
}
