import assert from "node:assert/strict";
import { join } from "node:path";
import plugin from "../../tools/lint_plugin.ts";

const ROOT = join(import.meta.dirname ?? ".", "../..");

/** The rules that a text breaks when it is a file at that path. */
function broken(path: string, text: string): readonly string[] {
  return Deno.lint.runPlugin(plugin, join(ROOT, path), text)
    .map(({ id }) => id.replace("house/", ""));
}

interface Case {
  readonly path: string;
  readonly good: readonly string[];
  /** Each breaks the rule once. */
  readonly bad: readonly string[];
}

function testRule(rule: string, cases: readonly Case[]): void {
  for (const { path, good, bad } of cases) {
    Deno.test(`${rule} in ${path}`, () => {
      for (const text of good) assert.deepEqual(broken(path, text), [], text);
      for (const text of bad) {
        assert.deepEqual(broken(path, text), [rule], text);
      }
    });
  }
}

testRule("rooms", [
  {
    path: "lib/config/merge.ts",
    good: [
      'import { a } from "../settings/catalogue.ts";',
      'import { a } from "./document.ts";',
      'import { EntrypointError } from "../errors.ts";',
    ],
    bad: [
      'import { a } from "../database/probe.ts";',
      'import type { A } from "../database/probe.ts";',
      'import { a } from "../run.ts";',
      'import { a } from "../../tools/compile.ts";',
      'const a = await import("../server/releases.ts");',
    ],
  },
  {
    path: "lib/settings/resolve.ts",
    good: ['import { a } from "./links.ts";'],
    bad: ['import type { Json } from "../config/json.ts";'],
  },
  {
    path: "lib/commands/start.ts",
    good: [
      'import type { System } from "../system.ts";',
      'import type { ExecPlan } from "../server/exec.ts";',
      'import { a } from "../database/probe.ts";',
    ],
    bad: [
      'import { realSystem } from "../system.ts";',
      'import { exec } from "../server/exec.ts";',
      'import { type System } from "../system.ts";',
    ],
  },
  {
    path: "lib/run.ts",
    good: [
      'import { realSystem } from "./system.ts";',
      'import { start } from "./commands/start.ts";',
      'import meta from "../deno.json" with { type: "json" };',
    ],
    bad: [],
  },
  {
    path: "lib/system.ts",
    good: ['import type { ExecPlan } from "./server/exec.ts";'],
    bad: ['import { releases } from "./server/releases.ts";'],
  },
  {
    path: "lib/errors.ts",
    good: [],
    bad: ['import { a } from "./settings/catalogue.ts";'],
  },
  {
    path: "tests/support/anything.ts",
    good: ['import { exec } from "../../lib/server/exec.ts";'],
    bad: [],
  },
]);

testRule("drivers", [
  {
    path: "lib/database/postgres.ts",
    good: [
      'import postgres from "postgres";',
      'import type { Sql } from "postgres";',
    ],
    bad: [
      'const smtp = await import("nodemailer");',
      'import type { Transport } from "nodemailer/lib/smtp-transport";',
    ],
  },
  {
    path: "lib/database/connect.ts",
    good: [
      'const { connect } = await import("./postgres.ts");',
      'import type { Session } from "./postgres.ts";',
    ],
    bad: [
      'import { connect } from "./postgres.ts";',
      'const smtp = await import("nodemailer/lib/smtp-transport");',
    ],
  },
  {
    path: "lib/commands/check/smtp.ts",
    good: [
      'import SMTPTransport from "nodemailer/lib/smtp-transport";',
    ],
    bad: ['import { connectPostgres } from "../../database/postgres.ts";'],
  },
  {
    path: "lib/commands/check/mail.ts",
    good: [
      'const { converse } = await import("./smtp.ts");',
      'import type { MailServer } from "./smtp.ts";',
    ],
    bad: [
      'import mail from "nodemailer";',
      'const mail = await import("nodemailer");',
      'import { converse } from "./smtp.ts";',
    ],
  },
]);

testRule("pure-imports", [
  {
    path: "lib/config/document.ts",
    good: [
      'import { closestString } from "@std/text/closest_string.js";',
      'import { parseEnv } from "node:util";',
      'import { join } from "node:path/posix";',
      'import { createHash } from "node:crypto";',
      'import type { AdminConfig } from "@mattermost/types/config";',
    ],
    bad: [
      'import { readFileSync } from "node:fs";',
      'import "node:crypto";',
      'import fc from "fast-check";',
      'import { createHash, randomBytes } from "node:crypto";',
      'import * as crypto from "node:crypto";',
      'const { createHash } = await import("node:crypto");',
      'import process from "node:process";',
      'const net = await import("node:net");',
      'import type { System } from "../system.ts";',
    ],
  },
  {
    path: "lib/database/probe.ts",
    good: ['import type { System } from "../system.ts";'],
    bad: ['import { connect } from "node:net";'],
  },
  {
    path: "lib/system.ts",
    good: ['import { lookup } from "node:dns/promises";'],
    bad: [],
  },
]);

testRule("no-ambient-effects", [
  {
    path: "lib/commands/start.ts",
    good: [
      "const time = new Date(0);",
      "system.console; const facts = { Deno: 1, console: 2 };",
      "interface World { readonly console: string; fetch(): void }",
      "class World { process = 1; crypto(): void {} }",
      "const max = Math.max(1, 2);",
      "type Env = Other.Deno;",
    ],
    bad: [
      "Deno.exit(1);",
      "globalThis.Deno;",
      "const { env } = Deno;",
      "const world = { Deno };",
      "type Info = Deno.FileInfo;",
      'console.error("x");',
      "const now = Date.now();",
      "const now = new Date();",
      "const chance = Math.random();",
      "const late = AbortSignal.timeout(1);",
      'await fetch("x");',
      "setTimeout(done, 1);",
    ],
  },
  {
    path: "lib/server/exec.ts",
    good: ["Deno.build.arch;"],
    bad: [],
  },
  {
    path: "tools/compile.ts",
    good: ["Deno.exit(1);"],
    bad: [],
  },
]);

testRule("no-default-export", [{
  path: "lib/config/merge.ts",
  good: ["export function merge(): void {}"],
  bad: ["export default function merge(): void {}", "export default 1;"],
}]);

testRule("no-reexport", [{
  path: "lib/config/merge.ts",
  good: ["const a = 1; export { a };", "export type A = string;"],
  bad: [
    'export * from "./document.ts";',
    'export { a } from "./document.ts";',
    'export type { A } from "./document.ts";',
  ],
}]);

testRule("regexp-name", [{
  path: "lib/settings/kinds.ts",
  good: [
    "const PORT_REGEXP = /a/;",
    'const PORT = 1, NAME = "a", BIG = 1n, NOTHING = null;',
    "export const PORT_REGEXP = new RegExp(text);",
    "function parse(): void { const local = /a/; }",
  ],
  bad: [
    "const PORT = /a/;",
    "export const portPattern = new RegExp(text);",
    "const port_REGEXP = RegExp(text);",
  ],
}]);

testRule("no-top-level-arrow", [{
  path: "lib/settings/kinds.ts",
  good: [
    "function parse(): void {}",
    "const table = { port: (text: string) => text };",
    "function outer(): void { const inner = () => 1; }",
  ],
  bad: ["const parse = () => 1;", "export const parse = async () => 1;"],
}]);
