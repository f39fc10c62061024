import assert from "node:assert/strict";
import type { Json } from "../../../lib/json.ts";
import {
  effectiveValue,
  isFalse,
  isTrue,
  variableOf,
} from "../../../lib/mattermost/effective_value.ts";
import type { EnvironmentOverrides } from "../../../lib/mattermost/releases.ts";

const CONFIG = { Section: { Text: "x", Flag: false, Number: 5, List: ["a"] } };

function value(
  key: string,
  text: string,
  overrides: EnvironmentOverrides = "all keys, any case",
): Json | undefined {
  const path = `Section.${key}`;
  return effectiveValue(path, {
    config: CONFIG,
    variables: { [variableOf(path)]: text },
    overrides,
  });
}

Deno.test("a variable has the type of its key", () => {
  assert.deepEqual(
    [
      value("Text", "5"),
      value("Flag", "t"),
      value("Number", "6"),
      value("List", "b c"),
      value("Absent", "1"),
    ],
    ["5", true, 6, ["b", "c"], "1"],
  );
});

Deno.test("a variable that the server cannot parse is ignored", () => {
  assert.deepEqual([value("Flag", "yes"), value("Number", "six")], [false, 5]);
});

Deno.test("an empty variable counts only for texts, and only from 5.30 on", () => {
  assert.deepEqual(
    [
      value("Text", ""),
      value("Text", "", "all keys"),
      value("Text", "", "present keys"),
      value("Flag", ""),
      value("Number", ""),
      value("Absent", ""),
    ],
    ["", "x", "x", false, 5, undefined],
  );
});

Deno.test("the variable of a nested key has all parts of its path", () => {
  assert.equal(
    variableOf("MessageExportSettings.GlobalRelaySettings.EmailAddress"),
    "MM_MESSAGEEXPORTSETTINGS_GLOBALRELAYSETTINGS_EMAILADDRESS",
  );
});

Deno.test("a value is true or false only in the letter cases of the server", () => {
  const trues = [true, "1", "t", "T", "TRUE", "true", "True"];
  const falses = [false, "0", "f", "F", "FALSE", "false", "False"];
  const neither = [undefined, null, "", "yes", "tRUE", "fALSE", 2, ["x"]];
  const all = [...trues, ...falses, ...neither];
  assert.deepEqual(all.filter(isTrue), trues);
  assert.deepEqual(all.filter(isFalse), falses);
});
