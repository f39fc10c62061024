/**
 * When a certificate is due for renewal.
 *
 * @module
 */

/** A day, in milliseconds. */
const DAY = 86_400_000;

/** Days before the end from which on a certificate is called out. */
const SOON = 21;

/** What there is to say about the end of a certificate. */
export interface Expiry {
  /** `soon` is within three weeks. */
  readonly state: "expired" | "soon" | "later";
  /** The last day, such as `2026-01-31` (UTC). */
  readonly date: string;
  /** Whole days until then; negative for an expired one. */
  readonly days: number;
}

/**
 * Judges the end of a certificate.
 *
 * @param until When it expires, in milliseconds since the epoch.
 * @param now The time, in milliseconds since the epoch.
 * @returns How near it is.
 */
export function expiryOf(until: number, now: number): Expiry {
  const days = Math.floor((until - now) / DAY);
  const state = days < 0 ? "expired" : days < SOON ? "soon" : "later";
  return { state, date: dateOf(until), days };
}

/**
 * Writes a day.
 *
 * @param milliseconds Since the epoch.
 * @returns The day in UTC: `2026-01-31`.
 */
export function dateOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
