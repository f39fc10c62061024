/**
 * The name of the image, and the default release in files that cannot import them: the
 * Dockerfile, samples, workflows and documents.
 *
 * @module
 */

import { join, relative } from "node:path";
import { DEFAULT_RELEASE } from "../lib/default_release.ts";

/** The name of the image on Docker Hub, and behind `ghcr.io/`. */
export const IMAGE = "jasl8r/mattermost";

/** The places where a name is that of the image. */
const IMAGE_REGEXP = new RegExp(
  [
    // With a tag, as the tag of a build in this directory, or as code.
    String
      .raw`(?<=[ =/-])(?!(?:bin|opt)/)[\w.-]+/mattermost(?=:(?:\d|TAG|\$\{)| \.$)`,
    String.raw`(?<=${"`"}(?:ghcr\.io/)?)(?!bin/)[\w.-]+/mattermost(?=${"`"})`,
    // In YAML.
    String
      .raw`(?<=\b(?:image|name|IMAGE): (?:docker\.io/)?)[\w.-]+/mattermost$`,
  ].join("|"),
  "gm",
);

/** A release as it is written in the files, except for 10.x, which samples name because it is the last one with MySQL. */
const RELEASE = String.raw`(?!10\.)\d+\.\d+\.\d+`;

/** The places where a release is the default one. */
const PLACES_REGEXP = new RegExp(
  [
    String.raw`(?<=\bMATTERMOST_VERSION(?:=|:-))${RELEASE}\b`,
    String.raw`(?<=[\w.-]+/mattermost:)${RELEASE}\b`,
    String.raw`(?<=\bmattermost-team-)${RELEASE}(?=-linux-)`,
    String.raw`(?<=\bnewTag: )${RELEASE}$`,
    String.raw`(?<="release": ")${RELEASE}(?=")`,
    // Tags of this project: the release, and a number that is appended to it.
    String.raw`\b${RELEASE}(?=-\d+\b)`,
  ].join("|"),
  "gm",
);

/** Files and directories that name the image or the default release. */
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

const TEXT_REGEXP = /(?:\.md|\.ya?ml|\.container|Dockerfile)$/;

/**
 * Lists the files that may name the image or the default release.
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
 * Writes the name of the image and the release in all places of a text that have them.
 *
 * @param text The text of a file.
 * @param options The release, by default {@linkcode DEFAULT_RELEASE}, and the name of the image,
 * by default {@linkcode IMAGE}.
 * @returns The text with both.
 */
export function withRelease(
  text: string,
  { release = DEFAULT_RELEASE, image = IMAGE } = {},
): string {
  return text.replaceAll(IMAGE_REGEXP, image)
    .replaceAll(PLACES_REGEXP, release);
}
