/**
 * The default release in files that cannot import it: the Dockerfile, samples and documents.
 *
 * @module
 */

import { join, relative } from "node:path";
import { DEFAULT_RELEASE } from "../lib/default_release.ts";

/** A release as it is written in the files, except for 10.x, which samples name because it is the last one with MySQL. */
const RELEASE = String.raw`(?!10\.)\d+\.\d+\.\d+`;

/** The places where a release is the default one. */
const PLACES_REGEXP = new RegExp(
  [
    String.raw`(?<=^ARG MATTERMOST_VERSION=)${RELEASE}$`,
    String.raw`(?<=\bjasl8r/mattermost:)${RELEASE}\b`,
    String.raw`(?<=\bmattermost-team-)${RELEASE}(?=-linux-)`,
    String.raw`(?<=\bnewTag: )${RELEASE}$`,
    String.raw`(?<="release": ")${RELEASE}(?=")`,
    // Tags of this project: the release, and a number that is appended to it.
    String.raw`\b${RELEASE}(?=-\d+\b)`,
  ].join("|"),
  "gm",
);

/** Files and directories that name the default release. */
const ROOTS = [
  "Dockerfile",
  "docker-compose.yml",
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "docker/prebuilt/README.md",
  ".github",
  "docs",
  "samples",
];

const TEXT_REGEXP = /(?:\.md|\.ya?ml|Dockerfile)$/;

/**
 * Lists the files that may name the default release.
 *
 * @param root The directory of the project.
 * @returns Their paths in the project, sorted.
 */
export function filesWithRelease(root: string): string[] {
  const walk = (path: string): string[] =>
    Deno.statSync(path).isDirectory
      ? [...Deno.readDirSync(path)].flatMap(({ name }) =>
        walk(join(path, name))
      )
      : TEXT_REGEXP.test(path)
      ? [relative(root, path)]
      : [];
  return ROOTS.flatMap((name) => walk(join(root, name))).sort();
}

/**
 * Writes a release in all places of a text that name the default one.
 *
 * @param text The text of a file.
 * @param release The release, by default {@linkcode DEFAULT_RELEASE}.
 * @returns The text with the release.
 */
export function withRelease(text: string, release = DEFAULT_RELEASE): string {
  return text.replaceAll(PLACES_REGEXP, release);
}
