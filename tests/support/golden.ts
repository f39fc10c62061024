/**
 * Reports that are kept as files, and compared exactly.
 *
 * `UPDATE_GOLDEN=1 deno task test:program` writes them anew; then read the
 * differences before they are committed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { ROOT } from "./program.ts";

const DIRECTORY = join(ROOT, "tests/contract/golden");

const isUpdate = Deno.env.get("UPDATE_GOLDEN") === "1";

/** What differs from run to run, and the word that stands for it in the file. */
export type Volatile = readonly (readonly [string | RegExp, string])[];

/**
 * Compares a report with the one that is kept.
 *
 * @param name The file, below `tests/contract/golden`.
 * @param text The report.
 * @param options What is replaced before.
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
