import assert from "node:assert/strict";
import { isAccepted, lockedPackages } from "../../tools/licenses.ts";

Deno.test("lockedPackages() reads names and versions without peer dependencies", () => {
  const text = JSON.stringify({
    npm: {
      "@types/node@26.6.6": {},
      "mysql2@3.24.6_@types+node@26.6.6": {},
      "string_decoder@1.3.0": {},
    },
  });
  assert.deepEqual(lockedPackages(text), [
    { name: "@types/node", version: "26.6.6" },
    { name: "mysql2", version: "3.24.6" },
    { name: "string_decoder", version: "1.3.0" },
  ]);
});

Deno.test("isAccepted() needs one licence of OR and all licences of AND", () => {
  assert.equal(isAccepted("MIT"), true);
  assert.equal(isAccepted("(BSD-3-Clause OR GPL-2.0)"), true);
  assert.equal(isAccepted("MIT AND GPL-2.0"), false);
  assert.equal(isAccepted("GPL-3.0-only"), false);
  assert.equal(isAccepted(""), false);
});
