import assert from "node:assert/strict";
import { EntrypointError } from "../../../../lib/errors.ts";
import type { Json } from "../../../../lib/json.ts";
import { isJsonObject, valueAt } from "../../../../lib/json.ts";
import type { Observation, WatchPlan } from "../../../../lib/os/system.ts";
import { makePlan } from "../../../../lib/startup/plan.ts";
import {
  judge,
  type Judgement,
  requireAccepted,
  requireAcceptedLater,
} from "../../../../lib/startup/verdict/judge.ts";
import { writePlan } from "../../../../lib/startup/write_plan.ts";
import type { FakeSystem, World } from "../../../support/fake_system.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../../support/installation.ts";
import type { MemoryFiles } from "../../../support/memory_files.ts";

/** What a server sees: its configuration with the variables. */
type Read = (path: string) => Json | undefined;

/** A server that refuses with a sentence, and rewrites its configuration if it accepts it. */
function server(
  files: MemoryFiles,
  refuse: (read: Read) => string | undefined,
  add: Readonly<Record<string, Json>> = {},
): (plan: WatchPlan) => Observation {
  return ({ command: [, , path = ""], env }) => {
    const document: Json = JSON.parse(files.readText(path));
    const sentence = refuse((path) =>
      env[`MM_${path.toUpperCase().replace(".", "_")}`] ??
        valueAt(document, path)
    );
    if (sentence !== undefined) {
      return {
        lines: [
          `Error: failed to load configuration: invalid config: Config.IsValid: ${sentence}`,
          "Usage:",
        ],
        code: 1,
      };
    }
    assert.ok(isJsonObject(document));
    files.overwrite(path, JSON.stringify({ ...document, ...add }));
    return { lines: ["Failed to ping DB"], code: undefined };
  };
}

function positive(path: string): (read: Read) => string | undefined {
  return (read) => Number(read(path) ?? 1) > 0 ? undefined : `${path} is bad.`;
}

async function judged(
  world: World & { readonly files: MemoryFiles },
): Promise<{ judgement: Judgement; system: FakeSystem }> {
  const { system, context } = stage(world);
  const judgement = await judge(await makePlan(context), context);
  return { judgement, system };
}

Deno.test("the server is asked as its user, on a private copy that is removed afterwards", async () => {
  const files = installed();
  const seen: unknown[] = [];
  const { judgement, system } = await judged({
    files,
    watchChild(plan) {
      const [, , path = ""] = plan.command;
      const directory = path.replace(/\/config\.json$/, "");
      const [outer, inner] = [files.stat(directory), files.stat(path)];
      seen.push(
        [outer?.mode, outer?.uid, inner?.mode, inner?.uid],
        files.readText(path).includes(ENOUGH["DB_PASS"] ?? ""),
      );
      return server(files, () => undefined)(plan);
    },
  });
  assert.equal(judgement.kind, "accepted");
  assert.deepEqual(seen, [[0o700, 2000, 0o600, 2000], false]);
  const [child] = system.watched;
  assert.deepEqual(
    [child?.command.slice(0, 2), child?.cwd, child?.uid, child?.gid],
    [[`${INSTALL}/bin/mattermost`, "--config"], INSTALL, 2000, 2000],
  );
  assert.deepEqual(files.list("/tmp"), []);
});

Deno.test("each refused value is named with its variable or key, its value and what would be accepted", async () => {
  const files = installed();
  files.makeDirectory(`${INSTALL}/config`);
  files.place(
    `${INSTALL}/config/config.json`,
    JSON.stringify({
      TeamSettings: { MaxUsersPerTeam: 50, MaxChannelsPerTeam: 2000 },
      ServiceSettings: { ReadTimeout: 300 },
    }),
  );
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(
    CONFIG,
    JSON.stringify({ TeamSettings: { MaxChannelsPerTeam: 0 } }),
  );
  const checks = [
    "TeamSettings.MaxChannelsPerTeam",
    "RateLimitSettings.PerSec",
    "ServiceSettings.ReadTimeout",
  ].map(positive);
  const { judgement, system } = await judged({
    files,
    env: {
      ...ENOUGH,
      MM_SERVICESETTINGS_READTIMEOUT: "-1",
      MATTERMOST_RATE_LIMIT_QPS: "7",
    },
    watchChild: server(files, (read) =>
      // The entrypoint itself checks its settings, so this server refuses a good value.
      read("RateLimitSettings.PerSec") === 7
        ? "RateLimitSettings.PerSec is bad"
        : checks.map((check) => check(read)).find((each) => each)),
  });
  assert.equal(judgement.kind, "refused");
  const problems = "problems" in judgement ? judgement.problems : [];
  assert.deepEqual(problems, [
    {
      subject: "MATTERMOST_RATE_LIMIT_QPS",
      message:
        "Mattermost 11.7.9 refuses RateLimitSettings.PerSec, which is 7 because of MATTERMOST_RATE_LIMIT_QPS: RateLimitSettings.PerSec is bad",
      remedy:
        "Remove MATTERMOST_RATE_LIMIT_QPS, or set it so that RateLimitSettings.PerSec is a value that the server accepts",
    },
    {
      subject: "TeamSettings.MaxChannelsPerTeam",
      message:
        `Mattermost 11.7.9 refuses TeamSettings.MaxChannelsPerTeam, which is 0 in ${CONFIG}: TeamSettings.MaxChannelsPerTeam is bad`,
      remedy:
        `Set TeamSettings.MaxChannelsPerTeam in ${CONFIG} to a value that the server accepts, such as its default, 2000`,
    },
    {
      subject: "MM_SERVICESETTINGS_READTIMEOUT",
      message:
        'Mattermost 11.7.9 refuses MM_SERVICESETTINGS_READTIMEOUT, which is "-1": ServiceSettings.ReadTimeout is bad',
      remedy:
        "Remove MM_SERVICESETTINGS_READTIMEOUT, or set it to a value that the server accepts",
    },
  ]);
  assert.ok(system.watched.length <= 35, `${system.watched.length}`);
});

