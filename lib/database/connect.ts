/**
 * Logs in with the driver of the database's product, and loads no other driver.
 *
 * @module
 */

import type { ConnectOptions, Session } from "./session.ts";
import type { DatabaseServer, DataSource } from "./data_source.ts";
import type { Reason } from "./reasons.ts";
import { ProbeError } from "./session.ts";
import { addressOf, connectLimit, type LoginOptions } from "./connection.ts";
import { openSocket } from "../os/socket.ts";
import {
  type PolicyOptions,
  tlsPolicy,
  UnexplainedError,
} from "./tls/policy.ts";

/** Reasons that come before the first message to the server. */
const UNREACHED: readonly Reason[] = [
  "dns",
  "refused",
  "unreachable",
  "timeout",
];

/**
 * Logs in to a database: to the first of its servers that accepts the login, and that is what the
 * data source requires.
 *
 * @param source The database and the login.
 * @param options The signal that ends the session, and the certificate authorities.
 * @returns The session.
 * @throws {ProbeError} The reason why it failed; or the signal's reason.
 */
export async function connect(
  source: DataSource,
  options: ConnectOptions,
): Promise<Session> {
  if (source.alternatives === undefined) {
    return await connectTo(source, options);
  }
  const failures: { readonly error: ProbeError; readonly where: string }[] = [];
  for (const target of targetsOf(source)) {
    try {
      return await connectTo(target, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof ProbeError)) throw error;
      failures.push({
        error,
        where: target.socket ?? `${target.host}:${target.port}`,
      });
    }
  }
  // What does not pass by itself matters most.
  const { error } =
    failures.find(({ error: { isTemporary } }) => !isTemporary) ??
      failures.at(-1) ?? {};
  throw new ProbeError(
    error?.reason ?? "refused",
    failures.map(({ error: { message, reason }, where }) =>
      `${where}: ${message || reason}`
    ).join("; "),
    error?.code,
  );
}

/** The servers in the order in which the driver tries them; all again if none is a standby, and one was only preferred. */
function targetsOf(source: DataSource): DataSource[] {
  const { alternatives = [], socket: _, address: __, ...rest } = source;
  const { host, port, socket, address } = source;
  const first: DatabaseServer = {
    host,
    port,
    ...(socket === undefined ? {} : { socket }),
    ...(address === undefined ? {} : { address }),
  };
  const targets = [first, ...alternatives].map((server): DataSource => ({
    ...rest,
    alternatives,
    ...server,
  }));
  return source.targetSessionAttrs === "prefer-standby"
    ? [
      ...targets,
      ...targets.map((target): DataSource => ({
        ...target,
        targetSessionAttrs: "any",
      })),
    ]
    : targets;
}

async function connectTo(
  source: DataSource,
  options: ConnectOptions,
): Promise<Session> {
  const again = fallbackOf(source);
  try {
    return await connectOnce(again?.first ?? source, options);
  } catch (error) {
    if (!(error instanceof ProbeError) || !again?.isFor(error)) throw error;
    return await connectOnce(again.second, options);
  }
}

/** What a driver tries first, and what then. */
interface Fallback {
  readonly first: DataSource;
  readonly second: DataSource;
  readonly isFor: (error: ProbeError) => boolean;
}

function fallbackOf(source: DataSource): Fallback | undefined {
  const plain: DataSource = { ...source, sslMode: "disable" };
  if (source.sslMode === "allow") {
    return {
      first: plain,
      second: { ...source, sslMode: "require" },
      isFor: ({ reason }) => !UNREACHED.includes(reason),
    };
  }
  return source.sslMode === "prefer"
    ? {
      first: source,
      second: plain,
      // go-sql-driver goes on without TLS only if the server does not offer it, lib/pq always.
      isFor: ({ reason }) =>
        reason === "no TLS" ||
        source.adapter === "postgres" && /^tls|^certificate/.test(reason),
    }
    : undefined;
}

async function connectOnce(
  source: DataSource,
  options: ConnectOptions,
): Promise<Session> {
  try {
    return await attempt(source, options, options);
  } catch (error) {
    if (!(error instanceof UnexplainedError)) throw error;
    return await attempt(source, options, { ...options, isDiagnosis: true });
  }
}

async function attempt(
  source: DataSource,
  options: ConnectOptions,
  { ca, client, isDiagnosis = false }: Partial<PolicyOptions>,
): Promise<Session> {
  // The socket connects while the driver is loaded.
  const opening = openSocket(
    addressOf(source),
    options.signal,
    connectLimit(source),
  );
  // The driver's module handles a failure. Until it is loaded, a rejection would count as unhandled.
  opening.catch(() => {});
  const tls = await tlsPolicy(source, { ca, client, isDiagnosis });
  return await login(source, { ...options, opening, tls });
}

async function login(
  source: DataSource,
  options: LoginOptions,
): Promise<Session> {
  if (source.adapter === "mysql") {
    const { connectMysql } = await import("./mysql/session.ts");
    return await connectMysql(source, options);
  }
  const { connectPostgres } = await import("./postgres/session.ts");
  return await connectPostgres(source, options);
}
