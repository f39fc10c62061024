/**
 * The documents explain every message that the program has, and no other.
 *
 * A message is a line of a fenced block of the language `text`; what follows the block
 * explains it. A message that is missing is printed as a line to paste, one that the
 * program no longer has as a line to remove.
 *
 * @module
 */

import assert from "node:assert/strict";
import { REASONS } from "../../lib/database/reasons.ts";
import { createScratch } from "../../tools/shared/scratch.ts";
import { collectMessages } from "../support/messages.ts";

/** The command `app:check` and its parts, whose findings are in a document of their own. */
const CHECK_REGEXP = /\/check[/.]/;

/** The documents, and whose messages each has. */
const DOCUMENTS: Readonly<Record<string, (file: string) => boolean>> = {
  "docs/check.md": (file) => CHECK_REGEXP.test(file),
  "docs/troubleshooting.md": (file) => !CHECK_REGEXP.test(file),
};

/** Fewer would mean that the collector no longer finds them, rather than that there are fewer. */
const FEWEST = 200;

const MESSAGES = collectMessages("lib");

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

/** The lines of the fenced blocks of a document. */
function explained(document: string): readonly string[] {
  return [...document.matchAll(/^```text\n(.*?)^```$/gms)]
    .flatMap(([, block = ""]) => block.split("\n"))
    .filter((line) => line !== "");
}

for (const [path, concerns] of Object.entries(DOCUMENTS)) {
  Deno.test(`${path} explains each message once, and no other`, () => {
    const lines = explained(Deno.readTextFileSync(path));
    const texts = MESSAGES.filter(({ files }) => files.some(concerns));
    const missing = texts.filter(({ text }) => !lines.includes(text));
    const stale = lines.filter((line, at) =>
      !texts.some(({ text }) => text === line) || lines.indexOf(line) !== at
    );
    const report = [
      ...missing.map(({ text, files }) => `+ ${text}   (${files.join(", ")})`),
      ...stale.map((line) => `- ${line}`),
    ];
    assert.equal(
      report.length,
      0,
      `${path} needs these lines (+), and not these (-):\n${report.join("\n")}`,
    );
  });
}

Deno.test("texts are found wherever a message can come from", async () => {
  await using scratch = await createScratch({ prefix: "messages-" });
  await Deno.writeTextFile(`${scratch.path}/other.ts`, SAMPLE_OTHER);
  await Deno.writeTextFile(`${scratch.path}/sample.ts`, SAMPLE);
  const texts = collectMessages(scratch.path).map(({ text }) => text);
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

Deno.test("the collector still finds the messages", () => {
  assert.ok(MESSAGES.length >= FEWEST, `${MESSAGES.length} messages`);
  const texts = MESSAGES.map(({ text }) => text);
  for (const { phrase } of Object.values(REASONS)) {
    assert.ok(texts.includes(phrase), phrase);
  }
});
