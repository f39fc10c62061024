/**
 * Checks that the documents explain all messages and identifiers of the program, and no others.
 *
 * A message is a line of a fenced block with the language `text`, and the text after the block
 * explains it. The test prints the missing messages of each file as lines to paste, and the
 * messages that the program does not have as lines to remove.
 *
 * @module
 */

import assert from "node:assert/strict";
import { REASONS } from "../../lib/database/reasons.ts";
import {
  collectIdentifiers,
  collectMessages,
  readSources,
} from "../support/messages.ts";

/** The modules of `app:check`, whose messages are in their own document. */
const CHECK_REGEXP = /\/check[/.]/;

/** The documents, and the files whose messages each has. */
const DOCUMENTS: Readonly<Record<string, (file: string) => boolean>> = {
  "docs/check.md": (file) => CHECK_REGEXP.test(file),
  "docs/troubleshooting.md": (file) => !CHECK_REGEXP.test(file),
};

/** With fewer messages, collectMessages() is probably broken. */
const MIN_MESSAGES = 200;

/** With fewer identifiers of findings, collectIdentifiers() is probably broken. */
const MIN_IDENTIFIERS = 30;

const SOURCES = readSources("lib");
const MESSAGES = collectMessages(SOURCES);

const SAMPLE = `
import { elsewhere } from "./other.ts";
const FAULTS = { E: ["a table of faults", "no message, but a remedy"] };
const [fault, remedy] = FAULTS[code] ?? [];
const part = isSo ? "a part of three words" : "NOT_ONE";
throw new EntrypointError(\`The file \${path} is \${size} bytes \${part}
  too large\`, { remedy: "no message at all" });
const problem = { subject: "", message: isSo ? "either of two" : "or the other one" };
const other = { message: fault };
const third = { message: elsewhere(code) };
function fail(message: string) { return new EntrypointError(message, {}); }
fail("told by the caller");
ok("check", "good news for all");
`;
const SAMPLE_OTHER = `
export function elsewhere(code: string): string { return "told by another file"; }
`;

/** The messages in a document. */
function messagesIn(document: string): readonly string[] {
  return [...document.matchAll(/^```text\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.split("\n"))
    .filter((line) => line !== "");
}

for (const [path, hasMessagesOf] of Object.entries(DOCUMENTS)) {
  Deno.test(`${path} explains each message once, and no others`, () => {
    const lines = messagesIn(Deno.readTextFileSync(path));
    const texts = MESSAGES.filter(({ files }) => files.some(hasMessagesOf));
    const missing = texts.filter(({ text }) => !lines.includes(text));
    const stale = lines.filter((line, at) =>
      !texts.some(({ text }) => text === line) || lines.indexOf(line) !== at
    );
    const files = Map.groupBy(missing, ({ files }) => files.join(", "));
    const report = [
      ...files.entries().flatMap(([file, messages]) => [
        `\nAdd to ${path}, from ${file}:`,
        ...messages.map(({ text }) => text),
      ]),
      ...(stale.length > 0 ? [`\nRemove from ${path}:`, ...stale] : []),
    ];
    assert.equal(report.length, 0, report.join("\n"));
  });
}

Deno.test("docs/check.md lists each identifier of a finding, and no others", () => {
  const rows = Deno.readTextFileSync("docs/check.md").matchAll(
    /^\| (`.*?) +\|/gm,
  );
  const listed = [...rows].flatMap(([, cell = ""]) => {
    const names = [...cell.matchAll(/`(.+?)`/g)].map(([, name = ""]) => name);
    const [subject = ""] = names[0]?.split(".") ?? [];
    return names.map((name) => name.startsWith(".") ? subject + name : name);
  }).filter((name) => name !== "check");
  const found = collectIdentifiers(SOURCES);
  assert.ok(found.length >= MIN_IDENTIFIERS, `${found.length} identifiers`);
  const missing = found.filter((name) => !listed.includes(name));
  const stale = listed.filter((name, at) =>
    !found.includes(name) || listed.indexOf(name) !== at
  );
  assert.deepEqual({ missing, stale }, { missing: [], stale: [] });
});

Deno.test("collectMessages() finds messages in all forms", () => {
  const sources = { "a/other.ts": SAMPLE_OTHER, "a/sample.ts": SAMPLE };
  const texts = collectMessages(sources).map(({ text }) => text);
  assert.deepEqual([...texts].sort(), [
    "The file … is … bytes … too large",
    "a part of three words",
    "a table of faults",
    "either of two",
    "or the other one",
    "told by another file",
    "told by the caller",
  ]);
});

Deno.test("collectMessages() finds the messages of the program", () => {
  assert.ok(MESSAGES.length >= MIN_MESSAGES, `${MESSAGES.length} messages`);
  const texts = MESSAGES.map(({ text }) => text);
  for (const { phrase } of Object.values(REASONS)) {
    assert.ok(texts.includes(phrase), phrase);
  }
});
