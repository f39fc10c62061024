/**
 * How findings are shown: aligned and coloured on a terminal, plain in a pipe, or as JSON.
 *
 * @module
 */

import type { Finding, FindingLevel } from "./finding.ts";

/** All that `app:check` found. */
export interface Report {
  /** The release that was checked for. */
  readonly release: string | undefined;
  /** In the order of the report. */
  readonly findings: readonly Finding[];
}

/** How the text looks. */
export interface ReportStyle {
  /** Whether columns are aligned. */
  readonly aligned: boolean;
  /** Whether levels are coloured. */
  readonly colours: boolean;
}

/** The version of the JSON shape; it changes when a key goes or changes its meaning. */
const SHAPE = 1;

const LEVELS: readonly FindingLevel[] = ["ok", "warning", "failed"];

/** SGR codes: green, yellow, red. */
const COLOURS: Readonly<Record<FindingLevel, number>> = {
  ok: 32,
  warning: 33,
  failed: 31,
};

/**
 * Counts the findings of each level.
 *
 * @param findings The findings.
 * @returns Numbers by level.
 */
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
 * Lays the report out for machines.
 *
 * @param report The report.
 * @returns JSON with a final newline.
 */
export function reportJson({ release, findings }: Report): string {
  const counts = summary(findings);
  return `${
    JSON.stringify(
      {
        version: SHAPE,
        ok: counts.failed === 0,
        release: release ?? null,
        summary: counts,
        findings,
      },
      null,
      2,
    )
  }\n`;
}

/**
 * Lays the report out for people.
 *
 * @param report The report.
 * @param style Whether it is for a terminal.
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
      `${head}${message}`,
      ...(remedy === undefined ? [] : [`${indent}→ ${remedy}`]),
    ];
  });
  const counts = summary(findings);
  const total = [
    `${counts.ok} ok`,
    `${counts.warning} warning${counts.warning === 1 ? "" : "s"}`,
    `${counts.failed} failed`,
  ].join(", ");
  const subject = release === undefined ? "" : `Mattermost ${release}: `;
  return [...lines, `${subject}${total}`].map((line) => `${line}\n`).join("");
}
