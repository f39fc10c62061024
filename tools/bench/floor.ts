/**
 * The least that a program of this kind can do: start, and become another one.
 *
 * @module
 */

import { exec } from "../../lib/os/exec.ts";

if (import.meta.main) exec({ path: "/bin/true", args: ["true"], env: {} });
