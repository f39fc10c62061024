/**
 * The servers that a PostgreSQL data source names.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
 * @module
 */

import { isIP } from "node:net";
import type { DatabaseServer } from "../data_source.ts";
import { DEFAULT_PORTS } from "../data_source.ts";
import { inRange } from "../../release_range.ts";
import { refuse, SEVERAL_SERVERS, type Values } from "./parameters.ts";

/**
 * Lists the servers in the order in which the driver tries them.
 *
 * @param dsn The data source.
 * @param values Its values.
 * @param version The version of lib/pq.
 * @returns At least one.
 * @throws {DataSourceError} If lib/pq refuses them, or could never connect to one.
 */
export function serversOf(
  dsn: string,
  values: Values,
  version: string,
): readonly [DatabaseServer, ...DatabaseServer[]] {
  const several = inRange(version, SEVERAL_SERVERS);
  const list = (name: string): string[] =>
    (values.get(name)?.text ?? "").split(several ? "," : /(?!)/);
  const hosts = list("host");
  const ports = list("port");
  const addresses = several && values.has("hostaddr") ? list("hostaddr") : [];
  const count = Math.max(hosts.length, addresses.length);
  if (!several && /^[^/].*,/.test(values.get("host")?.text ?? "")) {
    refuse(
      dsn,
      values,
      "host",
      "it names several hosts, which lib/pq supports from 1.11 on",
    );
  }
  if (
    addresses.length > 0 && (values.get("host")?.text ?? "") !== "" &&
    hosts.length !== addresses.length
  ) {
    refuse(
      dsn,
      values,
      "hostaddr",
      "it has other numbers of addresses and of hosts",
    );
  }
  // With one host the driver takes the first of several ports.
  if (count > 1 && ports.length > 1 && ports.length !== count) {
    refuse(dsn, values, "port", "it has other numbers of ports and of hosts");
  }
  const servers = Array.from({ length: count }, (_, index) => {
    const port = ports.length > 1 ? ports[index] : ports[0];
    return serverOf(dsn, values, {
      host: hosts[index] || "localhost",
      // Versions from 1.11 on refuse an empty port, but not a further one.
      port: port ||
        (values.has("port") && index === 0
          ? ""
          : String(DEFAULT_PORTS.postgres)),
      // An empty one after the first stands for the host.
      address: index === 0 ? addresses[0] : addresses[index] || undefined,
      version,
    });
  });
  return servers as [DatabaseServer, ...DatabaseServer[]];
}

function serverOf(
  dsn: string,
  values: Values,
  { host, port, address, version }: {
    readonly host: string;
    readonly port: string;
    readonly address: string | undefined;
    readonly version: string;
  },
): DatabaseServer {
  const number =
    (inRange(version, SEVERAL_SERVERS) ? /^\d+$/ : /^\+?\d+$/).test(port)
      ? Number(port)
      : 0;
  if (number < 1 || number > 65535) {
    refuse(
      dsn,
      values,
      "port",
      "it has a port that is not a number from 1 to 65535",
    );
  }
  if (address !== undefined) {
    if (isIP(address) === 0) {
      refuse(
        dsn,
        values,
        "hostaddr",
        "it has a hostaddr that is not an IP address",
      );
    }
    return { host, port: number, address };
  }
  if (
    host.startsWith("/") ||
    host.startsWith("@") && inRange(version, SEVERAL_SERVERS)
  ) {
    const socket = host.replace(/(?<=.)\/+$/, "");
    return { host: "localhost", port: number, socket };
  }
  if (/[[\]]/.test(host)) {
    refuse(
      dsn,
      values,
      "host",
      "it has an IPv6 address in brackets without a port, which the driver encloses in brackets again",
    );
  }
  if (host.includes(":") && isIP(host.replace(/%.*$/, "")) === 0) {
    refuse(
      dsn,
      values,
      "host",
      "it has a host with a colon: a port belongs into the parameter port",
    );
  }
  return { host, port: number };
}
