import assert from "node:assert/strict";
import type { PathProblem } from "../../../../lib/startup/directories/check_paths.ts";
import {
  checkPaths,
  requirePaths,
} from "../../../../lib/startup/directories/check_paths.ts";
import { prepareDirectories } from "../../../../lib/startup/directories/prepare_directories.ts";
import { makePlan, type Plan } from "../../../../lib/startup/plan.ts";
import { EntrypointError } from "../../../../lib/errors.ts";
import type { World } from "../../../support/fake_system.ts";
import type { Stage } from "../../../support/installation.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../../support/installation.ts";

const DATA = "/opt/mattermost/data";

/** A container whose directories root has given to user 2000, as which the process runs now. */
async function provided(
  { mounts = "", startedAs = 0, ...world }: World & {
    readonly mounts?: string;
    readonly startedAs?: number;
  } = {},
): Promise<Stage & { readonly plan: Plan }> {
  const files = installed();
  files.makeDirectory(`${INSTALL}/client/plugins`);
  files.makeDirectory("/tmp", 0o1777);
  files.makeDirectory("/proc/self");
  files.makeDirectory("/var/log");
  files.place("/proc/self/mounts", mounts);
  const first = stage({ files });
  await prepareDirectories(await makePlan(first.context), first.context);
  files.place(CONFIG, "{}");
  files.chown(CONFIG, { uid: 2000, gid: 2000 });
  const { system, context } = stage({ files, uid: 2000, gid: 2000, ...world });
  const served = { ...system, startedAs };
  return {
    system: served,
    context: { ...context, system: served },
    plan: await makePlan(context),
  };
}

async function check(
  { plan, system }: Stage & { readonly plan: Plan },
  writesProbes = true,
): Promise<readonly PathProblem[]> {
  const { journal } = system.files;
  const { length } = journal;
  const found = await checkPaths(plan, system, { writesProbes });
  if (!writesProbes) assert.deepEqual(journal.slice(length), []);
  return found;
}

function namesOf(found: readonly PathProblem[]): string[] {
  return found.map(({ subject }) => subject);
}

Deno.test("the directories that root gave to the server pass, and no probe file is left in them", async () => {
  for (const identity of [{}, { uid: 0, gid: 0 }]) {
    const world = await provided(identity);
    const before = [...world.system.files.nodes.keys()];
    assert.deepEqual(await check(world), []);
    assert.deepEqual(await check(world, false), []);
    assert.deepEqual([...world.system.files.nodes.keys()], before);
  }
});

Deno.test("a user that owns nothing gets a problem for each topmost directory", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  world.system.files.chmod(DATA, 0o755);
  const found = await check(world, false);
  assert.deepEqual(namesOf(found), [
    DATA,
    "/var/log/mattermost",
    `${INSTALL}/plugins`,
    `${INSTALL}/client/plugins`,
  ]);
  assert.deepEqual(found.map(({ isRequired }) => isRequired), [
    true,
    true,
    false,
    false,
  ]);
  assert.equal(
    found[0]?.message,
    `User 1234:1234 cannot write to ${DATA}, the directory of uploaded files: ${DATA} belongs to 2000:2000 with mode 0755`,
  );
});

Deno.test("a closed directory is reported once, not for each path in it", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  world.system.files.chmod(DATA, 0o750);
  const found = await check(world, false);
  assert.deepEqual(
    found.filter(({ message }) => message.includes(`${DATA} belongs`)).length,
    1,
  );
  assert.equal(found.some(({ isRequired }) => isRequired), true);
});

Deno.test("a parent directory that the user may not enter is reported as the cause", async () => {
  const world = await provided();
  const { files } = world.system;
  files.chmod("/opt", 0o700);
  // The kernel denies everything below a directory that the user may not enter.
  const refuse = (): never => {
    throw Object.assign(new Error("closed"), { code: "EACCES" });
  };
  files.realPath = refuse;
  files.fault = (_, what) =>
    / \/opt\//.test(what) ? { code: "EACCES" } : undefined;
  const stat = files.stat.bind(files);
  files.stat = (path) => path.startsWith("/opt/") ? refuse() : stat(path);
  const [first, ...rest] = await check(world);
  assert.equal(
    first?.message,
    "User 2000:2000 cannot write to /opt/mattermost/data/config, the directory of config.json: /opt belongs to 0:0 with mode 0700",
  );
  assert.equal(
    first?.remedy,
    "chmod o+x /opt   # so that the server's user can reach /opt/mattermost/data/config",
  );
  assert.ok(rest.every(({ message }) => message.includes("/opt belongs")));
});

