/**
 * What real servers were recorded to print, to contain and to accept; `recorded/README.md` says
 * where the files come from.
 *
 * @module
 */

import { join } from "node:path";
import { compareVersions, inRange } from "../../lib/release_range.ts";

const DIRECTORY = join(import.meta.dirname ?? ".", "recorded");

/** The command line, the environment and the output of a recorded server. */
export interface Transcript {
  readonly release: string;
  /** `server-bad` and the like. */
  readonly name: string;
  /** Its variables besides the usual ones, as a Python dictionary; and its working directory. */
  readonly environment: string;
  /** Its exit code; `undefined` if it was killed because it did not end. */
  readonly code: number | undefined;
  readonly isRewritten: boolean;
  /** Both streams together; without the end of a long one. */
  readonly output: string;
}

/**
 * Reads the recorded output of servers.
 *
 * @returns The transcripts, by release and name.
 */
export async function readTranscripts(): Promise<readonly Transcript[]> {
  const text = await Deno.readTextFile(join(DIRECTORY, "transcripts.txt"));
  return text.split(/^=== /m).slice(1).map((part) => {
    const [title = "", _command, environment = "", end = "", ...output] = part
      .replace(/\n+$/, "\n").split("\n");
    const [release = "", name = ""] = title.split(" ");
    const code = /: exit (\d+);/.exec(end)?.[1];
    return {
      release,
      name,
      environment,
      code: code === undefined ? undefined : Number(code),
      isRewritten: end.includes("CONFIG.JSON WAS REWRITTEN"),
      output: output.join("\n"),
    };
  });
}

/**
 * Reads a table.
 *
 * @param name The file in `recorded/`; fields are separated by tabs.
 * @returns Its rows without the comments.
 */
export async function readTable(
  name: string,
): Promise<readonly (readonly string[])[]> {
  const text = await Deno.readTextFile(join(DIRECTORY, name));
  return text.split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t"));
}

/**
 * Reads the settings of a release: those of the last recorded release before it, and a few
 * invented ones from 13.0 on.
 *
 * @param version The release.
 * @returns Path and default value as JSON, in the order of config.json.
 */
export async function readSettings(
  version: string,
): Promise<readonly (readonly string[])[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(join(DIRECTORY, "settings"))) {
    names.push(name.replace(/\.tsv$/, ""));
  }
  const release = latest(names, version);
  const settings = [...await readTable(`settings/${release}.tsv`)];
  if (inRange(version, ">=13.0.0")) {
    const place = settings.findIndex(([path]) =>
      path === "TeamSettings.SiteName"
    );
    settings.splice(place, 0, ...INVENTED.slice(0, 2));
    settings.push(...INVENTED.slice(2));
  }
  return settings;
}

/** Settings that no release has. */
const INVENTED: readonly (readonly [string, string])[] = [
  ["TeamSettings.MaxHologramsPerTeam", "12"],
  ["TeamSettings.EnableHolograms", "false"],
  ["HologramSettings.Projector", '""'],
  ["HologramSettings.RefreshRate", "60"],
  ["HologramSettings.AllowedColors", "[]"],
];

/**
 * Finds the last release that is not newer than another one.
 *
 * @param releases The releases, in any order.
 * @param version The other one.
 * @returns The release; the oldest one if all are newer.
 */
export function latest(releases: readonly string[], version: string): string {
  const sorted = releases.toSorted(compareVersions);
  const found = sorted.findLast((release) =>
    compareVersions(release, version) <= 0
  );
  return found ?? sorted[0] ?? "";
}
