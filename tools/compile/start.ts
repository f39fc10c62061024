/**
 * The first module of the compiled binary.
 *
 * @module
 */

import { loadProgram } from "./scripts.ts";

if (import.meta.main) {
  Deno.exit(await loadProgram(import.meta.dirname ?? "").main(Deno.args));
}
