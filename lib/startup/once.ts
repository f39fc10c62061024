/**
 * Work that is done when its result is first asked for, and then no more.
 *
 * @module
 */

/**
 * Remembers a result for each name.
 *
 * @param get Makes it; where it throws, it is asked again.
 * @returns Gives it.
 */
export function onceEach<T>(get: (name: string) => T): (name: string) => T {
  const found = new Map<string, () => T>();
  return (name) => {
    const known = found.get(name) ?? once(() => get(name));
    found.set(name, known);
    return known();
  };
}

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
