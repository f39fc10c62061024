import assert from "node:assert/strict";
import { DERIVED_PATHS } from "../../../lib/config/assignments.ts";
import { parseRange } from "@std/semver/parse_range.js";
import type { SettingName } from "../../../lib/settings/catalogue.ts";
import {
  isSettingName,
  rowOf,
  SETTING_NAMES,
} from "../../../lib/settings/catalogue.ts";
import {
  describeDefault,
  exampleLine,
} from "../../../lib/settings/describe.ts";
import { GROUPS, isDefaultRule } from "../../../lib/settings/setting.ts";
import { CASES, SEED_DEFAULTS } from "./catalogue_cases.ts";
import { DERIVED } from "./catalogue_types.ts";
import { resolved, written } from "./support.ts";

Deno.test("the catalogue has the 72 settings of the replaced image, with its defaults", () => {
  const { settings, problems } = resolved({}, { release: "3.6.0" });
  assert.deepEqual(problems, []);
  assert.equal(new Set(SEED_DEFAULTS.map(([name]) => name)).size, 72);
  for (const [name, value] of SEED_DEFAULTS) {
    assert.equal(settings[name], value, name);
  }
});

Deno.test("rate limiting is on by default up to 4.10", () => {
  for (
    const [release, expected] of [["4.10.9", true], ["5.0.0", false]] as const
  ) {
    const { settings } = resolved({}, { release });
    assert.equal(settings.MATTERMOST_ENABLE_RATE_LIMIT, expected);
  }
});

for (const name of SETTING_NAMES) {
  Deno.test(`${name} is read, checked, written and explained as its row says`, () => {
    readsGood(name);
    refusesBad(name);
    hasDefault(name);
    isWritten(name);
    isExplained(name);
  });
}

function readsGood(name: SettingName): void {
  const [text, value] = CASES[name].good;
  const { settings, origins, problems } = resolved({ [name]: text });
  assert.deepEqual(problems, []);
  assert.equal(settings[name], value);
  assert.deepEqual(origins[name], { kind: "variable", name });
  assert.notEqual(resolved({}).settings[name], value, "the case is no default");
}

function refusesBad(name: SettingName): void {
  const { kind, secret } = rowOf(name);
  const { bad } = CASES[name];
  if (bad === undefined) {
    assert.equal(kind.allowed, "text", "only free text has no bad value");
    assert.equal(kind.parse('any "text" ü\n'), 'any "text" ü\n');
    return;
  }
  const { settings, problems } = resolved({ [name]: bad });
  assert.equal(problems.length, 1);
  const [problem] = problems;
  assert.equal(problem?.subject, name);
  assert.equal(problem?.code, 78);
  assert.ok(
    problem?.message.startsWith(`${name} must be ${kind.allowed}: it is `),
  );
  assert.equal(problem?.message.includes(bad), secret !== true);
  assert.equal(problem?.message.includes("(hidden)"), secret === true);
  assert.ok(problem?.remedy);
  assert.equal(settings[name], resolved({}).settings[name]);
}

function hasDefault(name: SettingName): void {
  const { kind, generated } = rowOf(name);
  const fallback: unknown = resolved({}).settings[name];
  if (generated === true) assert.equal(fallback, undefined);
  // Without a default, or with the empty text, there is nothing to be checked.
  if (fallback === undefined || fallback === "") return;
  assert.equal(typeof fallback, typeof CASES[name].good[1]);
  assert.equal(kind.parse(String(fallback)), fallback);
}

function isWritten(name: SettingName): void {
  const { good: [text], always = {}, in36 = always, in117 = always } =
    CASES[name];
  const resolution = resolved({ [name]: text });
  for (
    const [release, wanted] of [["3.6.0", in36], ["11.7.9", in117]] as const
  ) {
    const entries = written(resolution, release)
      .filter(({ variables }) => variables.includes(name));
    assert.deepEqual(
      Object.fromEntries(entries.map(({ path, value }) => [path, value])),
      wanted,
      release,
    );
    if (rowOf(name).secret === true) {
      assert.ok(entries.every(({ secret }) => secret), "secrets stay secret");
    }
  }
}

function isExplained(name: SettingName): void {
  const row = rowOf(name);
  assert.ok(GROUPS.includes(row.group));
  assert.match(row.summary, /^[A-Z].*\.$/);
  assert.ok(row.summary.length <= 90, "the summary fits a line");
  assert.ok(row.details === undefined || row.details.endsWith("."));
  assert.ok(!describeDefault(row)?.endsWith("."));
  for (const { releases } of [...row.noEffect ?? [], ...row.writes ?? []]) {
    if (releases !== undefined) parseRange(releases);
  }
  const [variable, sample = ""] = exampleLine(name).split("=");
  assert.equal(variable, row.secret === true ? `${name}_FILE` : name);
  if (row.secret !== true) assert.notEqual(row.kind.parse(sample), undefined);
}

Deno.test("no release gets two values for one path", () => {
  const resolution = resolved(
    Object.fromEntries(
      SETTING_NAMES.map((name) => [name, CASES[name].good[0]]),
    ),
  );
  for (
    const release of ["3.0.0", "3.6.0", "4.9.0", "5.37.0", "6.7.2", "11.7.9"]
  ) {
    const paths = written(resolution, release).map(({ path }) =>
      path.toLowerCase()
    );
    assert.deepEqual(
      paths.filter((path, at) => paths.indexOf(path) !== at),
      [],
    );
  }
});

Deno.test("the description of a default rule has values and names in backticks", () => {
  for (const name of SETTING_NAMES) {
    const { fallback } = rowOf(name);
    if (isDefaultRule(fallback)) assert.match(fallback.text, /`/, name);
  }
});

Deno.test("the derived paths are those whose types are checked", () => {
  assert.deepEqual(DERIVED_PATHS.map(({ path }) => path), DERIVED);
});

Deno.test("property names of every object are not settings", () => {
  assert.equal(isSettingName("constructor"), false);
  assert.equal(isSettingName("__proto__"), false);
  assert.equal(isSettingName("DB_HOST"), true);
});
