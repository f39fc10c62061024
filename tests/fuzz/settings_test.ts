import assert from "node:assert/strict";
import * as fc from "fast-check";
import { assignments } from "../../lib/config/assignments.ts";
import type { SettingName } from "../../lib/settings/catalogue.ts";
import { rowOf, SETTING_NAMES } from "../../lib/settings/catalogue.ts";
import { findLinks, SERVICE_NAMES } from "../../lib/settings/links.ts";
import { isExplicit } from "../../lib/settings/origin.ts";
import type { Resolution } from "../../lib/settings/resolve.ts";
import { resolve } from "../../lib/settings/resolve.ts";
import { checkSettings } from "../../lib/settings/rules.ts";
import { findUnknownVariables } from "../../lib/settings/spelling.ts";
import {
  CASES,
  DATA_SOURCE,
  LOG_LOCATION,
} from "../unit/settings/catalogue_cases.ts";
import { reader } from "../unit/settings/support.ts";

const RELEASES = ["3.0.0", "3.6.0", "5.20.0", "11.7.9"] as const;

/** No word of any message, so that a message that holds it has leaked it. */
const MARKER = "qZ7xK2vW";

type Environment = Readonly<Record<string, string>>;
type FileTable = Readonly<Record<string, string | { readonly code: string }>>;

function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: "grapheme-ascii", maxLength: 80 }),
    fc.constantFrom(
      "constructor",
      "__proto__",
      "toString",
      "tcp://10.0.0.5:5432",
      "/web/db",
      "true",
      "0",
      "-1",
      "9".repeat(400),
      "x".repeat(5000),
      "\r\n",
      "${DB_PASS}",
      '","a":"',
    ),
  );
}

function anyVariable(): fc.Arbitrary<[name: string, text: string]> {
  const name = fc.constantFrom(...SETTING_NAMES);
  return fc.oneof(
    { weight: 4, arbitrary: name.map(goodCase) },
    { weight: 3, arbitrary: fc.tuple(name, anyText()) },
    {
      weight: 2,
      arbitrary: fc.tuple(
        name.map((name) => `${name}_FILE`),
        fc.oneof(fc.constantFrom("/good", "/denied", "/directory"), anyText()),
      ),
    },
    { weight: 1, arbitrary: fc.tuple(anyLinkName(), anyText()) },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.oneof(fc.string(), fc.string().map((rest) => `MATTERMOST_${rest}`)),
        anyText(),
      ),
    },
  );
}

function goodCase(name: SettingName): [name: string, text: string] {
  return [name, CASES[name].good[0]];
}

function anyLinkName(): fc.Arbitrary<string> {
  return fc.tuple(
    fc.constantFrom(...Object.keys(SERVICE_NAMES), "mattermost", "smtp"),
    fc.constantFrom(
      "PORT",
      "NAME",
      "PORT_3306_TCP_ADDR",
      "PORT_5432_TCP_ADDR",
      "PORT_5432_TCP",
      "SERVICE_HOST",
      "SERVICE_PORT",
      "ENV_MYSQL_USER",
      "ENV_MYSQL_PASSWORD",
      "ENV_MYSQL_ROOT_PASSWORD",
      "ENV_MARIADB_DATABASE",
      "ENV_POSTGRES_USER",
      "ENV_POSTGRES_PASSWORD",
      "ENV_DB_NAME",
      "ENV_DB_PASS",
    ),
  ).map(([alias, rest]) => `${alias.toUpperCase()}_${rest}`);
}

function anyFiles(): fc.Arbitrary<FileTable> {
  return anyText().map((text) => ({
    "/good": text,
    "/denied": { code: "EACCES" },
    "/directory": { code: "EISDIR" },
  }));
}

function resolveAny(env: Environment, files: FileTable = {}): Resolution {
  return resolve({ env, readFile: reader(files) });
}

