/**
 * Plans and writes config.json for random environments and random files.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { writePlan } from "../../lib/startup/write_plan.ts";
import { makePlan } from "../../lib/startup/plan.ts";
import type { Session } from "../../lib/database/session.ts";
import { EntrypointError, formatError } from "../../lib/errors.ts";
import { isJsonObject, type Json } from "../../lib/json.ts";
import { variableOf } from "../../lib/mattermost/effective_value.ts";
import {
  parseVariable,
  valueTypeOf,
} from "../../lib/mattermost/variable_value.ts";
import type { SettingName } from "../../lib/settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../../lib/settings/catalogue.ts";
import { isExplicit } from "../../lib/settings/origin.ts";
import { installed, stage } from "../support/installation.ts";
import type { MemoryFiles } from "../support/memory_files.ts";
import { CASES } from "../unit/settings/catalogue_cases.ts";

const CONFIG = "/opt/mattermost/data/config/config.json";
const MARKER = "qZ7xK2vW";
const RELEASES = [
  "3.0.0",
  "3.6.0",
  "4.9.0",
  "5.39.0",
  "7.8.0",
  "10.11.4",
  "11.7.9",
];

type Environment = Readonly<Record<string, string>>;

function installation(): MemoryFiles {
  const files = installed();
  files.place("/run/secrets/marked", `${MARKER}${"s".repeat(40)}\n`);
  files.place("/run/secrets/one", "1\n");
  return files;
}

function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.string({ unit: "grapheme-ascii", maxLength: 60 }),
    fc.constantFrom(
      "true",
      "0",
      "-1",
      "1e9",
      "/",
      "tcp://10.0.0.5:5432",
      "__proto__",
      "\r\n",
      "'\"`\\",
      `${MARKER}${"m".repeat(40)}`,
    ),
  );
}

/** A variable of the catalogue; most of them right, so that plans are reached. */
function anyVariable(): fc.Arbitrary<[string, string]> {
  const name = fc.constantFrom(...SETTING_NAMES);
  return fc.oneof(
    {
      weight: 14,
      arbitrary: name.map((
        name,
      ): [string, string] => [name, CASES[name].good[0]]),
    },
    { weight: 1, arbitrary: fc.tuple(name, anyText()) },
    {
      weight: 1,
      arbitrary: fc.tuple(
        name.map((name) => `${name}_FILE`),
        fc.constantFrom("/run/secrets/marked", "/run/secrets/one", "/run/none"),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constantFrom(
          "MM_SQLSETTINGS_DATASOURCE",
          "MM_SERVICESETTINGS_SITEURL",
          "MYSQL_PORT_3306_TCP_ADDR",
          "POSTGRES_ENV_POSTGRES_PASSWORD",
          "MATTERMOST_UNKNOWN",
        ),
        anyText(),
      ),
    },
  );
}

/** The content of config.json before: usually none, otherwise any JSON, or text that is not JSON. */
function anyDisk(): fc.Arbitrary<string | undefined> {
  const section = fc.dictionary(
    fc.constantFrom(
      "SiteURL",
      "SiteName",
      "DataSource",
      "DriverName",
      "Mine",
      "mine",
      "__proto__",
    ),
    fc.jsonValue({ maxDepth: 2 }),
    { maxKeys: 4 },
  );
  const document = fc.dictionary(
    fc.constantFrom(
      "ServiceSettings",
      "TeamSettings",
      "SqlSettings",
      "sqlsettings",
      "Foreign",
      "PluginSettings",
    ),
    fc.oneof({ weight: 5, arbitrary: section }, fc.jsonValue({ maxDepth: 2 })),
    { maxKeys: 5 },
  );
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 4, arbitrary: document.map((value) => JSON.stringify(value)) },
    {
      weight: 2,
      arbitrary: document.map((value) => JSON.stringify(value, null, 4)),
    },
    { weight: 1, arbitrary: fc.json() },
    {
      weight: 1,
      arbitrary: document.map((value) => JSON.stringify(value).slice(0, -1)),
    },
    { weight: 1, arbitrary: fc.string() },
  );
}

interface Result {
  readonly code: number;
  readonly text: string | undefined;
}

const tally: Record<string, number> = {};

/** Plans and writes config.json, and asserts what must hold for every result. */
async function planAndWrite(
  env: Environment,
  files: MemoryFiles,
): Promise<Result> {
  const before = files.nodes.get(CONFIG)?.text;
  const context = stage({ env, files }).context;
  try {
    const plan = await makePlan(context);
    await writePlan(plan, context);
    const text = files.readText(CONFIG);
    const document: unknown = JSON.parse(text);
    assert.ok(isJsonObject(document));
    for (const { path, value, origin } of plan.wanted) {
      if (!isExplicit(origin) || value === undefined) continue;
      assert.deepEqual(valueAt(document, path), value, path);
    }
    // A second plan changes nothing.
    const again = await makePlan(stage({ env, files }).context);
    assert.equal(again.merged.text, text);
    assert.deepEqual(again.merged.changes, []);
    return { code: 0, text };
  } catch (error) {
    assert.ok(error instanceof EntrypointError, formatError(error));
    assert.notEqual(error.message, "");
    const code: number = error.code;
    assert.ok([65, 66, 78].includes(code), formatError(error));
    assert.ok(error.remedy !== undefined || error.problems.length > 0);
    assert.ok(
      !formatError(error).replaceAll(/it is "[^]*?"$/gm, "").includes(
        `${MARKER}s`,
      ),
      formatError(error),
    );
    assert.equal(files.nodes.get(CONFIG)?.text, before);
    return { code, text: undefined };
  } finally {
    assert.equal(
      files.list("/opt/mattermost/data/config").some((name) =>
        name.endsWith(".tmp")
      ),
      false,
    );
  }
}

