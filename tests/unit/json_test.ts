import assert from "node:assert/strict";
import { matchingKeys, valueAt } from "../../lib/json.ts";

Deno.test("valueAt() ignores letter case, reads the last of several keys, and treats null as absent", () => {
  assert.equal(valueAt({ A: { siteName: "x" } }, "a.SiteName"), "x");
  assert.equal(valueAt({ A: { B: 2, b: 1 } }, "A.B"), 1);
  assert.equal(valueAt({ A: { B: 2 }, a: { c: 1 } }, "A.B"), undefined);
  assert.equal(valueAt({ A: { b: null } }, "A.b"), undefined);
  assert.equal(valueAt({ A: "text" }, "A.length"), undefined);
  assert.equal(valueAt({ A: {} }, "A.toString"), undefined);
  assert.equal(valueAt(null, "A.b"), undefined);
});

Deno.test("matchingKeys() finds the keys that differ in letter case only", () => {
  assert.deepEqual(matchingKeys({ Ab: 1, aB: 2, abc: 3 }, "AB"), ["Ab", "aB"]);
});
