import assert from "node:assert/strict";
import * as fc from "fast-check";
import { oneLine, printable, printableLine } from "../../lib/printable.ts";

Deno.test("printable() escapes what a terminal would obey, and keeps lines and tabs", () => {
  assert.equal(
    printable("a\tb\r\nc\rd\x1b[31m\x9b2J\x7f\u202e\u2066é😀\n"),
    "a\tb\r\nc\\u000dd\\u001b[31m\\u009b2J\\u007f\\u202e\\u2066é😀\n",
  );
});

Deno.test("printable() keeps the values of JSON, and is safe to apply twice", () => {
  fc.assert(
    fc.property(fc.json(), fc.string({ unit: "binary" }), (text, value) => {
      const json = JSON.stringify([JSON.parse(text), value], null, 2);
      assert.deepEqual(JSON.parse(printable(json)), JSON.parse(json));
      assert.doesNotMatch(printable(value), /[^\P{Cc}\t\n\r]/u);
      assert.equal(printable(printable(value)), printable(value));
    }),
  );
});

Deno.test("printableLine() keeps one line, whatever a value contains", () => {
  assert.equal(
    printableLine("a\nok: forged\r\nb\u2028c\rd"),
    "a\\nok: forged\\nb\\u2028c\\u000dd",
  );
});

Deno.test("oneLine() has one line of limited length", () => {
  assert.equal(
    oneLine(" 535\r\n5.7.8 \x1b[2Jno\u200b\x00! ", 80),
    "535 5.7.8 [2Jno !",
  );
  assert.equal(oneLine("abcdef", 4), "abc…");
  assert.equal(oneLine("abcd", 4), "abcd");
});
