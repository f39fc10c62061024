/**
 * The entries of `app:help` for the server's own variables, `MM_SECTION_KEY`. They are made from
 * the package of the installed server, so they describe its release.
 *
 * @module
 */

import { assignments } from "../config/assignments.ts";
import { readConfig } from "../config/file.ts";
import { redact } from "../config/redact.ts";
import type { Problem } from "../errors.ts";
import { EntrypointError } from "../errors.ts";
import type { Json } from "../json.ts";
import { readsAnyCase, variableOf } from "../mattermost/effective_value.ts";
import type { ServerSetting } from "../mattermost/package_settings.ts";
import {
  NOT_SETTINGS,
  recognizeVariable,
} from "../mattermost/package_settings.ts";
import { logFileLocation, releaseFacts } from "../mattermost/releases.ts";
import type { System } from "../os/system.ts";
import { resolve } from "../settings/resolve.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import { asReader } from "../startup/become_user.ts";
import { pathsOf, placeOf } from "../startup/paths.ts";
import { shippedConfig } from "../startup/plan.ts";
import { sourcesOf } from "../startup/setting_sources.ts";
import { EXPECTED, knownSettings } from "../startup/variable_findings.ts";

/** The facts of an entry: labels, and the texts beside them. */
export type Facts = readonly (readonly [label: string, text: string])[];

/** An entry, or the problem if the variable is not known. */
export type VariableHelp =
  | { readonly text: string; readonly facts: Facts }
  | { readonly problem: Problem };

/**
 * Describes one of the server's own variables, or finds the closest one.
 *
 * @param name The variable, in capitals.
 * @param context The system, and the release to describe.
 * @returns The entry, or the problem.
 */
export function describeServerVariable(
  name: string,
  { system, version }: { readonly system: System; readonly version: string },
): VariableHelp {
  const sources = sourcesOf(system);
  const { settings, origins } = resolve({ ...sources, release: version });
  const release = releaseFacts(version);
  const overrides = release.environmentOverrides;
  const paths = pathsOf(settings);
  const place = placeOf(settings, system);
  const wanted = assignments({ settings, origins }, {
    release: version,
    // Any text: only the type of the key matters.
    dataSource: "",
    adapter: settings.DB_ADAPTER ?? release.defaultAdapter,
    logLocation: logFileLocation(release, paths.log),
  });
  const reader = asReader(settings, system);
  const known = knownSettings({
    shipped: shippedConfig({ paths }, { system: reader, user: place.user }),
    state: { text: configText(reader, place) },
    wanted,
  });
  const { givenBy } = readServerVariables(sources, {
    anyCase: readsAnyCase(overrides),
  });
  const given = givenBy[name];
  const common: Facts = [
    ["From a file", `${name}_FILE names a file with the value`],
    ...(overrides === "none"
      ? [["No effect", `Mattermost ${version} reads no MM_ variables`] as const]
      : [
        ["Now", given === undefined ? "not set" : `${given} is set`] as const,
      ]),
  ];
  if (Object.hasOwn(NOT_SETTINGS, name)) {
    return {
      text: `The server reads it besides its settings: ${NOT_SETTINGS[name]}.`,
      facts: common,
    };
  }
  const found = recognizeVariable([name, ""], known.settings);
  if (found.kind !== "setting") {
    return {
      problem: known.isComplete
        ? {
          subject: name,
          message: `Mattermost ${version} has no setting named ${name}`,
          remedy: found.kind === "unknown" && found.closest !== undefined
            ? `Did you mean ${found.closest}?`
            : "Look it up: https://docs.mattermost.com/configure/environment-variables.html",
        }
        : {
          subject: name,
          message:
            `Whether ${name} is a setting is not known, because ${paths.install} has no server with a default configuration`,
          remedy:
            "MATTERMOST_INSTALL_DIR=/opt/mattermost/mattermost   # the directory that contains bin/mattermost",
        },
    };
  }
  const { path, type } = found.setting;
  const writer = wanted.find(({ path }) => variableOf(path) === name);
  return {
    text: "A variable of the server itself, which overrides config.json.",
    facts: [
      ["config.json", `${path} (Mattermost ${version})`],
      ["Value", type === undefined ? "any" : EXPECTED[type]],
      [
        "Default",
        describeDefault(found.setting) ??
          `not known, because ${paths.install} has no server with a default configuration`,
      ],
      ...(writer === undefined ? [] : [
        ["Written by", `${writer.variables.join(", ")} of this image`] as const,
      ]),
      ...common,
    ],
  };
}

function describeDefault(
  { path, type, fallback }: ServerSetting,
): string | undefined {
  if (type === undefined) return "none";
  return fallback === undefined ? undefined : JSON.stringify(
    redact(fallback as Json, { path }),
  );
}

/** The text of config.json on disk; help is also for those whose file is damaged. */
function configText(
  system: System,
  place: Parameters<typeof readConfig>[1],
): string | undefined {
  try {
    return readConfig(system, place).text;
  } catch (error) {
    if (!(error instanceof EntrypointError)) throw error;
    return undefined;
  }
}
