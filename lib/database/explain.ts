/**
 * Looks closer at a failed login where the error alone does not tell the reason.
 *
 * @module
 */

import type { Clock } from "../os/system.ts";
import type { ConnectOptions } from "./session.ts";
import type { DataSource } from "./data_source.ts";
import { Buffer } from "node:buffer";
import { connect } from "./connect.ts";
import { addressOf, otherServer } from "./connection.ts";
import { ProbeError } from "./session.ts";
import { openSocket } from "../os/socket.ts";

/** Milliseconds that a silent server gets to answer a message of another protocol. */
const PATIENCE = 1000;

/** Milliseconds that a login with TLS may take. */
const LOGIN = 3000;

/** Messages to which servers of other products answer: PostgreSQL's `SSLRequest`, and a request for a web page. */
const KNOCKS: readonly Uint8Array[] = [
  Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]),
  Buffer.from("GET / HTTP/1.0\r\n\r\n"),
];

/** Options of {@linkcode explainFailure}. */
export interface ExplainOptions extends ConnectOptions {
  /** The clock that limits how long it takes. */
  readonly clock: Pick<Clock, "timeout">;
}

/** Error number of MySQL and MariaDB for a wrong password, and for an account that needs TLS. */
const ACCESS_DENIED = "1045";

/**
 * Finds out whether the lack of TLS or another kind of server is the reason.
 *
 * @param error The failure.
 * @param source The database and the login.
 * @param options The clock, the signal that ends it at once, and the certificate authorities.
 * @returns The better error, or the same one.
 */
export async function explainFailure(
  error: ProbeError,
  source: DataSource,
  options: ExplainOptions,
): Promise<ProbeError> {
  if (error.reason === "timeout" || error.reason === "protocol") {
    const answers = error.code !== undefined
      ? []
      : await Promise.all(KNOCKS.map((text) => knock(text, source, options)));
    return answers.find((each) => each?.reason === "other server") ?? error;
  }
  const mayLackTls = error.code === ACCESS_DENIED ||
    error.reason === "no entry";
  return mayLackTls && await needsTls(error, source, options)
    ? new ProbeError("tls demanded", error.message, error.code)
    : error;
}

/** Sends a message that the product of the source does not know, and reads how the answer begins. */
async function knock(
  message: Uint8Array,
  source: DataSource,
  { clock, signal }: ExplainOptions,
): Promise<ProbeError | undefined> {
  const limit = AbortSignal.any([signal, clock.timeout(PATIENCE)]);
  try {
    const socket = await openSocket(addressOf(source), limit);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      socket.once("data", resolve);
      socket.once("close", () => reject(new Error("closed")));
      socket.write(message);
    });
    socket.destroy();
    const found = otherServer(answer);
    return isSame(found, source) ? undefined : found;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Whether the server is of the product of the source after all. */
function isSame({ message }: ProbeError, { adapter }: DataSource): boolean {
  return message.endsWith(
    adapter === "mysql" ? "MySQL or MariaDB" : "PostgreSQL",
  );
}

/** Whether the same login gets further with TLS. */
async function needsTls(
  { reason }: ProbeError,
  source: DataSource,
  { clock, ...options }: ExplainOptions,
): Promise<boolean> {
  if (source.sslMode !== "disable" || source.socket !== undefined) return false;
  try {
    const session = await connect({ ...source, sslMode: "require" }, {
      ...options,
      signal: AbortSignal.any([options.signal, clock.timeout(LOGIN)]),
    });
    await session.close();
    return true;
  } catch (error) {
    options.signal.throwIfAborted();
    // pg_hba.conf is read before the password, so that any later refusal shows that TLS is demanded.
    return source.adapter === "postgres" && error instanceof ProbeError &&
      error.reason !== reason && error.reason !== "tls" &&
      !error.isTemporary;
  }
}
