/**
 * Facts about the build. `deno task compile` replaces the text of {@linkcode COMMIT} in
 * the bundle by one of the same length, so that the positions in a stack trace stay valid
 * (`tools/compile.ts`).
 *
 * @module
 */

/** The commit that the program was built from; a text in brackets, as here, if it is unknown. */
export const COMMIT = "(the commit, which deno task compile writes here)";

/**
 * The release of Deno whose runtime `deno task compile` uses if it cannot reach the
 * vendor's site (`tools/denort.ts`).
 */
export const FALLBACK_RUNTIME = "2.7.11";
