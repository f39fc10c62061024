import { main } from "./lib/program.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
