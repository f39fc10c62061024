import assert from "node:assert/strict";
import type { Json } from "../../../lib/json.ts";
import type { ValueType } from "../../../lib/mattermost/variable_value.ts";
import {
  parseVariable,
  valueTypeOf,
} from "../../../lib/mattermost/variable_value.ts";

/** What the server makes of a text, by type; `undefined` if it ignores the variable. */
const CASES: Readonly<
  Record<ValueType, readonly (readonly [string, Json | undefined])[]>
> = {
  text: [["", ""], [" a b ", " a b "], ["5", "5"]],
  flag: [
    ...["1", "t", "T", "true", "TRUE", "True"].map((text) =>
      [text, true] as const
    ),
    ...["0", "f", "F", "false", "FALSE", "False"].map((text) =>
      [text, false] as const
    ),
    ...["", "yes", "on", "tRUE", " true", "2"].map((text) =>
      [text, undefined] as const
    ),
  ],
  integer: [
    ["50", 50],
    ["-1", -1],
    ["+7", 7],
    ["007", 7],
    ["9223372036854775807", 9223372036854775807],
    ["-9223372036854775808", -9223372036854775808],
    ["9223372036854775808", undefined],
    ...["", "abc", "1.5", "1e3", "0x10", "1_000", " 1", "50s"].map((text) =>
      [text, undefined] as const
    ),
  ],
  number: [
    ["0.5", 0.5],
    [".5", 0.5],
    ["-2e3", -2000],
    ["", undefined],
    ["half", undefined],
  ],
  list: [
    ["", [""]],
    ["X-Real-IP", ["X-Real-IP"]],
    ["a b", ["a", "b"]],
    ["a,b", ["a,b"]],
  ],
  object: [
    ['{"a":1}', { a: 1 }],
    ["{}", {}],
    ["[]", undefined],
    ["null", undefined],
    ["", undefined],
    ["{torn", undefined],
  ],
};

for (const [type, cases] of Object.entries(CASES)) {
  Deno.test(`parseVariable() converts a text to the type "${type}" as the server does`, () => {
    for (const [text, value] of cases) {
      assert.deepEqual(parseVariable(text, type as ValueType), value, text);
    }
  });
}

Deno.test("valueTypeOf() tells the type of each JSON value", () => {
  assert.deepEqual(
    ["", false, 5, 0.5, [], {}, null].map((value) => valueTypeOf(value)),
    ["text", "flag", "integer", "number", "list", "object", undefined],
  );
});