function valueAt(document: Json, path: string): Json | undefined {
  return path.split(".").reduce<Json | undefined>(
    (part, key) => isJsonObject(part) ? part[key] : undefined,
    document,
  );
}

function count(code: number): void {
  tally[code] = (tally[code] ?? 0) + 1;
}

const BASE: Environment = {
  DB_HOST: "db",
  DB_USER: "mmuser",
  DB_PASS: "hunter22",
  MATTERMOST_SITE_URL: "https://chat.example.com",
};

/** Variables that go on living where another value of them would be no start at all, or one without config.json. */
const DIRECTORIES: readonly SettingName[] = SETTING_NAMES.filter((name) =>
  /_DIR$|_HOME$|_UID$|_GID$|_VERSION$|_STORE$/.test(name)
);

function environmentOf(
  variables: readonly (readonly [string, string])[],
  release: string,
): Environment {
  const given = variables.filter(([name]) =>
    !DIRECTORIES.some((each) => name.startsWith(each))
  );
  return {
    ...BASE,
    DB_ADAPTER: release.startsWith("11") ? "postgres" : "mysql",
    ...Object.fromEntries(given),
    MATTERMOST_VERSION: release,
  };
}

Deno.test("10,000 random environments give a config.json with their settings, or a report", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyVariable(), { maxLength: 6 }),
      fc.constantFrom(...RELEASES),
      async (variables, release) => {
        const env = environmentOf(variables, release);
        count((await planAndWrite(env, installation())).code);
      },
    ),
    { numRuns: 10_000 },
  );
  // Both ends were reached often, or nothing was shown.
  assert.ok(
    (tally[0] ?? 0) > 1000 && (tally[78] ?? 0) > 1000,
    JSON.stringify(tally),
  );
  assert.ok((tally[66] ?? 0) > 20, JSON.stringify(tally));
  assert.equal(SETTING_NAMES.every((name) => rowOf(name) !== undefined), true);
});

Deno.test("with the configuration in the database, the server reads each value that was given from its variable", async () => {
  const session = {
    configuration: () => Promise.resolve(undefined),
  } as Partial<Session> as Session;
  let handed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyVariable(), { maxLength: 6 }),
      fc.constantFrom("5.39.0", "7.8.0", "10.11.4", "11.7.9"),
      async (variables, release) => {
        const env = {
          ...environmentOf(variables, release),
          MATTERMOST_CONFIG_STORE: "database",
        };
        const { context } = stage({ env, files: installation() });
        const plan = await makePlan(context, {
          useSession: (work) => work(session),
        }).catch((error) => {
          assert.ok(error instanceof EntrypointError, formatError(error));
          return undefined;
        });
        if (plan === undefined) return;
        const own = plan.serverVariables.values;
        for (const { path, value, origin } of plan.wanted) {
          const text: string | undefined = plan.handedOver[variableOf(path)];
          if (!isExplicit(origin) || variableOf(path) in own) {
            assert.equal(text, undefined, path);
            continue;
          }
          const type = value === undefined ? undefined : valueTypeOf(value);
          assert.ok(text !== undefined && type !== undefined, path);
          assert.deepEqual(parseVariable(text, type), value, path);
          handed++;
        }
      },
    ),
    { numRuns: 3_000 },
  );
  assert.ok(handed > 10_000, String(handed));
});

Deno.test("random JSON on the disk keeps all its other values, or is an error with code 65", async () => {
  const ends: Record<number, number> = {};
  await fc.assert(
    fc.asyncProperty(
      anyDisk(),
      fc.array(anyVariable(), { maxLength: 2 }),
      async (disk, variables) => {
        const files = installation();
        files.makeDirectory("/opt/mattermost/data/config");
        if (disk !== undefined) files.place(CONFIG, disk);
        const env = environmentOf(variables, "11.7.9");
        const { code, text } = await planAndWrite(env, files);
        ends[code] = (ends[code] ?? 0) + 1;
        if (disk === undefined || text === undefined) return;
        const before = JSON.parse(disk);
        const after = JSON.parse(text);
        assert.deepEqual(after.Foreign, before.Foreign);
        for (const key of ["Mine", "mine"]) {
          if (isJsonObject(before.TeamSettings)) {
            assert.deepEqual(after.TeamSettings[key], before.TeamSettings[key]);
          }
        }
      },
    ),
    { numRuns: 3_000 },
  );
  for (const code of [0, 65]) {
    assert.ok((ends[code] ?? 0) > 200, JSON.stringify(ends));
  }
});
