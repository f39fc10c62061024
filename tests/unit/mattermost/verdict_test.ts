import assert from "node:assert/strict";
import {
  readVerdict,
  translate,
  verdictWatch,
} from "../../../lib/mattermost/verdict.ts";

Deno.test("the server is ended at the first known word, or behind the first look for its database", () => {
  const known = (lines: readonly string[]): number =>
    lines.findIndex(verdictWatch());
  assert.equal(known(["Server is initializing...", "Failed to ping DB"]), 1);
  assert.equal(known(["a", "Pinging SQL", "Creating tables", "b"]), 2);
  assert.equal(known(["a", "Pinging SQL"]), -1);
  assert.equal(known(["Error: invalid config: x"]), -1);
});

Deno.test("words that are not known are no verdict", () => {
  const reason = (
    lines: readonly string[],
    code: number | undefined,
  ): string => {
    const verdict = readVerdict({ lines, code });
    assert.equal(verdict.kind, "none");
    return "reason" in verdict ? verdict.reason : "";
  };
  assert.equal(reason([], undefined), "it had to be stopped, and said nothing");
  assert.equal(
    reason(["Error: permission denied", "Usage:", "  mattermost"], 1),
    'it ended with code 1, and said "Error: permission denied"',
  );
  assert.equal(
    reason(["one", "fatal: out of memory", ""], 137),
    'it ended with code 137, and said "fatal: out of memory"',
  );
});

Deno.test("a sentence is found for its id, and an unknown id stays", () => {
  const file = JSON.stringify([
    {
      id: "model.config.is_valid.max_users.app_error",
      translation: "Too few.",
    },
    { id: "plural", translation: { one: "x" } },
    null,
  ]);
  const id = "model.config.is_valid.max_users.app_error";
  assert.equal(translate(`${id}, more`, () => file), "Too few, more");
  assert.equal(
    translate("model.config.other.app_error", () => file),
    "model.config.other.app_error",
  );
  for (const text of [undefined, "{ torn", "{}"]) {
    assert.equal(translate(id, () => text), id);
  }
  translate("A sentence. It has no id.", () => assert.fail("not needed"));
});
