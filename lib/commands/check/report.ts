/**
 * The formats of the report: columns and colours for a terminal, plain lines for a pipe, and JSON.
 *
 * @module
 */

import { printable, printableLine } from "../../printable.ts";
import type { Finding, FindingLevel } from "./finding.ts";

/** The findings of all checks. */
export interface Report {
  /** The release that the checks were made for; `undefined` if the settings cannot be loaded. */
  readonly release: string | undefined;
  /** The findings in the order of the report. */
  readonly findings: readonly Finding[];
}

/** The layout of the text. */
export interface ReportStyle {
  /** Whether columns are aligned. */
  readonly aligned: boolean;
  /** Whether levels have colours. */
  readonly colours: boolean;
}

/** The version of the JSON format. It increases when a key is removed or changes its meaning. */
const JSON_VERSION = 1;

const LEVELS: readonly FindingLevel[] = ["ok", "warning", "failed"];

/** The colours green, yellow and red as SGR parameters of ECMA-48. */
const COLOURS: Readonly<Record<FindingLevel, number>> = {
  ok: 32,
  warning: 33,
  failed: 31,
};

/** The number of findings of each level. */
function summary(
  findings: readonly Finding[],
): Readonly<Record<FindingLevel, number>> {
  const count = (level: FindingLevel): number =>
    findings.filter((finding) => finding.level === level).length;
  return {
    ok: count("ok"),
    warning: count("warning"),
    failed: count("failed"),
  };
}

/**
 * Formats the report as JSON.
 *
 * @param report The report.
 * @returns JSON with a final newline.
 */
export function reportJson({ release, findings }: Report): string {
  const counts = summary(findings);
  const text = JSON.stringify(
    {
      version: JSON_VERSION,
      ok: counts.failed === 0,
      release: release ?? null,
      summary: counts,
      findings,
    },
    null,
    2,
  );
  return `${printable(text)}\n`;
}

/**
 * Formats the report as text.
 *
 * @param report The report.
 * @param style Whether the text has columns and colours.
 * @returns Lines, each with a final newline.
 */
export function reportText(
  { release, findings }: Report,
  { aligned, colours }: ReportStyle,
): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const levelWidth = Math.max(...LEVELS.map((level) => level.length));
  const paint = (level: FindingLevel, text: string): string =>
    colours ? `\x1b[${COLOURS[level]}m${text}\x1b[0m` : text;
  const lines = findings.flatMap(({ check, level, message, remedy }) => {
    const head = aligned
      ? `${paint(level, level.padEnd(levelWidth))}  ${check.padEnd(width)}  `
      : `${level} ${check}: `;
    const indent = aligned ? " ".repeat(levelWidth + width + 4) : "  ";
    return [
      `${head}${printableLine(message)}`,
      ...(remedy === undefined ? [] : [`${indent}→ ${printableLine(remedy)}`]),
    ];
  });
  const counts = summary(findings);
  const total = [
    `${counts.ok} ok`,
    `${counts.warning} warning${counts.warning === 1 ? "" : "s"}`,
    `${counts.failed} failed`,
  ].join(", ");
  const subject = release === undefined
    ? ""
    : `Mattermost ${printable(release)}: `;
  return [...lines, `${subject}${total}`].map((line) => `${line}\n`).join("");
}
