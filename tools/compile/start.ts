/**
 * The first module of the compiled binary.
 *
 * @module
 */

import { loadProgram } from "./embedded.ts";

if (import.meta.main) {
  const { main } = loadProgram(
    import.meta.dirname ?? "",
    { rehearsal: Deno.args[0] === "app:health" ? "health" : "start" },
  );
  Deno.exit(await main(Deno.args));
}
