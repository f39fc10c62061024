import assert from "node:assert/strict";
import type { GivenSettings } from "../../../lib/settings/resolve.ts";
import { readSettings } from "../../../lib/settings/resolve.ts";
import { readServerVariables } from "../../../lib/settings/server_variables.ts";

const PATH = "/run/secrets/db_pass";

const SECRET = "S3CRET\u00e9x";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function utf16(
  text: string,
  { isBig = false, mark = "\uFEFF" } = {},
): Uint8Array {
  const bytes = new Uint8Array(
    new Uint16Array(
      [...`${mark}${text}`].map((letter) => letter.charCodeAt(0)),
    ).buffer,
  );
  if (isBig) {
    for (let at = 0; at < bytes.length; at += 2) {
      bytes.subarray(at, at + 2).reverse();
    }
  }
  return bytes;
}

function readPass(content: Uint8Array, name = "DB_PASS"): GivenSettings {
  return readSettings({
    env: { [`${name}_FILE`]: PATH },
    readFile: () => content,
  });
}

Deno.test("a file that is no text in UTF-8 is refused, with what is wrong", () => {
  for (
    const [content, what, remedy] of [
      [utf16(SECRET), "is encoded in UTF-16", /^iconv -f UTF-16 /],
      [utf16(SECRET, { isBig: true }), "is encoded in UTF-16", /^iconv/],
      [utf16("S3CRET", { mark: "" }), "is encoded in UTF-16", /^iconv/],
      [
        utf16("S3CRET", { mark: "", isBig: true }),
        "is encoded in UTF-16",
        /^iconv/,
      ],
      [latin1(SECRET), "is in another encoding", /^iconv -f LATIN1 /],
      [bytesOf("S3CRET\0x"), "contains a NUL byte", /^Write it again/],
      [new Uint8Array(8), "contains a NUL byte", /^Write it again/],
    ] as const
  ) {
    const { given, problems, warnings } = readPass(content);
    const [problem] = problems;
    assert.equal(
      problem?.message,
      `The file ${PATH} of DB_PASS_FILE ${what}, but must be text in UTF-8`,
    );
    assert.equal(problem?.code, 66);
    assert.match(problem?.remedy ?? "", remedy);
    assert.equal(given.size, 0);
    assert.doesNotMatch(JSON.stringify([problems, warnings]), /S3CRET/);
  }
});

Deno.test("an odd value is used as it is after one newline, and what is odd is named", () => {
  for (
    const [text, value, oddity] of [
      ["S3CRET", "S3CRET", undefined],
      ["S3CRET\n", "S3CRET", undefined],
      ["S3CRET\r\n", "S3CRET", undefined],
      ["S3 CRET'", "S3 CRET'", undefined],
      ["S3CRET\n\n", "S3CRET\n", "another newline at the end"],
      ["S3CRET \n", "S3CRET ", "a blank at the end"],
      ["S3CRET\t", "S3CRET\t", "a blank at the end"],
      [" S3CRET", " S3CRET", "a blank at the beginning"],
      ["\nS3CRET", "\nS3CRET", "a line break at the beginning"],
      ["S3CRET\r", "S3CRET\r", "a carriage return at the end"],
      ['"S3CRET"\n', '"S3CRET"', "quotes around it"],
      [
        "'S3CRET' \n",
        "'S3CRET' ",
        "quotes around it and a blank at the end",
      ],
    ] as const
  ) {
    const { given, problems, warnings } = readPass(bytesOf(text));
    assert.equal(given.get("DB_PASS")?.text, value);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      warnings.map(({ message }) => message),
      oddity === undefined ? [] : [
        `The file ${PATH} of DB_PASS_FILE holds a value with ${oddity}, which is used as it is`,
      ],
    );
    assert.doesNotMatch(JSON.stringify(warnings), /S3CRET/);
  }
});

Deno.test("a byte order mark is removed, and named", () => {
  const { given, warnings } = readPass(bytesOf("\uFEFFS3CRET\n"));
  assert.equal(given.get("DB_PASS")?.text, "S3CRET");
  assert.deepEqual(warnings.map(({ message }) => message), [
    `The file ${PATH} of DB_PASS_FILE starts with a byte order mark, which was removed`,
  ]);
});

Deno.test("white space around a number is not odd", () => {
  const { values, warnings } = readPass(
    bytesOf(" 70 \n\n"),
    "MATTERMOST_MAX_USERS",
  );
  assert.equal(values.get("MATTERMOST_MAX_USERS"), 70);
  assert.deepEqual(warnings, []);
});

Deno.test("an empty file is refused for a secret that is needed, and a warning for others", () => {
  for (const name of ["DB_PASS", "MATTERMOST_SECRET_KEY"]) {
    const { problems } = readPass(bytesOf("\n"), name);
    assert.deepEqual(problems.map(({ message, code }) => [message, code]), [
      [`The file ${PATH} of ${name}_FILE is empty`, 66],
    ]);
  }
  const { given, problems, warnings } = readPass(bytesOf(""), "SMTP_PASS");
  assert.deepEqual([given.size, problems], [0, []]);
  assert.deepEqual(warnings.map(({ message }) => message), [
    `The file ${PATH} of SMTP_PASS_FILE is empty, so SMTP_PASS counts as not set`,
  ]);
});

Deno.test("the file of a variable of the server is looked at as well", () => {
  const read = (text: string): readonly string[] =>
    readServerVariables({
      env: { MM_X_FILE: PATH },
      readFile: () => bytesOf(text),
    }, { anyCase: true }).warnings.map(({ message }) => message);
  assert.deepEqual(read("x \n"), [
    `The file ${PATH} of MM_X_FILE holds a value with a blank at the end, which is used as it is`,
  ]);
  assert.deepEqual(read('{ "a": 1 }\n\n'), []);
  assert.deepEqual(read(""), [
    `The file ${PATH} of MM_X_FILE is empty, so MM_X counts as not set`,
  ]);
});

Deno.test("a _FILE variable that may hold the secret itself is not shown", () => {
  const read = (path: string, variable = "DB_PASS_FILE"): string => {
    const sources = {
      env: { [variable]: path },
      readFile: (): never => {
        throw Object.assign(new Error(path), { code: "ENOENT" });
      },
      exists: (path: string) => ["/run", "secrets", "./secrets"].includes(path),
    };
    const { problems } = variable.startsWith("MM_")
      ? readServerVariables(sources, { anyCase: true })
      : readSettings(sources);
    return JSON.stringify(problems);
  };
  for (
    const path of [
      "Zx9",
      "/Zx9+abc==",
      "/Zx9/abc==",
      "./Zx9",
      "../Zx9",
      "~/Zx9",
      "Zx9/abc",
      "postgres://u:Zx9@h/db",
    ]
  ) {
    for (const variable of ["DB_PASS_FILE", "MM_SQLSETTINGS_DATASOURCE_FILE"]) {
      const text = read(path, variable);
      assert.doesNotMatch(text, /Zx9/);
      assert.ok(
        text.includes(
          `${variable} must be the path of a file: it is (hidden), which does not exist`,
        ),
      );
    }
  }
  for (
    const path of [
      "/run/secrets/Zx9",
      "/no/such/secret",
      "secrets/Zx9",
      "./secrets/Zx9",
    ]
  ) {
    assert.ok(read(path).includes(`The file ${path} of DB_PASS_FILE does not`));
  }
  assert.match(read("Zx9", "MATTERMOST_NAME_FILE"), /The file Zx9 of/);
  assert.doesNotMatch(read("https://u:Zx9@h", "MATTERMOST_NAME_FILE"), /Zx9/);
});
