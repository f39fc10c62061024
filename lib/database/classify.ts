/**
 * Turns an error of the system or of a driver into a {@linkcode ProbeError}: finds its
 * reason and cleans its text.
 *
 * @module
 */

import type { Reason } from "./reasons.ts";
import type { DataSource } from "./data_source.ts";
import { errorCode } from "../errors.ts";
import { relay } from "../hidden.ts";
import { oneLine } from "../printable.ts";
import { reasonForCode } from "./reasons.ts";
import { ProbeError } from "./session.ts";

/** Characters of a server's message that are shown. */
const DETAIL_LENGTH = 240;

/** `no pg_hba.conf entry for …` and `pg_hba.conf rejects …` share their SQLSTATE with an unknown role. */
const HBA_REGEXP = /\bpg_hba\.conf\b/;

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
 * @returns The classified error. A {@linkcode ProbeError} is returned as it is.
 */
export function classify(
  error: unknown,
  source: Pick<DataSource, "password"> & Partial<DataSource>,
): ProbeError {
  if (error instanceof ProbeError) return error;
  const cause = firstError(error);
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = codeOf(cause);
  return new ProbeError(
    reasonOf(code, text),
    cleanDetail(text.replace(NUMBER_REGEXP, ""), source),
    code,
  );
}

function reasonOf(code: string | undefined, text: string): Reason {
  if (code === undefined) return TLS_REGEXP.test(text) ? "tls" : "protocol";
  if (code === "28000" && HBA_REGEXP.test(text)) return "forbidden";
  return reasonForCode(code) ?? "protocol";
}

/** Makes one printable line of a server's text, without the password and a final period. */
function cleanDetail(
  text: string,
  source: Parameters<typeof classify>[1],
): string {
  const { password, user, database, host, port, socket } = source;
  const safe = relay(text, {
    secrets: [password],
    shown: [user, database, host, port, socket].map((each) => `${each ?? ""}`),
  });
  return oneLine(safe.replace(/[\s.]+$/, ""), DETAIL_LENGTH);
}

/** Errors of a MySQL server have a number besides the driver's name for it; all others have a name only. */
function codeOf(cause: unknown): string | undefined {
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