/** Asserts what must hold for every environment. */
function holds(
  env: Environment,
  resolution: Resolution,
  release: string,
): void {
  const { settings, origins, problems } = resolution;
  assert.ok(Object.isFrozen(settings) && Object.isFrozen(origins));
  for (const name of SETTING_NAMES) {
    const value: unknown = settings[name];
    const origin = origins[name];
    if (!isExplicit(origin)) continue;
    assert.notEqual(value, undefined, name);
    // Parsing a parsed value again does not change it.
    assert.equal(rowOf(name).kind.parse(String(value)), value, name);
    if (origin.kind === "variable") {
      assert.equal(rowOf(name).kind.parse(env[name] ?? ""), value);
    }
  }
  for (const { subject, message, remedy, code } of problems) {
    assert.ok(Object.hasOwn(env, subject), subject);
    assert.ok(message !== "" && remedy !== undefined && remedy !== "");
    assert.ok(code === 66 || code === 78);
  }
  findUnknownVariables(env);
  checkSettings(resolution, { release, hasDataSource: false });
  const entries = assignments(resolution, {
    release,
    dataSource: DATA_SOURCE,
    adapter: settings.DB_ADAPTER ?? "mysql",
    logLocation: LOG_LOCATION,
  });
  const paths = entries.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  const values = entries.map(({ value }) => value ?? null);
  assert.deepEqual(JSON.parse(JSON.stringify(values)), values);
}

Deno.test("10,000 random environments are resolved, checked and written without a crash", () => {
  fc.assert(
    fc.property(
      fc.array(anyVariable(), { maxLength: 12 }),
      anyFiles(),
      fc.constantFrom(...RELEASES),
      (variables, files, release) => {
        const env = Object.fromEntries(variables);
        holds(env, resolveAny(env, files), release);
      },
    ),
    { numRuns: 10_000 },
  );
});

Deno.test("random links never cause a crash, and give only values of variables", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          anyLinkName(),
          fc.oneof(
            fc.tuple(fc.ipV4(), fc.integer({ min: -1, max: 70_000 }))
              .map(([host, port]) => `tcp://${host}:${port}`),
            fc.tuple(fc.ipV6(), fc.constantFrom("3306", "5432"))
              .map(([host, port]) => `tcp://[${host}]:${port}`),
            fc.ipV4(),
            anyText(),
          ),
        ),
        { maxLength: 10 },
      ),
      (variables) => {
        const env = Object.fromEntries(variables);
        const resolution = resolveAny(env);
        holds(env, resolution, "11.7.9");
        for (const { values } of findLinks(env)) {
          for (const { variable, text } of Object.values(values)) {
            const source = env[variable] ?? env[`${variable}_ADDR`];
            assert.ok(
              source?.includes(text) || text === "root" ||
                text === "postgres" || variable.includes(`_${text}_`),
              `${text} of ${variable}`,
            );
          }
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("valid settings are written to config.json, and nothing else changes", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom(...SETTING_NAMES), { maxLength: 10 }),
      fc.constantFrom(["3.6.0", "in36"] as const, ["11.7.9", "in117"] as const),
      (names, [release, key]) => {
        const env = Object.fromEntries(names.map(goodCase));
        const resolution = resolveAny(env);
        assert.deepEqual(resolution.problems, []);
        const entries = assignments(resolution, {
          release,
          dataSource: DATA_SOURCE,
          adapter: resolution.settings.DB_ADAPTER ?? "mysql",
          logLocation: LOG_LOCATION,
        });
        for (const { path, value, variables, origin } of entries) {
          const [variable, ...others] = variables;
          if (others.length > 0) continue;
          const name = SETTING_NAMES.find((name) => name === variable);
          assert.ok(name !== undefined);
          assert.equal(isExplicit(origin), names.includes(name), path);
          if (!names.includes(name)) continue;
          const wanted = CASES[name][key] ?? CASES[name].always ?? {};
          assert.deepEqual(value, wanted[path], path);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("no message contains the value of a secret or the content of a file", () => {
  const secrets = SETTING_NAMES.filter((name) => rowOf(name).secret === true);
  fc.assert(
    fc.property(
      fc.subarray(secrets, { minLength: 1 }),
      fc.subarray(SETTING_NAMES.map((name) => `${name}_FILE`)),
      fc.string({ maxLength: 20 }),
      (variables, twins, rest) => {
        const env = {
          ...Object.fromEntries(
            variables.map((name) => [name, `${MARKER}${rest}`]),
          ),
          ...Object.fromEntries(twins.map((name) => [name, "/good"])),
          MYSQL_PORT: "tcp://10.0.0.5:3306",
          MYSQL_ENV_MYSQL_PASSWORD: MARKER,
        };
        const resolution = resolveAny(env, { "/good": `${MARKER}\n` });
        const { problems, warnings } = checkSettings(resolution, {
          hasDataSource: false,
          release: "11.7.9",
        });
        const said = JSON.stringify([
          resolution.problems,
          resolution.origins,
          problems,
          warnings,
          findUnknownVariables(env),
        ]);
        assert.ok(!said.includes(MARKER), said);
      },
    ),
    { numRuns: 1_000 },
  );
});
