/**
 * Medians of readings, and ratios of runs in the same round.
 *
 * @module
 */

import type { Reading } from "./meter.ts";

/** Readings by the name of the case, one for each round. */
export type Readings = ReadonlyMap<string, readonly Reading[]>;

/** A quantity that is measured. */
export type Quantity = "wall" | "user" | "system" | "peak";

/**
 * The median.
 *
 * @param numbers At least one number.
 * @returns The median; of an even count the mean of the two middle numbers.
 */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1
    ? upper
    : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * The median of one quantity of one case.
 *
 * @param readings All readings.
 * @param name The case.
 * @param quantity The quantity.
 * @returns The median, in the reading's unit.
 */
export function middle(
  readings: Readings,
  name: string,
  quantity: Quantity,
): number {
  return median((readings.get(name) ?? []).map((each) => each[quantity]));
}

/** Two cases to compare. */
export interface Pair {
  /** The numerator. */
  readonly name: string;
  /** The denominator. */
  readonly base: string;
}

/**
 * The ratio of two cases. It is computed for each round, because other load on the machine
 * slows both cases of a round.
 *
 * @param readings All readings.
 * @param pair The two cases.
 * @param value The value to compare; the wall time by default.
 * @returns The median of the ratios.
 */
export function ratio(
  readings: Readings,
  { name, base }: Pair,
  value: (reading: Reading) => number = ({ wall }) => wall,
): number {
  const bases = readings.get(base) ?? [];
  const ratios = (readings.get(name) ?? []).flatMap((reading, round) => {
    const other = bases[round];
    return other === undefined ? [] : [value(reading) / value(other)];
  });
  return median(ratios);
}

/**
 * The processor time of a reading.
 *
 * @param reading The reading.
 * @returns Milliseconds in user and kernel mode.
 */
export function processor({ user, system }: Reading): number {
  return user + system;
}
