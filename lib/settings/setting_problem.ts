/**
 * A problem with a setting.
 *
 * @module
 */

import type { ExitCode, Problem } from "../errors.ts";

/** A problem that prevents the start, with its exit code. */
export type SettingProblem = Problem & { readonly code: ExitCode };
