/**
 * The input and the results of a check.
 *
 * @module
 */

import type { Authorities } from "../../startup/authorities.ts";
import { EntrypointError, errorCode } from "../../errors.ts";
import { hideCredentials } from "../../hidden.ts";
import type { System } from "../../os/system.ts";
import type { Plan } from "../../startup/plan.ts";

/** `failed` would stop or harm the server; a `warning` deserves attention. */
export type FindingLevel = "ok" | "warning" | "failed";

/** A result of a check. Its keys are those of `app:check --json`. */
export interface Finding {
  /** The id: subject and aspect, such as `database.certificate`. Ids are stable, see docs/check.md. */
  readonly check: string;
  /** Its severity. */
  readonly level: FindingLevel;
  /** One sentence without a final period and without secrets. */
  readonly message: string;
  /** A line to paste, or an instruction. */
  readonly remedy?: string;
}

/** The text of a finding. */
export type FindingText = Pick<Finding, "message" | "remedy">;

/** The input of every check. */
export interface CheckContext {
  /** The settings, and the config.json that a start would write. */
  readonly plan: Plan;
  /** The system, of which a check changes nothing. */
  readonly system: System;
  /** Ends the check when the time is up or a signal arrives. */
  readonly signal: AbortSignal;
  /** Reads the certificates, in PEM form, of the authorities that the server will trust; `undefined` for the runtime's own. */
  readonly trusted: Authorities["trusted"];
}

/** A check. It changes nothing. An {@linkcode EntrypointError} that it throws becomes a finding; other errors are bugs. */
export type Check = (
  context: CheckContext,
) => readonly Finding[] | Promise<readonly Finding[]>;

/**
 * Makes a finding about something that is in order.
 *
 * @param check Its id.
 * @param message One sentence that says what was found.
 * @returns The finding.
 */
export function ok(check: string, message: string): Finding {
  return { check, level: "ok", message };
}

/**
 * Makes a finding that deserves attention.
 *
 * @param check Its id.
 * @param problem What is wrong, and how to correct it.
 * @returns The finding.
 */
export function warning(
  check: string,
  problem: FindingText,
): Finding {
  return finding(check, { ...problem, level: "warning" });
}

/**
 * Makes a finding about something that would stop or harm the server.
 *
 * @param check Its id.
 * @param problem What is wrong, and how to correct it.
 * @returns The finding.
 */
export function failed(
  check: string,
  problem: FindingText,
): Finding {
  return finding(check, { ...problem, level: "failed" });
}

/**
 * Turns an error that would end a start into findings.
 *
 * @param check The id of the findings.
 * @param error The error.
 * @returns One finding for each of its problems, at least one.
 */
export function findingsFromError(
  check: string,
  error: EntrypointError,
): Finding[] {
  const { message, remedy, problems } = error;
  return problems.length > 0
    ? problems.map((problem) => failed(check, problem))
    : [failed(check, { message, ...(remedy === undefined ? {} : { remedy }) })];
}

/**
 * Describes in a few words why a service cannot be reached.
 *
 * @param error Anything that was thrown.
 * @returns Words to put after a colon.
 */
export function describeCause(error: unknown): string {
  const code = errorCode(error) ?? "";
  const known = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  if (known !== undefined) return known;
  if (error instanceof DOMException) return "no answer in time";
  // A host with several addresses fails with one error for each of them, mostly the same.
  const [first] = error instanceof AggregateError ? error.errors : [];
  if (first !== undefined) return describeCause(first);
  const text = error instanceof Error ? error.message : String(error);
  return [hideCredentials(text), code].find((words) => words.trim() !== "") ??
    "the system reports no cause";
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the name server does not answer",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "the network is unreachable",
  ETIMEDOUT: "no answer in time",
};

/** Keeps the order of the keys in the JSON, and drops the other keys of a problem. */
function finding(
  check: string,
  { level, message, remedy }: Omit<Finding, "check">,
): Finding {
  return { check, level, message, ...(remedy === undefined ? {} : { remedy }) };
}
