import assert from "node:assert/strict";
import {
  canGive,
  giveDirectories,
} from "../../../../lib/startup/directories/give_directories.ts";
import type { GivePlan } from "../../../../lib/os/system.ts";
import type { World } from "../../../support/fake_system.ts";
import { fakeSystem } from "../../../support/fake_system.ts";
import { Log } from "../../../../lib/log.ts";
import { MemoryFiles } from "../../../support/memory_files.ts";

const OWNER = { uid: 2000, gid: 2000 };
const OWN = ["/srv/data", "/srv/data/config", "/srv/log"];

interface Given {
  /** The plans that were carried out. */
  readonly gifts: readonly GivePlan[];
  /** The messages. */
  readonly text: string;
}

async function give(
  files: MemoryFiles,
  { own = OWN, installed = [], ...world }: World & {
    readonly own?: readonly string[];
    readonly installed?: readonly string[];
    /** Is called during the walk. */
    readonly during?: (plan: GivePlan, advance: (time: number) => void) => void;
  } = {},
): Promise<Given> {
  const system = fakeSystem({ files, ...world });
  const { giveDirectories: real } = system;
  system.giveDirectories = (plan) => {
    world.during?.(plan, (time) => void system.clock.sleep(time));
    return real(plan);
  };
  const config = "/srv/data/config/config.json";
  await giveDirectories({ own, installed, config }, OWNER, {
    system,
    log: new Log(system),
    signal: new AbortController().signal,
    runToCompletion: (work) => work,
  });
  return { gifts: system.gifts, text: system.err.text };
}

/** The directories after an earlier start: they belong to the server's user, who created the inner one. */
async function provided(): Promise<MemoryFiles> {
  const files = new MemoryFiles("/srv");
  await give(files);
  assert.equal(files.stat("/srv/data/config"), undefined);
  files.makeDirectory("/srv/data/config");
  files.chown("/srv/data/config", OWNER);
  return files;
}

Deno.test("directories that are missing or belong to somebody else are given, those of the settings by name", async () => {
  const files = new MemoryFiles("/srv/data/old", "/srv/plugins");
  files.place("/srv/data/old/file", "x");
  const { gifts, text } = await give(files, {
    installed: ["/srv/plugins", "/srv/none"],
  });
  assert.deepEqual(
    gifts.map(({ own, installed, owner, mountedFile }) => ({
      own,
      installed,
      owner,
      mountedFile,
    })),
    [{
      own: OWN,
      installed: ["/srv/plugins"],
      owner: { ...OWNER, groups: [] },
      mountedFile: "/srv/data/config/config.json",
    }],
  );
  assert.equal(text, "entrypoint: Gave /srv/data to user 2000:2000\n");
  assert.equal(files.stat("/srv/data/old/file")?.uid, 2000);
  assert.equal(files.stat("/srv/plugins")?.uid, 2000);
});

Deno.test("directories that belong to the server are not walked", async () => {
  const files = await provided();
  files.makeDirectory("/srv/data/uploads/deep");
  files.chown("/srv/data/uploads", OWNER);
  files.place("/srv/data/uploads/deep/late", "x");
  files.link("/srv/data/link", "/etc");
  const listed: string[] = [];
  const list = files.list.bind(files);
  files.list = (path) => {
    listed.push(path);
    return list(path);
  };
  assert.deepEqual(await give(files), { gifts: [], text: "" });
  assert.deepEqual(listed, OWN);
});

Deno.test("a file that was copied in later is given", async () => {
  const files = await provided();
  files.place("/srv/data/config/config.json", "{}");
  const { text } = await give(files);
  assert.match(text, /Gave \/srv\/data\/config to/);
  assert.equal(files.stat("/srv/data/config/config.json")?.uid, 2000);
});

Deno.test("a directory that root cannot examine is left to the server's user", async () => {
  const files = await provided();
  files.list = () => {
    throw Object.assign(new Error("closed"), { code: "EACCES" });
  };
  assert.deepEqual((await give(files)).gifts, []);
});

