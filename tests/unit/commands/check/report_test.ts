import assert from "node:assert/strict";
import {
  reportJson,
  reportText,
} from "../../../../lib/commands/check/report.ts";
import type { Report } from "../../../../lib/commands/check/report.ts";

const REPORT: Report = {
  release: "11.7.9",
  findings: [
    { check: "database.login", level: "ok", message: "The login works" },
    {
      check: "mail",
      level: "warning",
      message: "No mail",
      remedy: "SMTP_HOST=m",
    },
    { check: "site.url", level: "failed", message: "No site" },
  ],
};

Deno.test("in a pipe the message and the remedy are one plain line each", () => {
  assert.equal(
    reportText(REPORT, { aligned: false, colours: false }),
    `ok database.login: The login works
warning mail: No mail
  → SMTP_HOST=m
failed site.url: No site
Mattermost 11.7.9: 1 ok, 1 warning, 1 failed
`,
  );
});

Deno.test("on a terminal the report has columns", () => {
  assert.equal(
    reportText(REPORT, { aligned: true, colours: false }),
    `ok       database.login  The login works
warning  mail            No mail
                         → SMTP_HOST=m
failed   site.url        No site
Mattermost 11.7.9: 1 ok, 1 warning, 1 failed
`,
  );
});

Deno.test("only the levels have colours", () => {
  const plain = reportText(REPORT, { aligned: true, colours: false });
  const coloured = reportText(REPORT, { aligned: true, colours: true });
  const painted = [[32, "ok     "], [33, "warning"], [31, "failed "]]
    .reduce(
      (text, [code, level]) =>
        text.replace(`${level}`, `\x1b[${code}m${level}\x1b[0m`),
      plain,
    );
  assert.equal(coloured, painted);
});

Deno.test("the JSON format is stable", () => {
  assert.deepEqual(JSON.parse(reportJson(REPORT)), {
    version: 1,
    ok: false,
    release: "11.7.9",
    summary: { ok: 1, warning: 1, failed: 1 },
    findings: REPORT.findings,
  });
  const { ok, release } = JSON.parse(
    reportJson({ release: undefined, findings: [] }),
  );
  assert.deepEqual({ ok, release }, { ok: true, release: null });
});
