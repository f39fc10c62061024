/**
 * Exports the configuration of an installation with `app:config --export`, and gives the result to
 * an empty installation, as Docker, Compose and Kubernetes would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { parse } from "@std/yaml/parse.js";
import { config } from "../../lib/commands/config.ts";
import { parseEnvFile } from "../../lib/env_file.ts";
import { isJsonObject, type Json, type JsonObject } from "../../lib/json.ts";
import { effectiveValue } from "../../lib/mattermost/effective_value.ts";
import { makePlan, type Plan } from "../../lib/startup/plan.ts";
import { writePlan } from "../../lib/startup/write_plan.ts";
import packageConfig from "../fixtures/package_11.6.0.json" with {
  type: "json",
};
import { CONFIG, INSTALL, installed, stage } from "./installation.ts";
import { MemoryFiles } from "./memory_files.ts";

/** Variables by name. */
export type Variables = Readonly<Record<string, string>>;

/** The configuration in the package of the fake installations. */
export const PACKAGE: JsonObject = packageConfig;

/** The formats of the command. */
export const EXPORT_FORMATS = ["env", "compose", "kubernetes"] as const;

/** One of them. */
export type ExportFormat = typeof EXPORT_FORMATS[number];

/** The directory of exported files. */
const OUT = "/run/out";

/** An export, and the empty installation that it was given to. */
export interface Exported {
  /** What the command printed. */
  readonly text: string;
  /** The variables that an empty installation gets. */
  readonly variables: Variables;
  /** The paths that the command named because no variable gives their value. */
  readonly inexpressible: readonly string[];
  /** The plan of the installation that was exported. */
  readonly before: Plan;
  /** The plan of the empty installation. */
  readonly after: Plan;
}

/**
 * Makes an installation with a package.
 *
 * @returns The files.
 */
export function withPackage(): MemoryFiles {
  const files = installed();
  files.makeDirectory(`${INSTALL}/config`);
  files.place(`${INSTALL}/bin/platform`, "", 0o755);
  files.place(`${INSTALL}/config/config.json`, JSON.stringify(PACKAGE));
  return files;
}

/**
 * Makes an installation that has started, with edits of its administrator.
 *
 * @param env The variables.
 * @param edits The edited values, by path.
 * @returns The files.
 */
export async function edited(
  env: Variables,
  edits: Readonly<Record<string, Json>>,
): Promise<MemoryFiles> {
  const files = withPackage();
  files.place("/run/secrets/one", "the value in a file");
  const { context } = stage({ files, env });
  await writePlan(await makePlan(context), context);
  const document = JSON.parse(files.readText(CONFIG));
  for (const [path, value] of Object.entries(edits)) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    const parent = keys.reduce((object, key) => object[key] ??= {}, document);
    parent[last] = value;
  }
  files.overwrite(CONFIG, JSON.stringify(document, undefined, 4));
  return files;
}

/**
 * Exports an installation, and plans an empty one with the result.
 *
 * @param files The installation.
 * @param env Its variables.
 * @param format The format.
 * @returns The export and both plans.
 */
export async function reinstall(
  files: MemoryFiles,
  env: Variables,
  format: ExportFormat,
): Promise<Exported> {
  const { system, context } = stage({ files, env });
  const args = ["--export", "--format", format, "--write", OUT];
  assert.equal(await config(args, context), 0);
  const { text } = system.out;
  const fresh = withPackage();
  const variables = readers[format](text);
  if (format === "kubernetes") mountSecret(files, fresh);
  else copyFiles(files, fresh);
  const { MATTERMOST_VERSION = "" } = env;
  const after = await makePlan(
    stage({ files: fresh, env: { ...variables, MATTERMOST_VERSION } }).context,
  );
  return {
    text,
    variables,
    inexpressible: [...text.matchAll(/^# No variable gives (.*?), because /gm)]
      .flatMap(([, paths = ""]) => paths.split(", ")),
    before: await makePlan(stage({ files, env }).context),
    after,
  };
}

/**
 * Finds the values that the two servers would use for the keys of the package, and that differ.
 *
 * @param exported The export.
 * @returns The paths.
 */
export function differingPaths(
  { before, after }: Pick<Exported, "before" | "after">,
): string[] {
  const isSame = (path: string): boolean => {
    const [one, other] = [before, after].map((plan) =>
      effectiveValue(path, {
        config: plan.merged.document,
        variables: plan.serverVariables.values,
        overrides: plan.release.environmentOverrides,
      })
    );
    try {
      assert.deepEqual(isJsonObject(one) ? asObject(other) : other, one);
      return true;
    } catch {
      return false;
    }
  };
  const wanted = before.wanted.map(({ path }) => path);
  return [...new Set([...keysOf(PACKAGE), ...wanted])]
    .filter((path) => !isSame(path));
}

/** The keys of single values, maps as a whole. */
export function keysOf(object: JsonObject, parent = ""): string[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const path = parent === "" ? key : `${parent}.${key}`;
    const isSection = isJsonObject(value) && Object.keys(value).length > 0 &&
      Object.keys(value).every((inner) => /^[A-Z]/.test(inner));
    return isSection ? keysOf(value, path) : [path];
  });
}

/** A variable gives an object as text. */
function asObject(value: Json | undefined): Json | undefined {
  return typeof value === "string" && value.startsWith("{")
    ? JSON.parse(value)
    : value;
}

const readers: Readonly<Record<ExportFormat, (text: string) => Variables>> = {
  env(text) {
    const parsed = parseEnvFile(new TextEncoder().encode(text), {});
    assert.ok(!("fault" in parsed), JSON.stringify(parsed));
    return Object.fromEntries(parsed.variables);
  },
  compose(text) {
    const document = parse(text) as {
      services: { mattermost: { environment: Variables } };
    };
    const entries = Object.entries(document.services.mattermost.environment);
    return Object.fromEntries(entries.map(([name, value]) => {
      assert.match(value, /^(?:[^$]|\$\$)*$/u);
      return [name, value.replaceAll("$$", "$")];
    }));
  },
  kubernetes(text) {
    const { data, ...rest } = parse(text) as { data: Variables };
    assert.deepEqual(rest, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "mattermost" },
    });
    return data;
  },
};

function mountSecret(from: MemoryFiles, to: MemoryFiles): void {
  const path = `${OUT}/mattermost-secrets.yaml`;
  assert.equal(from.stat(path)?.mode, 0o600);
  const { stringData, ...rest } = parse(from.readText(path)) as {
    stringData: Variables;
  };
  assert.deepEqual(rest, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "mattermost-secrets" },
    type: "Opaque",
  });
  to.makeDirectory("/run/secrets/mattermost");
  for (const [name, content] of Object.entries(stringData)) {
    assert.match(name, /^[-._a-zA-Z0-9]+$/);
    to.place(`/run/secrets/mattermost/${name}`, content);
  }
}

function copyFiles(from: MemoryFiles, to: MemoryFiles): void {
  to.makeDirectory(OUT);
  for (const name of from.list(OUT)) {
    const path = `${OUT}/${name}`;
    assert.equal(from.stat(path)?.mode, 0o600);
    to.place(path, from.readText(path));
  }
}
