import assert from "node:assert/strict";
import fc from "fast-check";
import {
  appendMember,
  checkDocument,
  JsonTextError,
  makeNode,
  nodeValue,
  parseDocument,
  printDocument,
  removeMember,
  stableJson,
} from "../../../lib/config/json_text.ts";

/** Objects as a server, a person or another tool might write them. */
const jsonText = fc.tuple(
  fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()),
  fc.constantFrom("", " ", "\t", "  ", "    "),
).map(([value, indent]) => JSON.stringify(value, null, indent));

Deno.test("text: a document prints back to the same bytes", () => {
  fc.assert(fc.property(jsonText, (text) => {
    const padded = `\n ${text}\r\n`;
    assert.equal(printDocument(parseDocument(padded)), padded);
    assert.deepEqual(nodeValue(parseDocument(text).root), JSON.parse(text));
  }));
});

Deno.test("text: spellings that JSON.parse would lose are kept", () => {
  const text = String
    .raw`{"a":9007199254740993,"a":1.0,"b":-0,"c":[1e3, 1E+2 ],"d":"\u0026\/\ud800","A\u0062":{ }}`;
  assert.equal(printDocument(parseDocument(text)), text);
});

Deno.test("text: accepts exactly what JSON.parse accepts", () => {
  const damage = fc.tuple(
    jsonText,
    fc.nat(),
    fc.nat(3),
    fc.constantFrom(...'{}[]",:\\01-+.eEtrufalsn \n\u0000x'),
  ).map(([text, at, drop, insert]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + insert + text.slice(start + drop);
  });
  fc.assert(
    fc.property(damage, (text) => {
      assert.equal(accepts(parseDocument, text), accepts(parseObject, text));
      assert.equal(accepts(checkDocument, text), accepts(parseObject, text));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("text: checkDocument() accepts exactly what parseDocument() accepts, deep or wide", () => {
  const nested = (depth: number): string =>
    '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
  const cases: readonly [string, boolean][] = [
    [nested(999), true],
    [nested(1001), false],
    [`{"a":[${"[],".repeat(2000)}1]}`, true],
    [`{"a":"${"[{".repeat(2000)}"}`, true],
    ["[]", false],
    ['{"a":1,}', false],
  ];
  for (const [text, isGood] of cases) {
    const shown = `${text.slice(0, 20)} of ${text.length}`;
    assert.equal(accepts(checkDocument, text), isGood, shown);
    assert.equal(accepts(parseDocument, text), isGood, shown);
  }
  assert.throws(() => checkDocument(nested(1001)), JsonTextError);
});

const NO_COMMENT = ", which JSON does not have: remove it";

Deno.test("text: an error has its position and quotes nothing", () => {
  const cases: readonly [string, string, number, number][] = [
    ["", "the text ends too early", 1, 1],
    ['{\n  "a": 1,\n}', "a comma that nothing follows: remove it", 2, 9],
    ['{"a": [1,\n]}', "a comma that nothing follows: remove it", 1, 9],
    ['{"a": 1,, "b": 2}', "a comma that nothing follows: remove it", 1, 8],
    ['{"a" 1}', "a colon is expected", 1, 6],
    ['{"a" "b"}', "a colon is expected", 1, 6],
    ['{"a": 1\n "b": 2}', "a comma is missing after this value", 1, 7],
    ['{"a": [1 2]}', "a comma is missing after this value", 1, 8],
    ['{"a": 1; "b": 2}', "a comma or a closing brace is expected", 1, 8],
    ["{\n  // no\n}", `a comment${NO_COMMENT}`, 2, 3],
    ['{"a": 1, /* no */ "b": 2}', `a comment${NO_COMMENT}`, 1, 10],
    ['# no\n{"a": 1}', `a comment${NO_COMMENT}`, 1, 1],
    ['{"a": 1} // no', `a comment${NO_COMMENT}`, 1, 10],
    ['{"a": 1 // no\n}', `a comment${NO_COMMENT}`, 1, 9],
    [
      "{'a': 1}",
      "a quote that JSON does not have: use double quotes",
      1,
      2,
    ],
    ["{a: 1}", "a key without double quotes: put it in double quotes", 1, 2],
    ['{"a": True}', "a word that JSON does not have", 1, 7],
    ['{"a": tru}', "a JSON value is expected", 1, 7],
    [
      '{"a": "x\ny"}',
      "a string is not terminated, or contains an invalid character or escape",
      1,
      7,
    ],
    ['{"a": 1', "the text ends too early", 1, 8],
    ["{} {}", "there is more text after the end of the object", 1, 4],
    ["[]", "an object in braces is expected", 1, 1],
    [
      `{"a":${"[".repeat(1001)}`,
      "the values are nested too deeply",
      1,
      1005,
    ],
  ];
  for (const [text, message, line, column] of cases) {
    assert.throws(() => parseDocument(text), (error) => {
      assert.ok(error instanceof JsonTextError);
      assert.deepEqual([error.message, error.line, error.column], [
        message,
        line,
        column,
      ]);
      return true;
    });
  }
});

Deno.test("text: new members get the layout of their neighbours", () => {
  const cases: readonly [string, string][] = [
    ["{}", '{\n    "S": {\n        "k": 1\n    }\n}'],
    ['{"a":1}', '{"a":1,"S":{"k":1}}'],
    ['{\n  "a": {}\n}\n', '{\n  "a": {},\n  "S": {\n    "k": 1\n  }\n}\n'],
    [
      '{\r\n\t"a" : 2\r\n}',
      '{\r\n\t"a" : 2,\r\n\t"S" : {\r\n\t\t"k": 1\r\n\t}\r\n}',
    ],
  ];
  for (const [text, wanted] of cases) {
    const document = parseDocument(text);
    const section = makeNode({});
    const { lead } = appendMember(document.root, { key: "S", value: section });
    assert.ok(section.kind === "object");
    appendMember(section, { key: "k", value: makeNode(1), holder: lead });
    assert.equal(printDocument(document), wanted);
  }
});

Deno.test("text: a removed member leaves no gap", () => {
  const text = '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}';
  for (const key of ["a", "b", "c"]) {
    const document = parseDocument(text);
    const member = document.root.members.find((each) => each.key === key);
    assert.ok(member);
    removeMember(document.root, member);
    const lines = ["a", "b", "c"].filter((each) => each !== key)
      .map((each) => `  "${each}": ${{ a: 1, b: 2, c: 3 }[each]}`);
    assert.equal(printDocument(document), `{\n${lines.join(",\n")}\n}`);
  }
});

Deno.test("text: the stable form does not depend on the order of keys", () => {
  assert.equal(
    stableJson({ b: [1, { d: null, c: "x" }], a: true }),
    '{"a":true,"b":[1,{"c":"x","d":null}]}',
  );
});

function accepts(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseObject(text: string): void {
  const value: unknown = JSON.parse(text);
  assert.ok(
    typeof value === "object" && value !== null && !Array.isArray(value),
  );
}
