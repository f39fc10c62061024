import assert from "node:assert/strict";
import { join } from "node:path";
import plugin from "../../tools/lint_plugin.ts";

const ROOT = join(import.meta.dirname ?? ".", "../..");

/** The rules that a text breaks when it is a file at that path. */
function broken(path: string, text: string): readonly string[] {
  return Deno.lint.runPlugin(plugin, join(ROOT, path), text)
    .map(({ id }) => id.replace("project/", ""));
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
      'import { a } from "./assignments.ts";',
      'import { EntrypointError } from "../errors.ts";',
      'import { permits } from "../os/permissions.ts";',
    ],
    bad: [
      'import { a } from "../database/session.ts";',
      'import type { A } from "../database/session.ts";',
      'import { a } from "../run.ts";',
      'import { a } from "../../tools/compile.ts";',
      'const a = await import("../upgrade/decision.ts");',
      'import { a } from "../nowhere/releases.ts";',
    ],
  },
  {
    path: "lib/settings/resolve.ts",
    good: ['import { a } from "./links.ts";'],
    bad: ['import type { Json } from "../config/json_text.ts";'],
  },
  {
    path: "lib/commands/start.ts",
    good: [
      'import type { System } from "../os/system.ts";',
      'import type { a } from "../os/exec.ts";',
      'import { a } from "../startup/plan.ts";',
      'import meta from "../../deno.json" with { type: "json" };',
    ],
    bad: [
      'import { realSystem } from "../os/real_system.ts";',
      'import { exec } from "../os/exec.ts";',
    ],
  },
  {
    path: "lib/run.ts",
    good: [
      'import { realSystem } from "./os/real_system.ts";',
      'import { start } from "./commands/start.ts";',
      'import meta from "../deno.json" with { type: "json" };',
    ],
    bad: [],
  },
  {
    path: "lib/os/real_system.ts",
    good: ['import { exec } from "./exec.ts";'],
    bad: ['import type { Release } from "../mattermost/releases.ts";'],
  },
  {
    path: "lib/errors.ts",
    good: ['import { HIDDEN } from "./hidden.ts";'],
    bad: [
      'import { a } from "./settings/catalogue.ts";',
      'import type { A } from "./os/http.ts";',
    ],
  },
  {
    path: "tests/support/anything.ts",
    good: ['import { exec } from "../../lib/os/exec.ts";'],
    bad: [],
  },
]);

testRule("drivers", [
  {
    path: "lib/database/postgres/session.ts",
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
      'const { connect } = await import("./postgres/session.ts");',
      'import type { Session } from "./postgres/session.ts";',
    ],
    bad: [
      'import { connect } from "./postgres/session.ts";',
      'const smtp = await import("nodemailer/lib/smtp-transport");',
    ],
  },
  {
    path: "lib/os/smtp.ts",
    good: ['import SMTPTransport from "nodemailer/lib/smtp-transport";'],
    bad: [],
  },
  {
    path: "lib/commands/check/smtp.ts",
    good: [
      'const { verifySmtpLogin } = await import("../../os/smtp.ts");',
      'import type { MailServer } from "../../os/smtp.ts";',
    ],
    bad: [
      'import mail from "nodemailer";',
      'const mail = await import("nodemailer");',
      'import { verifySmtpLogin } from "../../os/smtp.ts";',
    ],
  },
]);

testRule("pure-imports", [
  {
    path: "lib/config/assignments.ts",
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
      'import type { System } from "../os/system.ts";',
    ],
  },
  {
    path: "lib/database/session.ts",
    good: ['import type { System } from "../os/system.ts";'],
    bad: ['import { connect } from "node:net";'],
  },
  {
    path: "lib/os/real_system.ts",
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
    path: "lib/os/exec.ts",
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
