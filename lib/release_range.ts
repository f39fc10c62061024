/**
 * Parses, compares and formats releases of the server, and ranges of releases.
 *
 * @module
 */

import { compare } from "@std/semver/compare.js";
import { tryParse } from "@std/semver/try_parse.js";

/** A release of the server: https://semver.org without build metadata. */
export interface Version {
  /** 10 of `10.5.1`. */
  readonly major: number;
  /** 5 of `10.5.1`. */
  readonly minor: number;
  /** 1 of `10.5.1`. */
  readonly patch: number;
  /** `["rc1"]` of `10.5.0-rc1`; empty for a final release. */
  readonly prerelease: readonly string[];
}

/** A release as text, or parsed by {@linkcode parseVersion}. */
export type VersionLike = string | Version;

/** The most significant part in which two releases differ. */
export type VersionDifference =
  | "major"
  | "minor"
  | "patch"
  | "prerelease"
  | "none";

// A-Z and a-z instead of the flag "i", which triples the time to compile the expression.
// Build strings continue after the release: 5.37.0.5.37.10.1f3e….false
const VERSION_REGEXP =
  /^[vV]?(\d{1,5})\.(\d{1,5})(?:\.(\d{1,5}))?(?:-([0-9a-zA-Z][0-9a-zA-Z.-]*))?(?:\.[0-9a-zA-Z][^\s]*|\+[^\s]*)?$/;

/**
 * Parses a release leniently: `3.6`, `v3.6.0`, `10.5.0-rc1`, and the build strings of the
 * ping endpoint and of the header `X-Version-Id` (`3.6.0.3.6.1.1f3e….false`), which begin
 * with the release. Build metadata is dropped.
 *
 * @param text The text; blanks around it are ignored.
 * @returns The release; `undefined` if the text is not one.
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
 * Formats a release.
 *
 * @param version The release.
 * @returns A text such as `3.6.0` or `10.5.0-rc1`.
 */
export function formatVersion(version: Version): string {
  const release = `${version.major}.${version.minor}.${version.patch}`;
  return version.prerelease.length === 0
    ? release
    : `${release}-${version.prerelease.join(".")}`;
}

/**
 * Compares two releases. A release candidate is older than its release.
 *
 * @param left A release.
 * @param right Another release.
 * @returns Negative if left is older, positive if it is newer, 0 if they are equal.
 * @throws {RangeError} If a text is not a release.
 */
export function compareVersions(left: VersionLike, right: VersionLike): number {
  const [a, b] = [toVersion(left), toVersion(right)];
  const order = compareNumbers(a, b);
  if (order !== 0 || a.prerelease.length + b.prerelease.length === 0) {
    return order;
  }
  return compare(toSemVer(a), toSemVer(b));
}

/**
 * Checks whether a release is in a range. A release candidate counts as its release,
 * because it reads the same configuration and contains the same migrations.
 *
 * @param version The release.
 * @param range Comparators joined by blanks (and) and `||` (or): `>=3.8.0 <4.2.0 || >=11.0.0`.
 * @returns Whether the release is in the range.
 * @throws {RangeError} If the text is not a release.
 * @throws {TypeError} If the range is malformed.
 */
export function inRange(version: VersionLike, range: string): boolean {
  const release = toVersion(version);
  return parseRange(range).some((comparators) =>
    comparators.every((comparator) => allows(comparator, release))
  );
}

/**
 * Puts a range into words.
 *
 * @param range A range as {@linkcode inRange} takes it, with `>=` and `<` only.
 * @returns Words such as `3.5.0 and later, before 4.7.0`.
 * @throws {TypeError} If the range has other comparators.
 */
export function describeRange(range: string): string {
  return range.split(" || ").map((part) =>
    part.split(" ").map((bound) => {
      const [, sign, release] = /^(>=|<)(\d\S*)$/.exec(bound) ?? [];
      if (release === undefined) {
        throw new TypeError(`Cannot put the range "${range}" into words`);
      }
      return sign === "<" ? `before ${release}` : `${release} and later`;
    }).join(", ")
  ).join("; ");
}

/**
 * Finds the most significant part in which two releases differ.
 *
 * @param left A release.
 * @param right Another release.
 * @returns The part; `none` if the releases are equal.
 * @throws {RangeError} If a text is not a release.
 */
export function versionDifference(
  left: VersionLike,
  right: VersionLike,
): VersionDifference {
  const [a, b] = [toVersion(left), toVersion(right)];
  if (a.major !== b.major) return "major";
  if (a.minor !== b.minor) return "minor";
  if (a.patch !== b.patch) return "patch";
  return compareVersions(a, b) === 0 ? "none" : "prerelease";
}

/** The numbers of a release. */
type Numbers = Omit<Version, "prerelease">;

/** A comparison with a release: `<`, `<=`, `>` or `>=`. */
interface Comparator {
  readonly operator: string;
  readonly orEqual: boolean;
  readonly bound: Numbers;
}

/** A comparator, and `||` if an alternative follows. */
const COMPARATOR_REGEXP =
  /([<>])(=?)(\d+)\.(\d+)\.(\d+)(?: +(\|\| +)?(?=[<>])|$)/y;

// Caches, because the same few ranges and releases are compared many times.
const ranges = new Map<string, readonly (readonly Comparator[])[]>();
const versions = new Map<string, Version>();

/** Parses a range, faster than @std/semver, which supports all of semver's notations. */
function parseRange(text: string): readonly (readonly Comparator[])[] {
  const cached = ranges.get(text);
  if (cached !== undefined) return cached;
  let comparators: Comparator[] = [];
  const range = [comparators];
  COMPARATOR_REGEXP.lastIndex = 0;
  do {
    const match = COMPARATOR_REGEXP.exec(text);
    if (match === null) throw new TypeError(`The range "${text}" is malformed`);
    const [, operator = "", equal, major, minor, patch, or] = match;
    comparators.push({
      operator,
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
  { operator, orEqual, bound }: Comparator,
  release: Numbers,
): boolean {
  const order = compareNumbers(release, bound);
  return order === 0 ? orEqual : operator === "<" ? order < 0 : order > 0;
}

function compareNumbers(left: Numbers, right: Numbers): number {
  return left.major - right.major || left.minor - right.minor ||
    left.patch - right.patch;
}

function toVersion(version: VersionLike): Version {
  if (typeof version !== "string") return version;
  const parsed = versions.get(version) ?? parseVersion(version);
  if (parsed === undefined) {
    throw new RangeError(`"${version}" is not a release`);
  }
  versions.set(version, parsed);
  return parsed;
}

function toSemVer(version: Version): object {
  const prerelease = version.prerelease.map((part) =>
    /^\d+$/.test(part) ? Number(part) : part
  );
  return { ...version, prerelease, build: [] };
}

function isVersion(value: unknown): value is Version {
  return typeof value === "object" && value !== null && "major" in value &&
    "prerelease" in value && Array.isArray(value.prerelease);
}
