/**
 * Releases of the server: reading, ordering and ranges of them.
 *
 * The one module that compares releases; everything else asks it. It knows no
 * release and has no opinion about any.
 *
 * @module
 */

import { compare } from "@std/semver/compare.js";
import { tryParse } from "@std/semver/try_parse.js";

/** A release of the server. */
export interface Version {
  /** 10 of `10.5.1`. */
  readonly major: number;
  /** 5 of `10.5.1`. */
  readonly minor: number;
  /** 1 of `10.5.1`. */
  readonly patch: number;
  /** `["rc1"]` of `10.5.0-rc1`; empty for a release proper. */
  readonly prerelease: readonly string[];
}

/** A release as text or as read by {@linkcode parseVersion}. */
export type VersionLike = string | Version;

/** Which part of two releases differs, the most important one first. */
export type VersionStep = "major" | "minor" | "patch" | "prerelease" | "none";

// Letters in both cases: without regard to case a pattern takes three times as long to compile.
// Build strings go on behind the release: 5.37.0.5.37.10.1f3e….false
const VERSION_REGEXP =
  /^[vV]?(\d{1,5})\.(\d{1,5})(?:\.(\d{1,5}))?(?:-([0-9a-zA-Z][0-9a-zA-Z.-]*))?(?:\.[0-9a-zA-Z][^\s]*|\+[^\s]*)?$/;

/**
 * Reads a release leniently: `3.6`, `v3.6.0`, `10.5.0-rc1`, and the build
 * strings of the ping and of `X-Version-Id` (`3.6.0.3.6.1.1f3e….false`), whose
 * leading release counts. Build metadata is dropped.
 *
 * @param text The text, blanks around it allowed.
 * @returns The release, or `undefined` where the text is none.
 */
export function parseVersion(text: string): Version | undefined {
  const match = VERSION_REGEXP.exec(text.trim());
  if (match === null) return undefined;
  const [, major, minor, patch = "0", prerelease] = match;
  const numbers = {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
  };
  if (prerelease === undefined) return { ...numbers, prerelease: [] };
  const parsed: unknown = tryParse(
    `${Object.values(numbers).join(".")}-${prerelease}`,
  );
  return isVersion(parsed)
    ? { ...numbers, prerelease: parsed.prerelease.map(String) }
    : undefined;
}

/**
 * Writes a release the way the server names itself.
 *
 * @param version The release.
 * @returns `3.6.0`, `10.5.0-rc1`.
 */
export function formatVersion(version: Version): string {
  const release = `${version.major}.${version.minor}.${version.patch}`;
  return version.prerelease.length === 0
    ? release
    : `${release}-${version.prerelease.join(".")}`;
}

/**
 * Orders two releases; a release candidate comes before its release.
 *
 * @param left A release.
 * @param right Another one.
 * @returns Negative if left is older, positive if it is newer, 0 if they are the same.
 * @throws {RangeError} when one of them is no release.
 */
export function compareVersions(left: VersionLike, right: VersionLike): number {
  const [a, b] = [required(left), required(right)];
  const order = compareNumbers(a, b);
  if (order !== 0 || a.prerelease.length + b.prerelease.length === 0) {
    return order;
  }
  return compare(semver(a), semver(b));
}

/**
 * Tells whether a release lies in a range. A release candidate counts as its
 * release: it reads the same configuration and ships the same migrations.
 *
 * @param version The release.
 * @param range Comparators joined by blanks (and) and `||` (or): `>=3.8.0 <4.2.0 || >=11.0.0`.
 * @returns Whether it lies in the range.
 * @throws {RangeError} when the version is no release.
 * @throws {TypeError} when the range cannot be read.
 */
export function inRange(version: VersionLike, range: string): boolean {
  const release = required(version);
  return readRange(range).some((comparators) =>
    comparators.every((comparator) => allows(comparator, release))
  );
}

/**
 * The largest part in which two releases differ.
 *
 * @param left A release.
 * @param right Another one.
 * @returns The part, `none` for the same release.
 * @throws {RangeError} when one of them is no release.
 */
export function versionStep(
  left: VersionLike,
  right: VersionLike,
): VersionStep {
  const [a, b] = [required(left), required(right)];
  if (a.major !== b.major) return "major";
  if (a.minor !== b.minor) return "minor";
  if (a.patch !== b.patch) return "patch";
  return compareVersions(a, b) === 0 ? "none" : "prerelease";
}

/** The numbers of a release. */
type Numbers = Omit<Version, "prerelease">;

/** One of `<`, `<=`, `>` and `>=`, and a release. */
interface Comparator {
  readonly sign: string;
  readonly orEqual: boolean;
  readonly bound: Numbers;
}

/** A comparator, and whether an alternative follows. */
const COMPARATOR_REGEXP =
  /([<>])(=?)(\d+)\.(\d+)\.(\d+)(?: +(\|\| +)?(?=[<>])|$)/y;

// Ranges and releases are few, and are asked for over and over.
const ranges = new Map<string, readonly (readonly Comparator[])[]>();
const versions = new Map<string, Version>();

/** A small part of the time that a reader of all of semver's notations takes. */
function readRange(text: string): readonly (readonly Comparator[])[] {
  const known = ranges.get(text);
  if (known !== undefined) return known;
  let comparators: Comparator[] = [];
  const range = [comparators];
  COMPARATOR_REGEXP.lastIndex = 0;
  do {
    const found = COMPARATOR_REGEXP.exec(text);
    if (found === null) throw new TypeError(`Cannot read the range "${text}"`);
    const [, sign = "", equal, major, minor, patch, or] = found;
    comparators.push({
      sign,
      orEqual: equal === "=",
      bound: {
        major: Number(major),
        minor: Number(minor),
        patch: Number(patch),
      },
    });
    if (or !== undefined) range.push(comparators = []);
  } while (COMPARATOR_REGEXP.lastIndex < text.length);
  ranges.set(text, range);
  return range;
}

function allows(
  { sign, orEqual, bound }: Comparator,
  release: Numbers,
): boolean {
  const order = compareNumbers(release, bound);
  return order === 0 ? orEqual : sign === "<" ? order < 0 : order > 0;
}

function compareNumbers(left: Numbers, right: Numbers): number {
  return left.major - right.major || left.minor - right.minor ||
    left.patch - right.patch;
}

function required(version: VersionLike): Version {
  if (typeof version !== "string") return version;
  const parsed = versions.get(version) ?? parseVersion(version);
  if (parsed === undefined) {
    throw new RangeError(`Cannot compare "${version}": it is no release`);
  }
  versions.set(version, parsed);
  return parsed;
}

function semver(version: Version): object {
  const prerelease = version.prerelease.map((part) =>
    /^\d+$/.test(part) ? Number(part) : part
  );
  return { ...version, prerelease, build: [] };
}

function isVersion(value: unknown): value is Version {
  return typeof value === "object" && value !== null && "major" in value &&
    "prerelease" in value && Array.isArray(value.prerelease);
}
