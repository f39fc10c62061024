import assert from "node:assert/strict";
import { findOddValues, oddityOf } from "../../../lib/settings/odd_values.ts";

Deno.test("quotes, a carriage return at the end and references are odd", () => {
  for (
    const [text, fault] of [
      ["secret\r", /^ends with a carriage return/],
      ["'secret'", /^is in quotes/],
      ['"s ecret"', /^is in quotes/],
      ["${DB_PASS}", /^contains a reference/],
      ["postgres://${USER:-mm}@db", /^contains a reference/],
      ["http://$(HOST):80", /^contains a reference/],
    ] as const
  ) {
    assert.match(oddityOf(text)?.fault ?? "", fault, text);
  }
});

Deno.test("passwords with quotes, dollars and parentheses inside are ordinary", () => {
  for (
    const text of [
      "",
      "'",
      "''",
      "it's",
      "'a' or 'b'",
      "\"a'",
      "a\rb",
      "pa$$word",
      "$HOME",
      "${}",
      "$()",
      "{a}",
      "$(a b)",
    ]
  ) {
    assert.equal(oddityOf(text), undefined, text);
  }
});

Deno.test("only settings, _FILE variables and variables of the server are examined, and no value is shown", () => {
  const value = "'hunter22'";
  const problems = findOddValues({
    DB_PASS: value,
    DB_PASS_FILE: value,
    DB_HOST: "db",
    mm_SqlSettings_DataSource: value,
    PS1: value,
    OTHER_FILE: value,
  });
  assert.deepEqual(
    problems.map(({ subject }) => subject),
    ["DB_PASS", "DB_PASS_FILE", "mm_SqlSettings_DataSource"],
  );
  assert.match(problems[0]?.message ?? "", /^DB_PASS is in quotes/);
  assert.doesNotMatch(JSON.stringify(problems), /hunter22/);
});
