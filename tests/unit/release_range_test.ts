import { equal, ok, throws } from "node:assert/strict";
import {
  compareVersions,
  describeRange,
  formatVersion,
  inRange,
  parseVersion,
  versionDifference,
} from "../../lib/release_range.ts";

const PARSED: readonly [text: string, release: string | undefined][] = [
  ["3.6.0", "3.6.0"],
  ["3.6", "3.6.0"],
  ["v3.6.0", "3.6.0"],
  ["V11.7.9", "11.7.9"],
  [" 11.7.9\n", "11.7.9"],
  ["10.5.0-rc1", "10.5.0-rc1"],
  ["10.5.0-rc.2", "10.5.0-rc.2"],
  ["10.5.0+enterprise", "10.5.0"],
  ["5.37.0.5.37.10.1f3e9ab.false", "5.37.0"],
  ["3.6.0.3.6.1.d41d8cd98f00b204e9800998ecf8427e.false", "3.6.0"],
  ["10.5.0.dev.abc", "10.5.0"],
  ["03.06.00", "3.6.0"],
  ["", undefined],
  ["3", undefined],
  ["latest", undefined],
  ["3.6.0 or so", undefined],
  ["3.6.0\n3.7.0", undefined],
  ["{}", undefined],
  ["-1.2.3", undefined],
  ["3.6.", undefined],
  ["3..6", undefined],
  ["999999999999.1.0", undefined],
];

Deno.test("parseVersion() accepts the notations of people and servers, and nothing else", () => {
  for (const [text, release] of PARSED) {
    const version = parseVersion(text);
    equal(version && formatVersion(version), release, JSON.stringify(text));
  }
});

const SORTED = [
  "2.2.0",
  "3.0.0",
  "3.6.0",
  "3.10.0",
  "4.9.4",
  "4.10.0",
  "10.5.0-rc1",
  "10.5.0-rc2",
  "10.5.0",
  "10.11.17",
  "11.0.0",
];

Deno.test("compareVersions() orders by number, and a release candidate before its release", () => {
  for (const [i, left] of SORTED.entries()) {
    for (const [j, right] of SORTED.entries()) {
      const order = compareVersions(left, right);
      equal(Math.sign(order), Math.sign(i - j), `${left} ${right}`);
    }
  }
});

Deno.test("compareVersions() throws if a text is not a release", () => {
  throws(() => compareVersions("latest", "3.6.0"), RangeError);
});

const RANGES: readonly [version: string, range: string, inside: boolean][] = [
  ["3.8.0", ">=3.8.0 <4.2.0", true],
  ["4.1.2", ">=3.8.0 <4.2.0", true],
  ["4.2.0", ">=3.8.0 <4.2.0", false],
  ["3.7.6", ">=3.8.0 <4.2.0", false],
  ["3.10.3", ">=3.8.0 <4.2.0", true],
  ["11.7.0-rc1", ">=11.0.0", true],
  ["11.0.0-rc1", ">=11.0.0", true],
  ["11.0.0-rc1", "<11.0.0", false],
  ["10.11.12", ">=10.11.11 <10.12.0 || >=11.2.0", true],
  ["11.1.0", ">=10.11.11 <10.12.0 || >=11.2.0", false],
  ["3.6", "<=3.6.0", true],
  ["12.0.0", ">=7.0.0", true],
];

Deno.test("inRange() treats a release candidate as its release", () => {
  for (const [version, range, inside] of RANGES) {
    equal(inRange(version, range), inside, `${version} in ${range}`);
  }
});

Deno.test("inRange() accepts a parsed release", () => {
  const version = parseVersion("4.0.5");
  ok(version);
  ok(inRange(version, ">=4.0.0 <4.1.0"));
});

Deno.test("inRange() throws if the range is malformed", () => {
  for (
    const range of [
      "",
      "3.0.0",
      ">=3.0",
      "=3.0.0",
      ">=3.0.0<4.0.0",
      ">=3.0.0 ",
      ">=3.0.0 ||",
      ">=3.0.0 || ",
      ">=3.0.0 x",
      "^3.0.0",
    ]
  ) {
    throws(() => inRange("3.0.0", range), TypeError, range);
  }
});

Deno.test("versionDifference() returns the most significant difference", () => {
  equal(versionDifference("3.6.0", "4.6.0"), "major");
  equal(versionDifference("3.6.0", "3.7.0"), "minor");
  equal(versionDifference("3.6.0", "3.6.1"), "patch");
  equal(versionDifference("3.6.0-rc1", "3.6.0"), "prerelease");
  equal(versionDifference("3.6", "3.6.0"), "none");
});

Deno.test("describeRange() puts ranges into words", () => {
  equal(describeRange("<3.9.0"), "before 3.9.0");
  equal(
    describeRange(">=3.5.0 <4.7.0"),
    "3.5.0 and later, before 4.7.0",
  );
  equal(
    describeRange("<4.0.3 || >=4.3.0"),
    "before 4.0.3; 4.3.0 and later",
  );
  throws(() => describeRange("^4.0.0"), TypeError);
});