Deno.test("a directory that belongs to the server's user is not named where root could not give it", async () => {
  const files = await provided();
  files.nodes.delete("/srv/log");
  const { text } = await give(files, {
    giveReport: {
      given: [],
      withheld: OWN.map((path) => ({ path, exposed: "/srv" })),
      notGiven: [],
    },
  });
  assert.deepEqual(text.match(/\S+ was not given/g), [
    "/srv/log was not given",
  ]);
});

Deno.test("what was not given is named with its reason and a remedy", async () => {
  const { text } = await give(new MemoryFiles("/srv/data"), {
    giveReport: {
      given: [],
      withheld: [{ path: "/srv/log", exposed: "/srv" }],
      notGiven: [
        { reason: "links", path: "/srv/data/a", count: 1, cause: "" },
        { reason: "mount", path: "/srv/data/b", count: 1, cause: "" },
        { reason: "depth", path: "/srv/data/c", count: 3, cause: "" },
        { reason: "refused", path: "/srv/data/d", count: 2, cause: "no" },
      ],
    },
  });
  for (
    const line of [
      /warning: \/srv\/log was not given .* other users can write to \/srv and .*\n.*→ chown root:root \/srv &&/,
      /warning: \/srv\/data\/a was not given .* has several hard links .*\n.*→ cp -p \/srv\/data\/a /,
      /warning: \/srv\/data\/b was not given .* a mount of its own .*\n.*→ chown -R 2000:2000 \/srv\/data\/b /,
      /warning: \/srv\/data\/c \(1 of 3\) was not given .* 100 directories deep\n/,
      /warning: \/srv\/data\/d \(1 of 2\) could not be given to user 2000:2000: no\n.*→ On the host: chown -R /,
    ]
  ) assert.match(text, line);
});

Deno.test("a long walk reports how far it is, in the log every five seconds", async () => {
  const during = (plan: GivePlan, advance: (time: number) => void): void => {
    for (let count = 1; count <= 80; count++) {
      advance(100);
      plan.progress(count * 1000);
    }
  };
  const files = new MemoryFiles("/srv/data");
  const { text } = await give(files, { during });
  assert.deepEqual(text.trim().split("\n"), [
    "entrypoint: Giving the directories to user 2000:2000: 10000 files so far",
    "entrypoint: Giving the directories to user 2000:2000: 60000 files so far",
    "entrypoint: Gave /srv/data to user 2000:2000: 1 files and directories",
  ]);
  const shown = await give(new MemoryFiles("/srv/data"), {
    during,
    isTerminal: true,
  });
  assert.match(shown.text, /: 10000 files so far\r.*: 12000 files so far\r/);
  assert.ok(!shown.text.includes("far\n"));
});

Deno.test("root gives what nobody else could replace by something of more worth", async () => {
  const files = await provided();
  files.makeDirectory("/home/ann/data");
  files.makeDirectory("/home/ann/root");
  files.chown("/home/ann", { uid: 1000, gid: 1000 });
  files.chown("/home/ann/data", { uid: 1000, gid: 1000 });
  files.link("/srv/log/link", "/etc");
  files.chown("/srv/log/link", OWNER);
  const can = (path: string): boolean =>
    canGive(path, { own: OWN, user: OWNER }, files);
  assert.deepEqual(
    {
      own: can("/srv/data"),
      inside: can("/srv/data/config"),
      creatable: can("/srv/new/deep"),
      ofOneOwner: can("/home/ann/data"),
      ofRootInHome: can("/home/ann/root"),
      missingInHome: can("/home/ann/none"),
      link: can("/srv/log/link"),
    },
    {
      own: true,
      inside: true,
      creatable: true,
      ofOneOwner: true,
      ofRootInHome: false,
      missingInHome: false,
      link: false,
    },
  );
  files.chmod("/home/ann", 0o777);
  assert.equal(can("/home/ann/data"), false);
});
