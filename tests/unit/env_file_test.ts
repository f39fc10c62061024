import assert from "node:assert/strict";
import { parseEnvFile } from "../../lib/env_file.ts";

function parse(
  text: string | Uint8Array,
  env: Record<string, string> = {},
): unknown {
  const bytes = typeof text === "string"
    ? new TextEncoder().encode(text)
    : text;
  const result = parseEnvFile(bytes, env);
  return "fault" in result ? result : {
    ...Object.fromEntries(result.variables),
    ...(result.differing.length === 0 ? {} : { differing: result.differing }),
  };
}

// The expected values are those of docker/cli, in opts/envfile_test.go and pkg/kvfile/kvfile.go.
const DOCKER: readonly (readonly [string, Record<string, unknown>])[] = [
  ["foo=bar\n    baz=quux\n# comment\n\n_foobar=foobaz", {
    foo: "bar",
    baz: "quux",
    _foobar: "foobaz",
  }],
  ["with.dots=working\nand_underscore=working too\n\n    \t  ", {
    "with.dots": "working",
    and_underscore: "working too",
  }],
  ["DB_PASS=abc#def", { DB_PASS: "abc#def" }],
  ["A=a=b\nB=\n", { A: "a=b", B: "" }],
  ["A=first\r\nB=second\r\n", { A: "first", B: "second" }],
  ["\ufeffA=a", { A: "a" }],
  ["A=first\nA=second", { A: "second" }],
  // Compose gives these other values.
  ["A='x\nB=b", { A: "'x", B: "b", differing: ["A"] }],
  ['A="a b"', { A: '"a b"', differing: ["A"] }],
  ["A=a # b", { A: "a # b", differing: ["A"] }],
  ["A= a\nB=b ", { A: " a", B: "b ", differing: ["A", "B"] }],
  ["A=${HOME}", { A: "${HOME}", differing: ["A"] }],
  ["A=$a\nA=b", { A: "b" }],
];

for (const [text, expected] of DOCKER) {
  Deno.test(`env file: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parse(text), expected);
  });
}

Deno.test("a name without = takes the value of the environment, if there is one", () => {
  const env = { HOME: "/root" };
  assert.deepEqual(parse("HOME\nUNDEFINED\nconstructor", env), env);
});

Deno.test("a line that is none is named by its number, and not quoted", () => {
  for (
    const line of [
      "f   =quux",
      "first line",
      "=no name",
      "-----BEGIN PRIVATE KEY-----",
      "MIIE/vQ+IBADANBg==",
      "A=a\0b",
      "NAME: value",
      "\ufeffB=b",
      "\ufeff# a comment",
    ]
  ) {
    assert.deepEqual(parse(`# a comment\n${line}\nB=b`), {
      fault: "must have lines NAME=value, but line 2 has another form",
      line: 2,
    });
  }
  assert.deepEqual(parse("export A=a"), {
    fault:
      'must have lines NAME=value, but line 1 begins with "export", which only a shell reads',
    line: 1,
  });
});

Deno.test("only UTF-8 is read", () => {
  for (const mark of [[0xff, 0xfe], [0xfe, 0xff]]) {
    assert.deepEqual(parse(Uint8Array.from([...mark, 0x41, 0])), {
      fault: "is UTF-16 text, but it must be UTF-8",
    });
  }
  assert.deepEqual(
    parse(Uint8Array.from([0x41, 0x3d, 0x0a, 0x42, 0x3d, 0xfc])),
    { fault: "must be UTF-8 text, but line 2 is not", line: 2 },
  );
});
