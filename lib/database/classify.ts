/**
 * Turns an error of the system or of a driver into a {@linkcode ProbeError}: finds its
 * reason and cleans its text.
 *
 * @module
 */

import type { Reason } from "./reasons.ts";
import type { DataSource } from "./data_source.ts";
import { errorCode } from "../errors.ts";
import { peerWords } from "../peer_words.ts";
import { reasonForCode } from "./reasons.ts";
import { ProbeError } from "./session.ts";

/** `no pg_hba.conf entry for …` and `pg_hba.conf rejects …` share their SQLSTATE with an unknown role. */
const HBA_REGEXP = /\bpg_hba\.conf\b/;

const SQLSTATE_REGEXP = /^[0-9A-Z]{5}$/;

/** TLS errors of Deno 2.7, such as `invalid peer certificate: …`, have no code. */
const TLS_REGEXP = /\b(?:certificate|handshake|TLS)\b/i;

/** What the runtime appends to the system's text; the code has the same meaning. */
const NUMBER_REGEXP = / \(os error \d+\)$/;

/**
 * Makes a {@linkcode ProbeError} of what a driver's promise rejected with. An error with
 * an unknown code, or without one, gets the reason `protocol`.
 *
 * @param error The value that was thrown.
 * @param source The database; its password is hidden in the text.
 * @param kind `sqlStates` for an error that a PostgreSQL server has sent, which cannot be one of the system.
 * @returns The classified error. A {@linkcode ProbeError} is returned as it is.
 */
export function classify(
  error: unknown,
  source: Pick<DataSource, "user" | "password"> & Partial<DataSource>,
  kind?: "sqlStates",
): ProbeError {
  if (error instanceof ProbeError) return error;
  const cause = firstError(error);
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = codeOf(cause, kind);
  const { database, host, port, socket } = source;
  return new ProbeError(
    reasonOf(code, text, kind),
    peerWords(
      text.replace(NUMBER_REGEXP, ""),
      source,
      [database, host, port, socket].map((each) => `${each ?? ""}`),
    ),
    code,
  );
}

function reasonOf(
  code: string | undefined,
  text: string,
  kind: "sqlStates" | undefined,
): Reason {
  if (code === undefined) {
    return kind === undefined && TLS_REGEXP.test(text) ? "tls" : "protocol";
  }
  if (code === "28000" && HBA_REGEXP.test(text)) return "forbidden";
  return reasonForCode(code, kind) ?? "protocol";
}

/** Errors of a MySQL server have a number besides the driver's name for it; all others have a name only. */
function codeOf(
  cause: unknown,
  kind: "sqlStates" | undefined,
): string | undefined {
  if (kind === "sqlStates") {
    const code = errorCode(cause) ?? "";
    return SQLSTATE_REGEXP.test(code) ? code : undefined;
  }
  const { errno } = Object(cause) as { errno?: unknown };
  return typeof errno === "number" && errno >= 1000
    ? String(errno)
    : errorCode(cause);
}

/** A host with several addresses fails with the errors of all of them, which are alike. */
function firstError(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0
    ? error.errors[0]
    : error;
}