Deno.test("a refusal without a single reason is relayed, without secrets and control characters", async () => {
  const files = installed();
  const { judgement } = await judged({
    files,
    watchChild: ({ command: [, , path] }) => ({
      lines: [
        `Error: LoadConfig: cannot read ${path} \x1b]0;x\x07 "${
          ENOUGH["DB_PASS"]
        }"`,
      ],
      code: 1,
    }),
  });
  assert.deepEqual("problems" in judgement && judgement.problems, [{
    subject: "",
    message:
      `Mattermost 11.7.9 refuses the configuration: cannot read ${CONFIG} ]0;x "(hidden)"`,
  }]);
});

Deno.test("a server that gives no verdict does not stop a start", async () => {
  for (
    const [watchChild, reason] of [
      [
        () => ({ lines: [], code: undefined }),
        "it had to be stopped, and said nothing",
      ],
      [
        () => ({ lines: ["fatal error: out of memory"], code: 2 }),
        'it ended with code 2, and said "fatal error: out of memory"',
      ],
      [
        () => {
          throw Object.assign(new Error("x"), { code: "ENOEXEC" });
        },
        `${INSTALL}/bin/mattermost cannot be executed (ENOEXEC)`,
      ],
    ] as const
  ) {
    const { system, context } = stage({ files: installed(), watchChild });
    const accepted = await requireAccepted(await makePlan(context), context);
    assert.equal(accepted, undefined);
    assert.ok(
      system.err.text.includes(
        `The installed server did not say whether it accepts the configuration: ${reason}`,
      ),
      system.err.text,
    );
  }
});

Deno.test("root that cannot give a copy away leaves the question to the server's user", async () => {
  const files = installed();
  for (const path of ["/tmp", "/run"]) files.chmod(path, 0o777);
  files.makeDirectory("/opt/mattermost/data/config");
  const { system, context } = stage({ files });
  const plan = await makePlan(context);
  const remembered = await requireAccepted(plan, context);
  assert.equal(remembered, "later");
  assert.deepEqual([system.watched.length, system.err.text], [0, ""]);
  const served = { ...context, system: { ...system, uid: 2000, gid: 2000 } };
  files.nodes.delete("/tmp");
  const accepted = await requireAcceptedLater(remembered, plan, served);
  assert.equal(accepted?.digests.length, 1);
  assert.equal(system.watched.length, 1);
  // What has been answered is not asked again.
  assert.equal(await requireAcceptedLater(accepted, plan, served), accepted);
  assert.equal(system.watched.length, 1);
});

Deno.test("root makes no copy in a directory that the server's user can replace", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/tmp");
  files.chown("/opt/mattermost/data", { uid: 2000, gid: 2000 }, {});
  files.chown("/opt/mattermost/data/tmp", { uid: 0, gid: 0 }, {});
  const { judgement, system } = await judged({
    files,
    env: { ...ENOUGH, TMPDIR: "/opt/mattermost/data/tmp" },
  });
  assert.equal(judgement.kind, "accepted");
  assert.match(
    system.watched[0]?.command[2] ?? "",
    /^\/tmp\/mattermost-entrypoint-/,
  );
});

