/**
 * Work that is done when its result is first asked for, and then no more.
 *
 * @module
 */

/**
 * Remembers a result.
 *
 * @param get Makes it; where it throws, it is asked again.
 * @returns Gives it.
 */
export function once<T>(get: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => (found ??= { value: get() }).value;
}