Deno.test("a read-only volume is found by the table of mounts, and by the error of a probe", async () => {
  const mounts = "overlay / overlay rw 0 0\n" +
    `/dev/sdb ${DATA} ext4 ro,relatime 0 0\n`;
  const untouched = await provided({ mounts });
  const messages = [
    "User 2000:2000 cannot write to /opt/mattermost/data/config, the directory of config.json: " +
    `the volume at ${DATA} is mounted read-only`,
    "User 2000:2000 cannot write to /opt/mattermost/data/config/config.json, which the server writes when it starts: " +
    `the volume at ${DATA} is mounted read-only`,
    "User 2000:2000 cannot write to /opt/mattermost/data, the directory of uploaded files: " +
    `the volume at ${DATA} is mounted read-only`,
  ];
  const judged = await check(untouched, false);
  assert.deepEqual(judged.map(({ message }) => message), messages.slice(2));
  assert.equal(
    judged[0]?.remedy,
    `Remove :ro (or readOnly) from the volume at ${DATA}`,
  );

  const touched = await provided({ mounts });
  touched.system.files.fault = (_, what) =>
    what.split(" ")[1]?.startsWith(DATA) === true
      ? { code: "EROFS" }
      : undefined;
  const tried = await check(touched);
  assert.deepEqual(tried.map(({ message }) => message), messages.slice(2));
});

Deno.test("a full disk is reported as a full disk", async () => {
  const world = await provided({ uid: 2000, gid: 2000 });
  world.system.files.fault = (_, what) =>
    what.startsWith("make /var/log/") ? { code: "ENOSPC" } : undefined;
  assert.deepEqual(await check(world), [{
    subject: "/var/log/mattermost",
    isRequired: true,
    message:
      "User 2000:2000 cannot write to /var/log/mattermost, the directory of log files: no space is left on the device (ENOSPC)",
    remedy:
      "Free some space, then start again: df -h /var/log/mattermost; df -i /var/log/mattermost   # space, or inodes if IUse% is 100%",
  }]);
});

Deno.test("an error that owner and mode do not explain is reported with its code", async () => {
  const world = await provided({ uid: 2000, gid: 2000 });
  world.system.files.fault = (_, what) =>
    what.startsWith(`make ${INSTALL}/plugins/`)
      ? { code: "EACCES" }
      : undefined;
  const [problem, ...none] = await check(world);
  assert.deepEqual(none, []);
  assert.equal(
    problem?.message,
    `User 2000:2000 cannot write to ${INSTALL}/plugins, the directory of plugins: the system denies access with EACCES, although ${INSTALL}/plugins belongs to 2000:2000 with mode 0755`,
  );
});

Deno.test("a path that cannot be examined is reported with the error code", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  const { files } = world.system;
  const stat = files.stat.bind(files);
  files.stat = (path) => {
    if (!path.startsWith("/var/log")) return stat(path);
    throw Object.assign(new Error(path), { code: "EACCES" });
  };
  const found = await check(world, false);
  const problem = found.find(({ subject }) => subject.startsWith("/var/log"));
  assert.equal(
    problem?.message,
    "User 1234:1234 cannot write to /var/log/mattermost, the directory of log files: /var/log/mattermost cannot be examined (EACCES)",
  );
});

Deno.test("an error without a code is a bug and is thrown", async () => {
  const world = await provided();
  world.system.files.stat = () => {
    throw new RangeError("a bug");
  };
  await assert.rejects(
    checkPaths(world.plan, world.system, { writesProbes: true }),
    RangeError,
  );
});

Deno.test("a missing path is checked in the directory in which it will be created", async () => {
  const files = installed();
  files.makeDirectory("/tmp", 0o1777);
  const { system, context } = stage({ files, uid: 1234, gid: 1234 });
  const plan = await makePlan(context);
  const found = await checkPaths(plan, system, { writesProbes: false });
  assert.deepEqual(found.map(({ subject }) => subject), [
    "/opt/mattermost/data/config",
    "/opt/mattermost/data",
    "/var/log/mattermost",
    `${INSTALL}/plugins`,
    `${INSTALL}/client/plugins`,
  ]);
  assert.match(
    found[0]?.message ?? "",
    /: \/opt\/mattermost belongs to 0:0 with mode 0755$/,
  );
});

