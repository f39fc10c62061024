/**
 * Draws the results: one bar for each case, divided into phases for a start.
 *
 * @module
 */

import { median, middle } from "./figures.ts";
import { PHASES } from "./phases.ts";
import type { Results } from "./report.ts";

const WIDTH = 720;
const LABEL = 190;
const BAR = 18;
const GAP = 10;
const TOP = 14;

/** One for each phase. */
const COLOURS: readonly string[] = [
  "#8a93a6",
  "#5b7bd5",
  "#3f9e8c",
  "#d9822b",
  "#b04a5a",
  "#6b6f76",
];
const PLAIN = "#a8b0c0";

interface Part {
  readonly length: number;
  readonly colour: string;
}

/**
 * Draws the picture.
 *
 * @param results What was measured.
 * @returns SVG, for light and dark pages.
 */
export function chart(results: Results): string {
  const { readings, breakdowns } = results;
  const names = [...readings.keys()];
  const walls = names.map((name) => middle(readings, name, "wall"));
  const scale = (WIDTH - LABEL - 70) / Math.max(...walls);
  const rows = names.map((name, index) => {
    const wall = walls[index] ?? 0;
    const list = breakdowns.get(name);
    const medians = PHASES.map((phase, at): Part => ({
      length: Math.max(0, median((list ?? []).map((each) => each[phase]))),
      colour: COLOURS[at] ?? PLAIN,
    }));
    const total = medians.reduce((sum, { length }) => sum + length, 0);
    // The runs with phases write debug messages, so they take longer than the others.
    const parts = list === undefined
      ? [{ length: wall, colour: PLAIN }]
      : medians.map((part) => ({
        ...part,
        length: part.length * wall / total,
      }));
    return row({ name, wall, parts }, { y: TOP + index * (BAR + GAP), scale });
  });
  const bottom = TOP + names.length * (BAR + GAP);
  const legend = PHASES.map((phase, at) => {
    const x = LABEL + at * 80;
    return `<rect x="${x}" y="${bottom + 6}" width="10" height="10" fill="${
      COLOURS[at]
    }"/><text x="${x + 15}" y="${bottom + 15}">${phase}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${
    bottom + 30
  }" role="img" aria-label="Milliseconds by case">
<style>text{font:12px sans-serif;fill:#57606a}</style>
${[...rows, ...legend].join("\n")}
</svg>
`;
}

function row(
  { name, wall, parts }: {
    readonly name: string;
    readonly wall: number;
    readonly parts: readonly Part[];
  },
  { y, scale }: { readonly y: number; readonly scale: number },
): string {
  let x = LABEL;
  const bars = parts.map(({ length, colour }) => {
    const width = length * scale;
    const bar = `<rect x="${x.toFixed(1)}" y="${y}" width="${
      width.toFixed(1)
    }" height="${BAR}" fill="${colour}"/>`;
    x += width;
    return bar;
  });
  const middle = y + BAR / 2 + 4;
  return `<text x="${
    LABEL - 8
  }" y="${middle}" text-anchor="end">${name}</text>${bars.join("")}<text x="${
    (x + 6).toFixed(1)
  }" y="${middle}">${wall.toFixed(0)} ms</text>`;
}
