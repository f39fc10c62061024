/**
 * The minimal compiled program: it starts, and executes another program.
 *
 * @module
 */

import { exec } from "../../lib/os/exec.ts";

if (import.meta.main) exec({ path: "/bin/true", args: ["true"], env: {} });
