import { run } from "./lib/run.ts";
import { exec, prepareExec } from "./lib/server/exec.ts";
import { realSystem } from "./lib/system.ts";

if (import.meta.main) {
  Deno.exit(await run(Deno.args, realSystem(exec, prepareExec)));
}
