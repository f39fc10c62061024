/**
 * The first module of the compiled binary.
 *
 * @module
 */

import { loadProgram } from "./scripts.ts";

if (import.meta.main) {
  Deno.exit(await load().main(Deno.args));
}

function load(): ReturnType<typeof loadProgram> {
  try {
    return loadProgram(import.meta.dirname ?? "");
  } catch (error) {
    // Deno gives the files of a binary names below TMPDIR, and denies access to those in /dev.
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    console.error(
      "entrypoint: error: TMPDIR must not be in /dev, /proc or /sys\nentrypoint:   → TMPDIR=/tmp",
    );
    Deno.exit(78);
  }
}
