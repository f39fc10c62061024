/**
 * Results that are computed at the first call and kept for the next ones.
 *
 * @module
 */

/**
 * Keeps the result of a function for each name.
 *
 * @param get Computes the result of a name. If it throws, nothing is kept and the next call tries again.
 * @returns A function that calls `get` once for each name.
 */
export function onceEach<T>(get: (name: string) => T): (name: string) => T {
  const results = new Map<string, () => T>();
  return (name) => {
    const result = results.get(name) ?? once(() => get(name));
    results.set(name, result);
    return result();
  };
}

/**
 * Keeps the result of a function.
 *
 * @param get Computes the result. If it throws, nothing is kept and the next call tries again.
 * @returns A function that calls `get` once.
 */
export function once<T>(get: () => T): () => T {
  let result: { readonly value: T } | undefined;
  return () => (result ??= { value: get() }).value;
}
