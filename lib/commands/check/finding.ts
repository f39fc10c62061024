/**
 * What a check gets, and what it finds.
 *
 * @module
 */

import type { Authorities } from "../../startup/authorities.ts";
import { EntrypointError, errorCode } from "../../errors.ts";
import type { System } from "../../os/system.ts";
import type { Plan } from "../../startup/plan.ts";

/** How bad a finding is. */
export type FindingLevel = "ok" | "warning" | "failed";

/** One thing that a check found. Its keys are those of `app:check --json`. */
export interface Finding {
  /** Subject and aspect, such as `database.certificate`: stable, for machines. */
  readonly check: string;
  /** How bad it is. */
  readonly level: FindingLevel;
  /** Sentence case, no final period, no secret. */
  readonly message: string;
  /** A line to paste, or the one step that repairs it. */
  readonly remedy?: string;
}

/** What is, and what repairs it. */
export type Advice = Pick<Finding, "message" | "remedy">;

/** What every check gets. */
export interface CheckWorld {
  /** What a start would do. */
  readonly plan: Plan;
  /** The world, in which nothing is changed. */
  readonly system: System;
  /** Ends the check. */
  readonly signal: AbortSignal;
  /** Reads the PEM texts of the authorities that the server will trust; `undefined` for the runtime's own. */
  readonly trusted: Authorities["trusted"];
}

/** A check: it changes nothing, and throws only for bugs and for {@linkcode EntrypointError}. */
export type Check = (
  world: CheckWorld,
) => readonly Finding[] | Promise<readonly Finding[]>;

/**
 * A finding that is good news.
 *
 * @param check Its id.
 * @param message What is.
 * @returns The finding.
 */
export function ok(check: string, message: string): Finding {
  return { check, level: "ok", message };
}

/**
 * A finding that deserves attention.
 *
 * @param check Its id.
 * @param problem What is, and what should be.
 * @returns The finding.
 */
export function warning(
  check: string,
  problem: Advice,
): Finding {
  return finding(check, { ...problem, level: "warning" });
}

/**
 * A finding that would stop or hurt the server.
 *
 * @param check Its id.
 * @param problem What is, and what should be.
 * @returns The finding.
 */
export function failed(
  check: string,
  problem: Advice,
): Finding {
  return finding(check, { ...problem, level: "failed" });
}

/**
 * Everything that an error says.
 *
 * @param check The id of the findings.
 * @param error What stops a start.
 * @returns One finding for each of its problems, at least one.
 */
export function fromError(check: string, error: EntrypointError): Finding[] {
  const { message, remedy, problems } = error;
  return problems.length > 0
    ? problems.map((problem) => failed(check, problem))
    : [failed(check, { message, ...(remedy === undefined ? {} : { remedy }) })];
}

/**
 * Says in a few words why something could not be reached.
 *
 * @param error Anything that was thrown.
 * @returns Words to follow a colon.
 */
export function reasonOf(error: unknown): string {
  const code = errorCode(error) ?? "";
  const known = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  if (known !== undefined) return known;
  if (error instanceof DOMException) return "no answer in time";
  // A host with several addresses fails with the errors of all of them, which are alike.
  const [first] = error instanceof AggregateError ? error.errors : [];
  if (first !== undefined) return reasonOf(first);
  const text = error instanceof Error ? error.message : String(error);
  return [text, code].find((words) => words.trim() !== "") ??
    "the system gives no reason";
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection is refused",
  ECONNRESET: "the connection is broken off",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name does not resolve now",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no network to it",
  ETIMEDOUT: "no answer in time",
};

/** The keys in the order in which machines and people read them; others go. */
function finding(
  check: string,
  { level, message, remedy }: Omit<Finding, "check">,
): Finding {
  return { check, level, message, ...(remedy === undefined ? {} : { remedy }) };
}
