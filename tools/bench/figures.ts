/**
 * From readings to figures: medians, and ratios of runs of the same round.
 *
 * @module
 */

import type { Reading } from "./meter.ts";

/** Readings by the name of the case, in the order of the rounds. */
export type Readings = ReadonlyMap<string, readonly Reading[]>;

/** A quantity that is measured. */
export type Quantity = "wall" | "user" | "system" | "peak";

/**
 * The middle of some numbers.
 *
 * @param numbers At least one.
 * @returns The median.
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
 * @param quantity What.
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
 * How many times longer one case takes than another, by the pairs of each round:
 * what else the machine does in a round slows both.
 *
 * @param readings All readings.
 * @param pair The two cases.
 * @param value What of a reading is compared; the wall time if absent.
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
 * @returns Milliseconds in the program and in the kernel.
 */
export function processor({ user, system }: Reading): number {
  return user + system;
}