Deno.test("a user other than root takes the directory of config.json if there is no other", async () => {
  const files = installed();
  for (const path of ["/tmp", "/run"]) files.nodes.delete(path);
  files.makeDirectory("/opt/mattermost/data/config");
  const { judgement, system } = await judged({ files, uid: 2000, gid: 2000 });
  assert.equal(judgement.kind, "accepted");
  const [child] = system.watched;
  assert.match(
    child?.command[2] ?? "",
    /^\/opt\/mattermost\/data\/config\/mattermost-entrypoint-\w+\/config\.json$/,
  );
  assert.equal(child?.uid, undefined);
});

Deno.test("what a killed start has left is removed, and what a running one uses is not", async () => {
  const files = installed();
  for (const name of ["old", "new"]) {
    files.makeDirectory(`/tmp/mattermost-entrypoint-${name}`);
  }
  const { system } = stage({ files });
  for (const [name, age] of [["old", 200_000], ["new", 1000]] as const) {
    files.setModified(
      `/tmp/mattermost-entrypoint-${name}`,
      system.clock.now() - age,
    );
  }
  await judged({ files });
  assert.deepEqual(files.list("/tmp"), ["mattermost-entrypoint-new"]);
});

/** Starts up to the writing of config.json; returns how often the server was asked. */
async function start(
  files: MemoryFiles,
  world: World = {},
): Promise<number> {
  const { system, context } = stage({
    watchChild: server(files, () => undefined, {
      Added: { Default: true },
    }),
    ...world,
    files,
  });
  const plan = await makePlan(context);
  const accepted = await requireAccepted(plan, context);
  await writePlan(
    plan,
    context,
    await requireAcceptedLater(accepted, plan, context),
  );
  return system.watched.length;
}

Deno.test("the server is asked again only if something has changed", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  const edit = (
    change: (document: Record<string, Record<string, Json>>) => void,
  ): void => {
    const document = JSON.parse(files.readText(CONFIG));
    change(document);
    files.overwrite(CONFIG, JSON.stringify(document, null, 4));
  };
  assert.equal(await start(files), 1, "first start");
  assert.equal(await start(files), 0, "restart before the server wrote");
  edit((document) => document["Added"] = { Default: true });
  assert.equal(await start(files), 0, "the server has added a default");
  edit((document) => (document["TeamSettings"] ??= {})["MaxUsersPerTeam"] = 9);
  assert.equal(await start(files), 1, "an edit");
  assert.equal(await start(files), 0, "restart");
  const env = { ...ENOUGH, MM_TEAMSETTINGS_SITENAME: "x" };
  assert.equal(await start(files, { env }), 1, "a variable");
  assert.equal(await start(files, { env }), 0, "restart");
  assert.equal(await start(files), 1, "without the variable");
  files.place(`${INSTALL}/bin/mattermost`, "another program", 0o755);
  assert.equal(await start(files), 1, "another program");
  assert.equal(await start(files), 0, "restart");
  const defaults = { ...ENOUGH, MM_CUSTOM_DEFAULTS_PATH: "/run/defaults" };
  files.place("/run/defaults", "{}");
  assert.equal(await start(files, { env: defaults }), 1, "defaults");
  assert.equal(await start(files, { env: defaults }), 0, "restart");
  files.place("/run/defaults", '{"TeamSettings":{}}');
  assert.equal(await start(files, { env: defaults }), 1, "other defaults");
});

Deno.test("a secret that the server generates by itself is not asked about", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(CONFIG, '{"OtherSettings":{"SharedSalt":""}}');
  let count = 0;
  const watchChild = server(files, () => undefined);
  const generating = (plan: WatchPlan): Observation => {
    const result = watchChild(plan);
    const [, , path = ""] = plan.command;
    const document = JSON.parse(files.readText(path));
    document.OtherSettings.SharedSalt = `generated ${count++}`;
    files.overwrite(path, JSON.stringify(document));
    return result;
  };
  assert.equal(await start(files, { watchChild: generating }), 1);
  const document = JSON.parse(files.readText(CONFIG));
  document.OtherSettings.SharedSalt = "generated by the real start";
  files.overwrite(CONFIG, JSON.stringify(document));
  assert.equal(await start(files, { watchChild: generating }), 0);
});

Deno.test("a refusal ends a start with 78, before anything is written", async () => {
  const files = installed();
  const steps = files.journal.length;
  const error = await start(files, {
    watchChild: server(files, () => "No."),
  }).catch((error) => error);
  assert.ok(error instanceof EntrypointError);
  assert.equal(error.code, 78);
  assert.equal(
    error.message,
    "Mattermost 11.7.9 refuses this configuration, and nothing was written",
  );
  const changed = files.journal.slice(steps).filter((step) =>
    !step.includes("/tmp/")
  );
  assert.deepEqual(changed, []);
});
