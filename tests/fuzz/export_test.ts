/**
 * Exports random installations with random edits, and gives the result to empty installations.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { EntrypointError } from "../../lib/errors.ts";
import { foldKey, type Json, valueAt } from "../../lib/json.ts";
import { isSecretPath } from "../../lib/config/redact.ts";
import { makePlan } from "../../lib/startup/plan.ts";
import {
  SETTING_NAMES,
  type SettingName,
} from "../../lib/settings/catalogue.ts";
import {
  differingPaths,
  edited,
  EXPORT_FORMATS,
  keysOf,
  PACKAGE,
  reinstall,
  type Variables,
} from "../support/exported.ts";
import { CONFIG, stage } from "../support/installation.ts";
import { CASES } from "../unit/settings/catalogue_cases.ts";

const MARKER = "qZ7xK2vW";

const RELEASES = ["3.6.0", "4.9.0", "5.20.0", "5.39.0", "11.6.0"];

const PATHS = keysOf(PACKAGE).filter((path) =>
  !path.startsWith("FeatureFlags") && path !== "SqlSettings.DriverName"
);

/** How the database is given; only in config.json if it is not. */
const DATABASES: readonly Variables[] = [
  { DB_ADAPTER: "postgres", DB_HOST: "db", DB_PASS: `${MARKER} $'"password` },
  { DB_ADAPTER: "mysql", DB_HOST: "mysql", DB_PASS: MARKER, DB_PORT: "3307" },
  {
    POSTGRES_PORT_5432_TCP_ADDR: "172.17.0.2",
    POSTGRES_ENV_POSTGRES_USER: "ann",
    POSTGRES_ENV_POSTGRES_PASSWORD: MARKER,
  },
  { MM_SQLSETTINGS_DATASOURCE: `postgres://ann:${MARKER}@db/chat?a=b` },
  {},
];

function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: "grapheme-ascii", maxLength: 30 }),
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom(
      "",
      "true",
      "0",
      " a ",
      "'a'",
      '"a" # b',
      "$HOME ${HOME} $$ $(HOME)",
      "a\nb\n",
      "\ufeffa",
      "a\u2028b\u0085c\u001bd",
      "a\u0000b",
      "\ud800",
      "---\nx: *y",
      "https://chat.example.com/x/",
      "https://ann:secret@example.com",
      "{}",
      "x".repeat(70_000),
      "x".repeat(140_000),
    ),
  );
}

/** A value of the same type as the default. */
function anyValueLike(value: Json): fc.Arbitrary<Json> {
  switch (typeof value) {
    case "boolean":
      return fc.boolean();
    case "number":
      return fc.oneof(
        fc.integer({ min: -1, max: 100_000 }),
        fc.maxSafeInteger(),
      );
    case "string":
      return anyText();
    default:
      return Array.isArray(value) ? fc.array(anyText(), { maxLength: 3 }) : fc
        .dictionary(
          fc.constantFrom("com.example.a", "b", "Token"),
          fc.dictionary(fc.constantFrom("Enable", "token"), anyText()),
          { maxKeys: 3 },
        );
  }
}

function anyEdit(): fc.Arbitrary<[string, Json]> {
  return fc.constantFrom(...PATHS).chain((path) =>
    anyValueLike(valueAt(PACKAGE, path) ?? "").map((value): [string, Json] => [
      path,
      isSecretPath(path) && typeof value === "string" && value !== ""
        ? `${MARKER}${value}`
        : value,
    ])
  );
}

function anyVariable(): fc.Arbitrary<[string, string]> {
  const names = SETTING_NAMES.filter((name: SettingName) =>
    !/_DIR$|_HOME$|_UID$|_GID$|_VERSION$|^DB_|CLUSTER/.test(name)
  );
  return fc.oneof(
    fc.constantFrom(...names).map((name): [string, string] => [
      name,
      CASES[name].good[0],
    ]),
    fc.constantFrom<[string, string]>(
      ["MM_TEAMSETTINGS_SITENAME", "Of the server"],
      ["MM_SUPPORTSETTINGS_HELPLINK", ""],
      ["MM_PLUGINSETTINGS_ENABLE", "false"],
      ["MM_LICENSE", `${MARKER} licence`],
      ["MATTERMOST_NAME_FILE", "/run/secrets/one"],
      ["MM_LDAPSETTINGS_BINDPASSWORD_FILE", "/run/secrets/one"],
    ),
  );
}

/** Such an installation would not start. */
function expectRefusal(error: unknown): undefined {
  if (!(error instanceof EntrypointError)) throw error;
}

Deno.test("an export gives an empty installation the same configuration, or names the difference, and shows no secret", async () => {
  const tally = { exported: 0, refused: 0, inexpressible: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...RELEASES),
      fc.constantFrom(...EXPORT_FORMATS),
      fc.array(anyVariable(), { maxLength: 4 }),
      fc.array(anyEdit(), { maxLength: 12 }),
      fc.constantFrom(...DATABASES),
      async (release, format, variables, edits, database) => {
        const env: Variables = {
          ...database,
          ...Object.fromEntries(variables),
          MATTERMOST_VERSION: release,
        };
        const first = { DB_HOST: "first", DB_PASS: MARKER, ...env };
        const files = await edited(
          Object.keys(database).length === 0 ? first : env,
          Object.fromEntries(edits),
        ).catch(expectRefusal);
        // A server has written this one.
        if (Object.keys(database).length === 0) {
          files?.remove(`${CONFIG}.memory`);
        }
        const plan = files &&
          await makePlan(stage({ files, env }).context).catch(expectRefusal);
        if (files === undefined || plan === undefined) {
          tally.refused++;
          return;
        }
        const exported = await reinstall(files, env, format);
        assert.ok(!exported.text.includes(MARKER), exported.text);
        assert.deepEqual(
          differingPaths(exported).filter((path) =>
            ![...exported.inexpressible, ...plan.merged.generated]
              .some((each) => foldKey(each) === foldKey(path))
          ),
          [],
          exported.text,
        );
        tally.exported++;
        if (exported.inexpressible.length > 0) tally.inexpressible++;
      },
    ),
    { numRuns: 600 },
  );
  assert.ok(tally.exported > 200, JSON.stringify(tally));
  assert.ok(tally.inexpressible > 50, JSON.stringify(tally));
});
