import assert from "node:assert/strict";
import type { PathProblem } from "../../../../lib/startup/directories/check_paths.ts";
import {
  checkPaths,
  requirePaths,
} from "../../../../lib/startup/directories/check_paths.ts";
import { provideDirectories } from "../../../../lib/startup/handoff.ts";
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

/** A container whose directories root has made and given to the server, which is user 2000 by now. */
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
  await provideDirectories(await makePlan(first.context), first.context);
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

async function examine(
  { plan, system }: Stage & { readonly plan: Plan },
  mayTouch = true,
): Promise<readonly PathProblem[]> {
  const { journal } = system.files;
  const { length } = journal;
  const found = await checkPaths(plan, system, { mayTouch });
  if (!mayTouch) assert.deepEqual(journal.slice(length), []);
  return found;
}

function namesOf(found: readonly PathProblem[]): string[] {
  return found.map(({ subject }) => subject);
}

Deno.test("what root has given to the server has nothing wrong, and nothing is left there", async () => {
  for (const identity of [{}, { uid: 0, gid: 0 }]) {
    const world = await provided(identity);
    const before = [...world.system.files.nodes.keys()];
    assert.deepEqual(await examine(world), []);
    assert.deepEqual(await examine(world, false), []);
    assert.deepEqual([...world.system.files.nodes.keys()], before);
  }
});

Deno.test("who is not the owner is told for every path, and only once for what is in it", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  world.system.files.chmod(DATA, 0o755);
  const found = await examine(world, false);
  assert.deepEqual(namesOf(found), [
    DATA,
    "/var/log/mattermost",
    `${INSTALL}/plugins`,
    `${INSTALL}/client/plugins`,
  ]);
  assert.deepEqual(found.map(({ vital }) => vital), [true, true, false, false]);
  assert.equal(
    found[0]?.message,
    `${DATA}, the directory of uploaded files, cannot be written by user 1234:1234: ${DATA} belongs to 2000:2000 with mode 0755`,
  );
});

Deno.test("a directory that nobody else may enter is told once, not for what is in it as well", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  world.system.files.chmod(DATA, 0o750);
  const found = await examine(world, false);
  assert.deepEqual(
    found.filter(({ message }) => message.includes(`${DATA} belongs`)).length,
    1,
  );
  assert.equal(found.some(({ vital }) => vital), true);
});

Deno.test("a directory on the way that may not be entered is to blame", async () => {
  const world = await provided();
  const { files } = world.system;
  files.chmod("/opt", 0o700);
  // As the kernel behaves towards who may not enter.
  const refuse = (): never => {
    throw Object.assign(new Error("closed"), { code: "EACCES" });
  };
  files.realPath = refuse;
  files.fault = (_, what) =>
    / \/opt\//.test(what) ? { code: "EACCES" } : undefined;
  const stat = files.stat.bind(files);
  files.stat = (path) => path.startsWith("/opt/") ? refuse() : stat(path);
  const [first, ...rest] = await examine(world);
  assert.equal(
    first?.message,
    "/opt/mattermost/data/config, the directory of config.json, cannot be written by user 2000:2000: /opt belongs to 0:0 with mode 0700",
  );
  assert.equal(
    first?.remedy,
    "chmod o+x /opt   # so that the server's user gets to /opt/mattermost/data/config",
  );
  assert.ok(rest.every(({ message }) => message.includes("/opt belongs")));
});

Deno.test("a volume that is mounted read-only is found without touching it, and by its error", async () => {
  const mounts = "overlay / overlay rw 0 0\n" +
    `/dev/sdb ${DATA} ext4 ro,relatime 0 0\n`;
  const untouched = await provided({ mounts });
  const told = [
    "/opt/mattermost/data/config, the directory of config.json, cannot be written by user 2000:2000: " +
    `what is mounted at ${DATA} is read-only`,
    "/opt/mattermost/data/config/config.json, which the server writes at its start, cannot be written by user 2000:2000: " +
    `what is mounted at ${DATA} is read-only`,
    "/opt/mattermost/data, the directory of uploaded files, cannot be written by user 2000:2000: " +
    `what is mounted at ${DATA} is read-only`,
  ];
  const judged = await examine(untouched, false);
  assert.deepEqual(judged.map(({ message }) => message), told.slice(2));
  assert.equal(
    judged[0]?.remedy,
    `Mount it writable: remove :ro (or readOnly) from the volume at ${DATA}`,
  );

  const touched = await provided({ mounts });
  touched.system.files.fault = (_, what) =>
    what.split(" ")[1]?.startsWith(DATA) === true
      ? { code: "EROFS" }
      : undefined;
  const tried = await examine(touched);
  assert.deepEqual(tried.map(({ message }) => message), told.slice(2));
});

Deno.test("a full disk is told as one", async () => {
  const world = await provided({ uid: 2000, gid: 2000 });
  world.system.files.fault = (_, what) =>
    what.startsWith("make /var/log/") ? { code: "ENOSPC" } : undefined;
  assert.deepEqual(await examine(world), [{
    subject: "/var/log/mattermost",
    vital: true,
    message:
      "/var/log/mattermost, the directory of log files, cannot be written by user 2000:2000: the disk is full",
    remedy: "df -h /var/log/mattermost   # make room there",
  }]);
});

