/**
 * Breaks a start down into phases, by the debug messages of the program.
 *
 * @module
 */

import type { Reading } from "./meter.ts";

/** The phases of a start, in their order. */
export const PHASES = [
  "runtime",
  "import",
  "resolve",
  "connect",
  "write",
  "exec",
] as const;

/** A phase of a start. */
export type Phase = typeof PHASES[number];

/** Milliseconds by phase. */
export type Breakdown = Readonly<Record<Phase, number>>;

/** The phase that a message ends; all other messages end the phase `write`. */
const ENDS: readonly (readonly [RegExp, Phase])[] = [
  [/^(Settings|Configuration) /, "resolve"],
  [/^(PostgreSQL|MySQL|MariaDB) /, "connect"],
];

interface Step {
  readonly time: string;
  readonly message: string;
  readonly milliseconds?: number;
}

/**
 * Breaks a start down. The phase `runtime` is the time of the floor without its `execve`,
 * which takes as long as in the start. The phase `import` is the rest of the time before the
 * program's first message.
 *
 * @param reading A start with `DEBUG=true` and `ENTRYPOINT_LOG_FORMAT=json`.
 * @param floor The time of the floor in the same round, in milliseconds.
 * @returns The phases; their sum is the whole time.
 */
export function breakDown(reading: Reading, floor: number): Breakdown {
  const steps = reading.messages.split("\n").filter((line) =>
    line.startsWith("{")
  )
    .map((line): Step => JSON.parse(line))
    .filter(({ milliseconds }) => milliseconds !== undefined);
  const parts: Record<Phase, number> = {
    runtime: 0,
    import: 0,
    resolve: 0,
    connect: 0,
    write: 0,
    exec: 0,
  };
  for (const { message, milliseconds = 0 } of steps) {
    const phase = ENDS.find(([pattern]) => pattern.test(message))?.[1];
    parts[phase ?? "write"] += milliseconds;
  }
  const inside = steps.reduce((sum, step) => sum + (step.milliseconds ?? 0), 0);
  const end = Date.parse(steps.at(-1)?.time ?? "") - reading.started;
  const exec = reading.wall - end;
  const runtime = Math.min(floor - exec, end - inside);
  return { ...parts, exec, runtime, import: end - inside - runtime };
}