Deno.test("if Deno may not read /proc, cat reads the mounts", async () => {
  const mounts = `/dev/sdb ${DATA} ext4 ro 0 0\n`;
  const world = await provided({
    runChild: ({ command: [program, path] }) => ({
      code: 0,
      stdout: program === "cat" && path === "/proc/self/mounts" ? mounts : "",
      stderr: "",
    }),
  });
  world.system.files.remove("/proc/self/mounts");
  const [problem] = await check(world, false);
  assert.match(
    problem?.message ?? "",
    /the volume at .*\/data is mounted read-only$/,
  );
  assert.deepEqual(
    world.system.children.map(({ command }) => command),
    ["mounts", "uid_map", "gid_map"].map((
      name,
    ) => ["cat", `/proc/self/${name}`]),
  );
});

Deno.test("without a table of mounts, owners and modes decide", async () => {
  const world = await provided({
    runChild: () => {
      throw Object.assign(new Error("cat"), { code: "ENOENT" });
    },
  });
  world.system.files.remove("/proc/self/mounts");
  assert.deepEqual(await check(world, false), []);
});

Deno.test("a check as root expects a start to give only directories that nobody else can replace", async () => {
  const files = installed();
  files.makeDirectory("/tmp", 0o1777);
  files.makeDirectory(`${INSTALL}/client/plugins`);
  const { system, context } = stage({ files });
  const namesFound = async (): Promise<string[]> => {
    const plan = await makePlan(context);
    return namesOf(await checkPaths(plan, system, { writesProbes: false }));
  };
  assert.deepEqual(await namesFound(), []);
  // It still belongs to root, but the server's user can replace it.
  files.chown(`${INSTALL}/client`, { uid: 2000, gid: 2000 });
  assert.deepEqual(await namesFound(), [`${INSTALL}/client/plugins`]);
  // chown can give a directory inside the data directory safely, unless it is a link.
  files.makeDirectory(`${DATA}/config`);
  files.chown(DATA, { uid: 2000, gid: 2000 });
  assert.deepEqual(await namesFound(), [`${INSTALL}/client/plugins`]);
  files.nodes.delete(`${DATA}/config`);
  files.makeDirectory("/etc/root");
  files.link(`${DATA}/config`, "/etc/root");
  assert.deepEqual(await namesFound(), [
    `${DATA}/config`,
    `${INSTALL}/client/plugins`,
  ]);
});

Deno.test("a start ends with 73 for required paths, and warns about the others", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  world.system.files.chmod(DATA, 0o755);
  world.system.files.fault = (_, what) =>
    /^(mkdir|make|open)/.test(what) ? { code: "EACCES" } : undefined;
  await assert.rejects(
    requirePaths(world.plan, world.context),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        "User 1234:1234 cannot write to paths that Mattermost requires" &&
      error.problems.map(({ subject }) => subject).join(" ") ===
        `${DATA} /var/log/mattermost` &&
      error.problems.every((problem) => !("isRequired" in problem)),
  );
  assert.match(
    world.system.err.text,
    /warning: User 1234:1234 cannot write to .*\/plugins, the directory of plugins: /,
  );
});

Deno.test("a start that can write everything logs nothing", async () => {
  const { plan, system, context } = await provided();
  await requirePaths(plan, context);
  assert.equal(system.err.text, "");
});

Deno.test("the mmctl socket and TMPDIR are checked, log files and plugins only if they are enabled", async () => {
  const { system, context } = await provided({
    uid: 1234,
    gid: 1234,
    env: { ...ENOUGH, MATTERMOST_LOG_FILES: "false", TMPDIR: "/scratch" },
  });
  const { files } = system;
  files.chmod(DATA, 0o755);
  files.user = { uid: 0, gid: 0 };
  files.makeDirectory("/scratch", 0o700);
  files.makeDirectory("/var/tmp", 0o700);
  files.place(
    CONFIG,
    JSON.stringify({
      ServiceSettings: { EnableLocalMode: true },
      PluginSettings: { Enable: false },
    }),
  );
  const plan = await makePlan(context);
  const found = await checkPaths(plan, system, { writesProbes: false });
  assert.deepEqual(
    found.map(({ subject, isRequired }) => [subject, isRequired]),
    [
      [DATA, true],
      ["/var/tmp", true],
      ["/scratch", false],
    ],
  );
  assert.match(
    found[1]?.message ?? "",
    /cannot write to \/var\/tmp, the directory of the socket for mmctl --local: /,
  );
});

