import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import {
  confirmLines,
  confirmRelease,
  findRelease,
  installedProgram,
} from "../../../lib/mattermost/installed_release.ts";
import { releaseFacts } from "../../../lib/mattermost/releases.ts";
import type { Observation, WatchPlan } from "../../../lib/os/system.ts";
import { type FakeSystem, fakeSystem } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const HOME = "/opt/mattermost";
const MATTERMOST = `${HOME}/bin/mattermost`;
const PLATFORM = `${HOME}/bin/platform`;
const IDENTITY = { uid: 2000, gid: 2000 };

/** What a server says, or an error if it cannot be executed. */
type Words = Observation | Error;

/** An installed server, as its package and its command line are. */
interface Server {
  readonly programs: readonly string[];
  /** Its answer to `version --skip-server-start`. */
  readonly offline?: Words;
  /** Its answer to `version`. */
  readonly plain?: Words;
}

const UNKNOWN_OPTION: Observation = {
  lines: ["Error: unknown flag: --skip-server-start", "Usage:"],
  code: 1,
};

/** Killed when it began to connect to its database. */
const CONNECTS: Observation = {
  lines: ['{"level":"info","msg":"Pinging SQL master database"}'],
  code: undefined,
};

/** Killed because it did not answer in time. */
const HANGS: Observation = { lines: ["starting"], code: undefined };

function says(version: string, build = "dev"): Observation {
  return { lines: [`Version: ${version}`, `Build Number: ${build}`], code: 0 };
}

const SERVERS = {
  none: { programs: [] },
  "3.6.7": { programs: [PLATFORM] },
  "5.20.0": { programs: [MATTERMOST, PLATFORM], offline: UNKNOWN_OPTION },
  "5.20.0 without bin/platform": {
    programs: [MATTERMOST],
    offline: UNKNOWN_OPTION,
    plain: CONNECTS,
  },
  "5.30.3": {
    programs: [MATTERMOST, PLATFORM],
    offline: says("5.30.0", "5.30.3"),
  },
  "6.3.10 built by somebody": {
    programs: [MATTERMOST],
    offline: says("6.3.0"),
  },
  "11.7.9": {
    programs: [MATTERMOST],
    offline: {
      lines: [
        "Flag --skip-server-start has been deprecated, it is not necessary",
        ...says("11.7.9", "11.7.9-rc2").lines,
      ],
      code: 0,
    },
  },
  "13.4.0": {
    programs: [MATTERMOST],
    offline: UNKNOWN_OPTION,
    plain: says("13.4.0", "987654321"),
  },
  hanging: { programs: [MATTERMOST], offline: HANGS },
  "without words": {
    programs: [MATTERMOST],
    offline: { lines: ["Version: new"], code: 0 },
  },
  broken: {
    programs: [MATTERMOST],
    offline: { lines: ["panic"], code: 2 },
    plain: { lines: ["panic"], code: 2 },
  },
  "not executable": {
    programs: [MATTERMOST],
    offline: Object.assign(new Error("closed"), { code: "EACCES" }),
  },
} satisfies Readonly<Record<string, Server>>;

function install({ programs, offline, plain }: Server): FakeSystem {
  const files = new MemoryFiles(`${HOME}/bin`);
  for (const program of programs) files.place(program, "", 0o755);
  return fakeSystem({
    files,
    watchChild({ command: [program, ...args] }) {
      equal(program, MATTERMOST);
      const words = args.length === 1 ? plain : offline;
      ok(words, `${args} must not be run`);
      if (words instanceof Error) throw words;
      return words;
    },
  });
}

async function find(server: Server): Promise<string | undefined> {
  const installation = { configuredVersion: undefined, home: HOME };
  try {
    return (await findRelease(installation, install(server))).version;
  } catch (error) {
    ok(error instanceof EntrypointError && error.code === 78, String(error));
    match(error.remedy ?? "", /^MATTERMOST_VERSION=\d/);
    return error.message.replace(/^.* is not set, and /, "");
  }
}

