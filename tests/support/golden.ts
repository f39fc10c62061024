/**
 * Golden files: expected output that is compared exactly.
 *
 * `UPDATE_GOLDEN=1 deno task test:program` writes them again. Read the differences before you
 * commit them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ROOT } from "./program.ts";

const DIRECTORY = join(ROOT, "tests/contract/golden");

const isUpdate = Deno.env.get("UPDATE_GOLDEN") === "1";

/** Text that differs from run to run, and its replacement in the file. */
export type Volatile = readonly (readonly [string | RegExp, string])[];

/**
 * Compares a text with a golden file.
 *
 * @param name The path of the file in `tests/contract/golden`.
 * @param text The text.
 * @param options The replacements before the comparison.
 */
export async function assertGolden(
  name: string,
  text: string,
  { volatile = [] }: { readonly volatile?: Volatile } = {},
): Promise<void> {
  const stable = volatile.reduce(
    (text, [what, word]) => text.replaceAll(what, word),
    text,
  );
  const path = join(DIRECTORY, name);
  if (isUpdate) {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, stable);
  }
  assert.equal(stable, await Deno.readTextFile(path));
}