Deno.test("a closed directory of config.json is only a warning if config.json itself can be written", async () => {
  const world = await provided();
  const conf = `${DATA}/config`;
  world.system.files.chown(conf, { uid: 0, gid: 0 });
  world.system.files.chmod(conf, 0o755);
  const [problem, ...none] = await check(world, false);
  assert.deepEqual(none, []);
  assert.deepEqual([problem?.subject, problem?.isRequired], [conf, false]);
  world.system.files.chown(CONFIG, { uid: 0, gid: 0 });
  const [closed] = await check(world, false);
  assert.equal(closed?.isRequired, true);
});

const SUB_PATH = {
  ...ENOUGH,
  MATTERMOST_SITE_URL: "https://example.com/chat",
};
const PAGE = `${INSTALL}/client/root.html`;

/** The problems with the web client, for a site with a sub-path. */
async function clientProblems(
  page: string,
  { owner = { uid: 2000, gid: 2000 }, ...world }:
    & Parameters<
      typeof provided
    >[0]
    & { readonly owner?: { readonly uid: number; readonly gid: number } } = {},
): Promise<readonly PathProblem[]> {
  const given = await provided({ env: SUB_PATH, startedAs: 2000, ...world });
  const { files } = given.system;
  files.place(PAGE, page, 0o644);
  files.chown(PAGE, owner);
  const found = await check(given, false);
  return found.filter(({ subject }) => subject === PAGE);
}

Deno.test("with a sub-path, the server must be able to change its web client", async () => {
  const page = '<script src="/static/main.js"></script>';
  assert.deepEqual(await clientProblems(page), []);
  const readOnly = { mounts: "overlay / overlay ro 0 0\n" };
  assert.deepEqual(await clientProblems(page, readOnly), [{
    subject: PAGE,
    isRequired: true,
    message:
      `User 2000:2000 cannot write to ${PAGE}, the page of the web client, in which the server writes the path of the site URL: the root file system is read-only`,
    remedy:
      "echo 'services: {mattermost: {read_only: false}}' >docker-compose.override.yml   # or docker run without --read-only",
  }]);
  const changed = page.replace("/static/", "/chat/static/");
  assert.deepEqual(await clientProblems(changed, readOnly), []);
  assert.deepEqual(
    await clientProblems(page, { ...readOnly, env: ENOUGH }),
    [],
  );
  assert.deepEqual(
    await clientProblems(page, {
      ...readOnly,
      env: { ...SUB_PATH, MATTERMOST_VERSION: "5.0.0" },
    }),
    [],
  );
});

Deno.test("a web client of another user is no reason for a volume over it", async () => {
  const remedies = async (
    world: Parameters<typeof clientProblems>[1],
  ): Promise<(string | undefined)[]> =>
    (await clientProblems("", world)).map(({ remedy }) => remedy);
  assert.deepEqual(await remedies({ uid: 1234, gid: 1234 }), [
    'docker run --user 2000:2000 …   # in Compose: user: "2000:2000"',
  ]);
  assert.deepEqual(await remedies({ owner: { uid: 0, gid: 0 } }), [
    `RUN chown -R 2000:2000 ${INSTALL}/client   # in the Dockerfile of the image`,
  ]);
});

Deno.test("the directory of the local socket is required where the server would end", async () => {
  const required = async (version: string): Promise<readonly boolean[]> => {
    const world = await provided({
      env: {
        ...ENOUGH,
        MATTERMOST_VERSION: version,
        MATTERMOST_ENABLE_LOCAL_MODE: "true",
      },
      mounts: "overlay / overlay rw 0 0\ntmpfs /var/tmp tmpfs ro 0 0\n",
    });
    world.system.files.makeDirectory("/var/tmp", 0o1777);
    const found = await check(world, false);
    return found.filter(({ subject }) => subject === "/var/tmp")
      .map(({ isRequired }) => isRequired);
  };
  assert.deepEqual(await required("11.7.9"), [true]);
  assert.deepEqual(await required("5.37.10"), [false]);
});