/** Whether the stated release is confirmed, or why the server is another one. */
async function confirm(
  stated: string,
  server: Server,
): Promise<boolean | string> {
  const installation = { configuredVersion: stated, home: HOME };
  try {
    const release = releaseFacts(stated);
    return await confirmRelease(release, installation, install(server));
  } catch (error) {
    ok(error instanceof EntrypointError && error.code === 78, String(error));
    match(error.remedy ?? "", /^Remove MATTERMOST_VERSION .*the image/);
    return error.message.replace(/^MATTERMOST_VERSION is \S+, but /, "");
  }
}

Deno.test("findRelease() asks each server in the way that is safe for it", async () => {
  const tooOld = `the server in ${HOME} is too old to report its release`;
  const silent = `the server in ${HOME} does not report its release`;
  const expected: Readonly<Record<keyof typeof SERVERS, string>> = {
    none: `no server is installed in ${HOME}`,
    "3.6.7": tooOld,
    "5.20.0": tooOld,
    "5.20.0 without bin/platform": tooOld,
    "5.30.3": "5.30.3",
    "6.3.10 built by somebody": "6.3.0",
    "11.7.9": "11.7.9",
    "13.4.0": "13.4.0",
    hanging: silent,
    "without words": silent,
    broken: silent,
    "not executable":
      `the server in ${HOME} cannot be executed: permission denied (EACCES)`,
  };
  for (const [name, server] of Object.entries(SERVERS)) {
    equal(await find(server), expected[name as keyof typeof SERVERS], name);
  }
});

Deno.test("confirmRelease() refuses a server of another release, whichever release is stated", async () => {
  const reports = (version: string): string =>
    `the server in ${HOME} reports release ${version}`;
  const old =
    `the program of the server is ${PLATFORM}, which only releases before 5.0 have`;
  const recent =
    `the program of the server is ${MATTERMOST}, which only releases from 5.0 on have`;
  const cases: readonly (readonly [
    keyof typeof SERVERS,
    Readonly<Record<string, boolean | string>>,
  ])[] = [
    ["none", { "3.6.7": true, "11.7.9": true }],
    ["3.6.7", { "3.6.7": true, "4.10.10": true, "5.0.0": old, "11.7.9": old }],
    ["5.20.0", { "3.6.7": recent, "5.20.0": true, "5.27.0": true }],
    ["5.20.0 without bin/platform", { "5.20.0": true, "4.0.0": recent }],
    ["5.30.3", {
      "5.30.3": true,
      "5.30.2": reports("5.30.3"),
      "5.31.0": reports("5.30.3"),
    }],
    ["6.3.10 built by somebody", {
      "6.3.0": true,
      "6.3.10": true,
      "11.7.9": reports("6.3.0"),
    }],
    ["11.7.9", {
      "3.6.7": reports("11.7.9"),
      "5.20.0": reports("11.7.9"),
      "5.37.10": reports("11.7.9"),
      "11.7.9": true,
      "v11.7.9": true,
      "11.7.9-rc1": true,
      "11.7.0": reports("11.7.9"),
      "12.0.0": reports("11.7.9"),
    }],
    ["13.4.0", {
      "13.4.0": true,
      "13.4.2": true,
      "5.20.0": reports("13.4.0"),
    }],
    ["hanging", { "11.7.9": false, "3.6.7": recent }],
    ["broken", { "11.7.9": false }],
    ["not executable", { "11.7.9": false }],
  ];
  for (const [name, statements] of cases) {
    for (const [stated, expected] of Object.entries(statements)) {
      equal(
        await confirm(stated, SERVERS[name]),
        expected,
        `${stated} on ${name}`,
      );
    }
  }
});

