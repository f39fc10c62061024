/**
 * Runs `backup.sh check`; `tests/image/cases/backups.ts` has what needs containers.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";

const SCRIPT = join(
  import.meta.dirname ?? ".",
  "../../samples/backup/backup.sh",
);

const FILES = { "data.tar.gz": "the files", "database.dump": "the database" };

/** Makes a backup, and removes it after `use`. */
async function withBackup(
  use: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "backup-test-" });
  try {
    const lines = ["format 1", "made 2026-11-27T03:15:00Z"];
    lines.push("mattermost 11.7.9", "postgresql 18.1");
    for (const [name, content] of Object.entries(FILES)) {
      await Deno.writeTextFile(join(directory, name), content);
      lines.push(`file ${sha256(content)} ${content.length} ${name}`);
    }
    const text = lines.map((line) => `${line}\n`).join("");
    const end = `end ${sha256(text)}\n`;
    await Deno.writeTextFile(join(directory, "manifest"), text + end);
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function run(...args: string[]) {
  const output = await new Deno.Command(SCRIPT, { args }).output();
  const [stdout = "", stderr = ""] = [output.stdout, output.stderr]
    .map((bytes) => new TextDecoder().decode(bytes));
  return { code: output.code, stdout, stderr };
}

Deno.test("backup.sh check accepts a backup that is complete", async () => {
  await withBackup(async (directory) => {
    assert.deepEqual(await run("check", directory), {
      code: 0,
      stdout:
        `Complete and unchanged: ${directory}: Mattermost 11.7.9, PostgreSQL 18.1, made at 2026-11-27T03:15:00Z\n`,
      stderr: "",
    });
  });
});

Deno.test("backup.sh check refuses what was changed, truncated or removed", async () => {
  const damages: readonly [
    string,
    RegExp,
    (text: string) => string | undefined,
  ][] = [
    ["database.dump", /must have 12 bytes, and has 11\n/, (t) => t.slice(1)],
    [
      "data.tar.gz",
      /the content of data\.tar\.gz was changed\n/,
      (t) => t.replace("f", "g"),
    ],
    ["data.tar.gz", /data\.tar\.gz is missing\n/, () => undefined],
    ["manifest", /it has no manifest/, () => undefined],
    [
      "manifest",
      /manifest was changed or truncated\n/,
      (t) => t.replace("18", "17"),
    ],
    ["manifest", /manifest was changed or truncated\n/, (t) => t.slice(0, -2)],
    [
      "manifest",
      /manifest was changed or truncated\n/,
      (t) => t.replace(/end.*\n/, ""),
    ],
    ["manifest", /manifest was changed or truncated\n/, () => ""],
  ];
  for (const [name, expected, damage] of damages) {
    await withBackup(async (directory) => {
      const path = join(directory, name);
      const text = damage(await Deno.readTextFile(path));
      if (text === undefined) await Deno.remove(path);
      else await Deno.writeTextFile(path, text);
      const { code, stdout, stderr } = await run("check", directory);
      assert.match(stderr, expected);
      assert.deepEqual([code, stdout], [1, ""]);
    });
  }
});

Deno.test("backup.sh refuses other arguments, and prints its usage", async () => {
  for (const args of [[], ["make"], ["check"], ["create", "twice"]]) {
    const { code, stderr } = await run(...args);
    assert.equal(code, 64);
    assert.match(stderr, /^ {2}backup\.sh restore BACKUP /m);
  }
  const { code, stdout } = await run("help");
  assert.equal(code, 0);
  assert.match(stdout, /BACKUP_KEEP .* 7 by default\n$/);
});