Deno.test("a refusal that owner and mode do not explain is told with its code", async () => {
  const world = await provided({ uid: 2000, gid: 2000 });
  world.system.files.fault = (_, what) =>
    what.startsWith(`make ${INSTALL}/plugins/`)
      ? { code: "EACCES" }
      : undefined;
  const [diagnosis, ...none] = await examine(world);
  assert.deepEqual(none, []);
  assert.equal(
    diagnosis?.message,
    `${INSTALL}/plugins, into which the server unpacks plugins, cannot be written by user 2000:2000: ${INSTALL}/plugins refuses with EACCES, though its owner 2000:2000 and mode 0755 permit it`,
  );
});

Deno.test("a path that may not even be looked at is told with its code", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  const { files } = world.system;
  const stat = files.stat.bind(files);
  files.stat = (path) => {
    if (!path.startsWith("/var/log")) return stat(path);
    throw Object.assign(new Error(path), { code: "EACCES" });
  };
  const found = await examine(world, false);
  const diagnosis = found.find(({ subject }) => subject.startsWith("/var/log"));
  assert.equal(
    diagnosis?.message,
    "/var/log/mattermost, the directory of log files, cannot be written by user 1234:1234: /var/log/mattermost: EACCES",
  );
});

Deno.test("a bug in the way of a path stays a bug", async () => {
  const world = await provided();
  world.system.files.stat = () => {
    throw new RangeError("a bug");
  };
  await assert.rejects(
    checkPaths(world.plan, world.system, { mayTouch: true }),
    RangeError,
  );
});

Deno.test("what is not there yet is judged where it will be made", async () => {
  const files = installed();
  files.makeDirectory("/tmp", 0o1777);
  const { system, context } = stage({ files, uid: 1234, gid: 1234 });
  const plan = await makePlan(context);
  const found = await checkPaths(plan, system, { mayTouch: false });
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

Deno.test("without /proc, which the runtime may close, cat is asked for the mounts", async () => {
  const mounts = `/dev/sdb ${DATA} ext4 ro 0 0\n`;
  const world = await provided({
    runChild: ({ command: [program, path] }) => ({
      code: 0,
      stdout: program === "cat" && path === "/proc/self/mounts" ? mounts : "",
      stderr: "",
    }),
  });
  world.system.files.remove("/proc/self/mounts");
  const [diagnosis] = await examine(world, false);
  assert.match(
    diagnosis?.message ?? "",
    /what is mounted at .*\/data is read-only$/,
  );
  assert.deepEqual(
    world.system.children.map(({ command }) => command),
    ["mounts", "uid_map", "gid_map"].map((
      name,
    ) => ["cat", `/proc/self/${name}`]),
  );
});

Deno.test("where nothing tells about mounts, owners and modes decide", async () => {
  const world = await provided({
    runChild: () => {
      throw Object.assign(new Error("cat"), { code: "ENOENT" });
    },
  });
  world.system.files.remove("/proc/self/mounts");
  assert.deepEqual(await examine(world, false), []);
});

Deno.test("a check as root counts on a start as root only where nobody else can exchange the name", async () => {
  const files = installed();
  files.makeDirectory("/tmp", 0o1777);
  files.makeDirectory(`${INSTALL}/client/plugins`);
  const { system, context } = stage({ files });
  const namesFound = async (): Promise<string[]> => {
    const plan = await makePlan(context);
    return namesOf(await checkPaths(plan, system, { mayTouch: false }));
  };
  assert.deepEqual(await namesFound(), []);
  // Still root's, but in a directory of the server's user.
  files.chown(`${INSTALL}/client`, { uid: 2000, gid: 2000 });
  assert.deepEqual(await namesFound(), [`${INSTALL}/client/plugins`]);
  // The configuration in the data is given all the same, unless it is a link.
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

Deno.test("a start stops with 73 for what is vital, and warns of the rest", async () => {
  const world = await provided({ uid: 1234, gid: 1234 });
  world.system.files.chmod(DATA, 0o755);
  world.system.files.fault = (_, what) =>
    /^(mkdir|make|open)/.test(what) ? { code: "EACCES" } : undefined;
  await assert.rejects(
    requirePaths(world.plan, world.context),
    (error) =>
      error instanceof EntrypointError && error.code === 73 &&
      error.message ===
        "The server, as user 1234:1234, could not write what it must" &&
      error.problems.map(({ subject }) => subject).join(" ") ===
        `${DATA} /var/log/mattermost` &&
      error.problems.every((problem) => !("vital" in problem)),
  );
  assert.match(
    world.system.err.text,
    /warning: .*\/plugins, into which the server unpacks plugins, cannot be/,
  );
});

Deno.test("a start that may write everything goes on in silence", async () => {
  const { plan, system, context } = await provided();
  await requirePaths(plan, context);
  assert.equal(system.err.text, "");
});

Deno.test("the socket of mmctl and the directory of TMPDIR are tried, log files and plugins only where they are on", async () => {
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
  const found = await checkPaths(plan, system, { mayTouch: false });
  assert.deepEqual(found.map(({ subject, vital }) => [subject, vital]), [
    [DATA, true],
    ["/var/tmp", false],
    ["/scratch", false],
  ]);
  assert.match(
    found[1]?.message ?? "",
    /, in which the server makes the socket of mmctl --local, cannot/,
  );
});