Deno.test("confirmLines() compares what a server printed when it was started", () => {
  const compare = (stated: string | undefined, line: string): string => {
    const release = releaseFacts(stated ?? "3.3.0");
    const installation = { configuredVersion: stated, home: HOME };
    try {
      confirmLines(release, installation, ["Loaded translations", line]);
      return "same";
    } catch (error) {
      ok(error instanceof EntrypointError && error.code === 78, String(error));
      return error.message;
    }
  };
  const started = (version: string, build: string): string =>
    `[2026/11/26 12:34:49 UTC] [INFO] Current version is ${version} (${build}/x/x/none)`;
  const line = started("3.6.0", "3.6.7");
  equal(compare("3.6.7", line), "same");
  equal(compare("3.6.0", started("3.6.0", "dev")), "same");
  equal(compare("3.6.7", started("3.6.0", "")), "same");
  equal(
    compare("3.3.0", line),
    `MATTERMOST_VERSION is 3.3.0, but the server in ${HOME} reports release 3.6.7`,
  );
  equal(compare("3.3.0", "Server is initializing..."), "same");
  // What was found out instead of being stated cannot differ.
  equal(compare(undefined, line), "same");
});

Deno.test("without MATTERMOST_VERSION there is nothing to confirm", async () => {
  const system = install({ programs: [MATTERMOST] });
  const installation = { configuredVersion: undefined, home: HOME };
  ok(await confirmRelease(releaseFacts("11.7.9"), installation, system));
  deepEqual(system.watched, []);
});

Deno.test("the server answers as its own user, without its settings, and cannot reach a database", async () => {
  const system = install(SERVERS["6.3.10 built by somebody"]);
  const installation = {
    configuredVersion: "6.3.0",
    home: HOME,
    identity: IDENTITY,
  };
  await confirmRelease(releaseFacts("6.3.0"), installation, system);
  const [plan, ...others] = system.watched;
  deepEqual(others, []);
  ok(plan);
  const { command, cwd, uid, gid, env } = plan;
  deepEqual({ command, cwd, uid, gid, env }, {
    command: [MATTERMOST, "version", "--skip-server-start"],
    cwd: HOME,
    ...IDENTITY,
    env: {
      MM_SQLSETTINGS_DRIVERNAME: "postgres",
      MM_SQLSETTINGS_DATASOURCE:
        "postgres://127.0.0.1:1/none?connect_timeout=1",
    },
  });
});

Deno.test("the server is killed as soon as it has answered, or begins to connect", async () => {
  const system = install(SERVERS["6.3.10 built by somebody"]);
  const installation = { configuredVersion: "6.3.0", home: HOME };
  await confirmRelease(releaseFacts("6.3.0"), installation, system);
  const { isEnough } = system.watched[0] as WatchPlan;
  for (
    const [line, expected] of [
      ["Version: 6.3.0", false],
      ["Build Number: 6.3.10", true],
      ["Flag --skip-server-start has been deprecated", false],
      ["2022/01/01 Pinging SQL master database", true],
      ["[CRIT] Failed to ping DB err:dial tcp", true],
    ] as const
  ) {
    equal(isEnough?.(line), expected, line);
  }
});

Deno.test("an error that is none of the system's is a bug", async () => {
  const server = { programs: [MATTERMOST], offline: new TypeError("a bug") };
  const installation = { configuredVersion: "11.7.9", home: HOME };
  await rejects(
    confirmRelease(releaseFacts("11.7.9"), installation, install(server)),
    TypeError,
  );
});

Deno.test("installedProgram() does not take this program for the server", () => {
  const files = new MemoryFiles(`${HOME}/bin`, "/proc/self", "/usr/local/bin");
  files.place("/usr/local/bin/mattermost-entrypoint", "", 0o755);
  files.link("/proc/self/exe", "/usr/local/bin/mattermost-entrypoint");
  files.link(MATTERMOST, "/usr/local/bin/mattermost-entrypoint");
  equal(installedProgram(HOME, files), undefined);
  files.place(PLATFORM, "", 0o755);
  equal(installedProgram(HOME, files), PLATFORM);
});
