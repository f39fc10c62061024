/**
 * What the build writes into the program. `deno task compile` replaces the text of
 * {@linkcode COMMIT} in the bundle by one of the same length, so that the places of a
 * stack trace stay right (`tools/compile/build_facts.ts`).
 *
 * @module
 */

/** The commit that the program was built from; in brackets, as here, where none is known. */
export const COMMIT = "(the commit, which deno task compile writes here)";

/**
 * The runtime that `deno task compile` takes where the site of Deno's vendor cannot be
 * reached (`tools/denort.ts`).
 */
export const FALLBACK_RUNTIME = "2.7.11";
