/**
 * When a certificate expires, and whether it is due for renewal.
 *
 * @module
 */

const DAY_MILLISECONDS = 86_400_000;

/** Days before the expiry from which on a certificate is due for renewal. */
const RENEWAL_DAYS = 21;

/** The expiry of a certificate. */
export interface Expiry {
  /** `soon` means within three weeks. */
  readonly state: "expired" | "soon" | "later";
  /** The last day, such as `2026-01-31` (UTC). */
  readonly date: string;
  /** Whole days until then; negative for an expired certificate. */
  readonly days: number;
}

/**
 * Describes how soon a certificate expires.
 *
 * @param until When it expires, in milliseconds since the epoch.
 * @param now The current time, in milliseconds since the epoch.
 * @returns The date, and how far away it is.
 */
export function describeExpiry(until: number, now: number): Expiry {
  const days = Math.floor((until - now) / DAY_MILLISECONDS);
  const state = days < 0 ? "expired" : days < RENEWAL_DAYS ? "soon" : "later";
  return { state, date: formatDate(until), days };
}

/**
 * Formats a time as a date.
 *
 * @param milliseconds The time, in milliseconds since the epoch.
 * @returns The date in UTC: `2026-01-31`.
 */
export function formatDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
