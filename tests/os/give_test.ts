/**
 * giveDirectories() and filesFor() on real directories, as root.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import type { Descriptors } from "../../lib/os/descriptors.ts";
import {
  openDescriptors,
  SystemCallError,
  textOf,
} from "../../lib/os/descriptors.ts";
import { errorCode } from "../../lib/errors.ts";
import { filesFor } from "../../lib/os/served_files.ts";
import { giveDirectories } from "../../lib/os/give.ts";
import type { GivePlan, GiveReport } from "../../lib/os/system.ts";
import { run } from "../../tools/shared/process.ts";
import { MOUNTS, NAMESPACE, ROOT_USER, testWith } from "../support/needs.ts";

const FIXTURE = join(
  dirname(import.meta.dirname ?? "."),
  "fixtures/give_fixture.ts",
);
const SERVER = { uid: 2000, gid: 2000 };

/** A temporary directory of root that everybody can enter; `await using` removes it. */
class Place implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  at(path: string): string {
    return join(this.path, path);
  }

  /** Creates files, and directories where a path ends with a slash. */
  async make(...paths: string[]): Promise<void> {
    for (const path of paths) {
      const directory = path.endsWith("/") ? path : dirname(path);
      await Deno.mkdir(this.at(directory), { recursive: true });
      if (!path.endsWith("/")) await Deno.writeTextFile(this.at(path), path);
    }
  }

  async chown(owner: string, ...paths: string[]): Promise<void> {
    await run(["chown", "-hR", owner, ...paths.map((path) => this.at(path))]);
  }

  /** Owner, group, mode and content of everything below a path. */
  async facts(path: string): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    const walk = async (each: string): Promise<void> => {
      const { uid, gid, mode, isDirectory, isFile } = await Deno.lstat(each);
      const text = isFile ? await Deno.readTextFile(each) : "";
      found[relative(this.path, each)] = `${uid}:${gid} ${mode} ${text}`;
      if (!isDirectory) return;
      for await (const { name } of Deno.readDir(each)) {
        await walk(join(each, name));
      }
    };
    await walk(this.at(path));
    return found;
  }

  async owner(path: string): Promise<string> {
    const { uid, gid } = await Deno.lstat(this.at(path));
    return `${uid}:${gid}`;
  }

  async give(
    paths: readonly string[],
    { descriptors, ...more }: Partial<GivePlan> & {
      readonly descriptors?: Descriptors;
    } = {},
  ): Promise<GiveReport> {
    const report = await giveDirectories({
      own: paths.map((path) => this.at(path)),
      installed: [],
      mountedFile: "",
      owner: SERVER,
      signal: new AbortController().signal,
      progress: () => {},
      ...more,
    }, descriptors);
    return this.#relative(report);
  }

  /** Gives in a mount namespace of its own, after a script. */
  async giveMounted(
    script: string,
    plan: Partial<GivePlan>,
  ): Promise<GiveReport> {
    const { stdout, stderr, code } = await new Deno.Command("unshare", {
      args: [
        ...NAMESPACE.slice(1),
        ...["sh", "-ec", `${script}\nexec "$@"`, "sh"],
        ...[Deno.execPath(), "run", "-A", "--quiet", FIXTURE],
      ],
      cwd: this.path,
      env: { PLAN: JSON.stringify(plan) },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return this.#relative(JSON.parse(new TextDecoder().decode(stdout)));
  }

  /** Replaces the path of the directory by nothing, to compare reports. */
  #relative(report: GiveReport): GiveReport {
    return JSON.parse(
      JSON.stringify(report).replaceAll(`${this.path}/`, ""),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

async function createPlace(): Promise<Place> {
  const path = await Deno.makeTempDir({ prefix: "entrypoint-give-" });
  await Deno.chmod(path, 0o755);
  return new Place(path);
}

const NOTHING: GiveReport = { given: [], withheld: [], notGiven: [] };

testWith(
  [ROOT_USER],
  "a tree is given with all that is in it, and is not walked again",
  async () => {
    for (const owner of ["0:0", "1000:1000", "2000:0"]) {
      await using place = await createPlace();
      await place.make("data/a/b/c/file", "data/file", "data/empty/", "etc/x");
      await Deno.symlink("../etc", place.at("data/link"));
      await Deno.writeFile(
        place.at("data/a") + "/\u00e9\ud83d\ude00",
        new Uint8Array(),
      );
      await run(["mkfifo", place.at("data/a/fifo")]);
      await place.chown(owner, "data");
      const before = await place.facts("etc");
      const report = await place.give(["data"]);
      assert.deepEqual(report, {
        ...NOTHING,
        given: [{ path: "data", count: 10 }],
      });
      const owners = Object.values(await place.facts("data"))
        .map((each) => each.split(" ")[0]);
      assert.deepEqual(new Set(owners), new Set(["2000:2000"]));
      assert.deepEqual(await place.facts("etc"), before);
      // A directory that belongs to the user is not looked into; a new entry is given.
      await place.chown("0:0", "data/a/b/c");
      assert.deepEqual(await place.give(["data"]), NOTHING);
      await place.make("data/2030/new");
      assert.deepEqual((await place.give(["data"])).given, [
        { path: "data", count: 2 },
      ]);
      assert.equal(await place.owner("data/a/b/c/file"), "0:0");
    }
  },
);

testWith(
  [ROOT_USER],
  "directories that are missing are created, with parents of root",
  async () => {
    await using place = await createPlace();
    const umask = Deno.umask(0o077);
    try {
      await place.give(["x/y/data", "x/y/data/config", "log"]);
    } finally {
      Deno.umask(umask);
    }
    const directory = 0o040000;
    assert.deepEqual(await place.facts("x"), {
      "x": `0:0 ${directory | 0o755} `,
      "x/y": `0:0 ${directory | 0o755} `,
      "x/y/data": `2000:2000 ${directory | 0o750} `,
    });
    assert.equal(await place.owner("log"), "2000:2000");
  },
);

testWith(
  [ROOT_USER],
  "links of root are followed, links of others and exposed directories of root are not",
  async () => {
    await using place = await createPlace();
    await place.make(
      "volume/file",
      "theirs/root/file",
      "theirs/mine/file",
      "ann/data/file",
    );
    await Deno.symlink("volume", place.at("data"));
    await Deno.symlink("../volume", place.at("theirs/link"));
    await place.chown("2000:2000", "theirs/mine");
    await place.chown("2000:2000", "theirs/link");
    await Deno.chown(place.at("theirs"), 2000, 2000);
    await place.chown("1000:1000", "ann");
    await place.make("open/data/file");
    await Deno.chmod(place.at("open"), 0o777);
    const own = [
      "data",
      "theirs/link",
      "theirs/root",
      "theirs/mine",
      "theirs/new",
      "ann/data",
      "open/data",
      "theirs/mine/file",
    ];
    const report = await place.give(own);
    assert.deepEqual(report.given.map(({ path }) => path), [
      "data",
      "ann/data",
    ]);
    assert.deepEqual(report.withheld, [
      { path: "theirs/link", exposed: "theirs" },
      { path: "theirs/root", exposed: "theirs" },
      { path: "open/data", exposed: "open" },
    ]);
    assert.equal(await place.owner("theirs/root/file"), "0:0");
    await assert.rejects(Deno.lstat(place.at("theirs/new")));
  },
);

testWith(
  [ROOT_USER],
  "a file of root with several hard links is named, not given",
  async () => {
    await using place = await createPlace();
    await place.make("data/a/", "outside/file", "outside/ours");
    await Deno.link(place.at("outside/file"), place.at("data/a/link"));
    for (const owner of ["0:0", "1000:1000"]) {
      await place.chown(owner, "data/a");
      await place.chown("0:0", "outside");
      const report = await place.give(["data"]);
      assert.deepEqual(report.notGiven, [
        { reason: "links", path: "data/a/link", count: 1, cause: "" },
      ]);
      assert.equal(await place.owner("outside/file"), "0:0");
      assert.equal(await place.owner("data/a"), "2000:2000");
    }
    // Where the whole tree had another owner, its hard links are as good as its files.
    await Deno.link(place.at("outside/ours"), place.at("data/a/other"));
    await Deno.remove(place.at("data/a/link"));
    await place.chown("1000:1000", "data");
    assert.deepEqual((await place.give(["data"])).notGiven, []);
  },
);

testWith(
  [ROOT_USER],
  "a walk that a signal ends is continued by the next one",
  async () => {
    await using place = await createPlace();
    await place.make("data/z/");
    for (let each = 0; each < 60; each++) {
      await place.make(`data/${each}/`);
      await run([
        "sh",
        "-c",
        `cd "$1" && seq 300 | xargs touch`,
        "sh",
        place.at(`data/${each}`),
      ]);
    }
    const ending = new AbortController();
    let counted = 0;
    await assert.rejects(
      place.give(["data"], {
        signal: ending.signal,
        progress(count) {
          counted = count;
          ending.abort(new Error("SIGTERM"));
        },
      }),
      /SIGTERM/,
    );
    assert.ok(counted > 0);
    assert.equal(await place.owner("data"), "0:0");
    const { given } = await place.give(["data"]);
    const total = 60 * 301 + 2;
    const [{ count } = { count: 0 }] = given;
    assert.ok(count > 0 && count <= total - counted, `${count} of ${total}`);
    const { stdout } = await new Deno.Command("find", {
      args: [place.at("data"), "!", "-uid", "2000"],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "");
  },
);

testWith(
  [ROOT_USER],
  "a tree that is too deep is named, and the rest is given",
  async () => {
    await using place = await createPlace();
    await place.make(`data/${"d/".repeat(300)}`, "data/file");
    const { notGiven, given } = await place.give(["data"]);
    assert.deepEqual(notGiven, [
      { reason: "depth", path: `data${"/d".repeat(100)}`, count: 1, cause: "" },
    ]);
    assert.deepEqual(given, [{ path: "data", count: 101 }]);
  },
);

testWith(
  [ROOT_USER, MOUNTS],
  "a mount is entered only if it is a directory of the settings",
  async () => {
    await using place = await createPlace();
    await place.make(
      "data/inside/",
      "data/config/",
      "data/file",
      "host/secret",
      "volume/file",
      "conf.json",
    );
    await place.make("data/config/config.json");
    const report = await place.giveMounted(
      `mount --bind host data/inside
     mount --bind volume data/config
     mount --bind conf.json data/file
     touch volume/config.json
     mount --bind conf.json data/config/config.json`,
      {
        own: [place.at("data"), place.at("data/config")],
        mountedFile: place.at("data/config/config.json"),
      },
    );
    assert.deepEqual(report.given.map(({ path }) => path), [
      "data",
      "data/config",
    ]);
    assert.deepEqual(report.notGiven.map(({ reason }) => reason), ["mount"]);
    const owners = await Promise.all(
      ["host", "host/secret", "volume", "volume/file", "conf.json", "data"]
        .map((path) => place.owner(path)),
    );
    const [theirs, root] = ["2000:2000", "0:0"];
    assert.deepEqual(owners, [root, root, theirs, theirs, theirs, theirs]);
  },
);

testWith(
  [ROOT_USER],
  "what root may not open, as on NFS, is no error, and is named only if it is foreign",
  async () => {
    for (const owner of ["2000:2000", "0:0"]) {
      await using place = await createPlace();
      await place.make("data/inner/file");
      await place.chown(owner, "data/inner");
      await Deno.chown(place.at("data"), SERVER.uid, SERVER.gid);
      const descriptors: Descriptors = {
        ...openDescriptors(),
        open(directory, name, flag) {
          if (flag !== "directory") {
            return openDescriptors().open(directory, name, flag);
          }
          throw new SystemCallError("openat", 13);
        },
        give: () => 1,
      };
      const { notGiven } = await place.give(["data"], { descriptors });
      assert.deepEqual(
        notGiven.map(({ path, cause }) => [path, cause]),
        owner === "0:0" ? [["data/inner", "permission denied"]] : [],
      );
      const closed: Descriptors = {
        ...descriptors,
        reopen() {
          throw new SystemCallError("openat", 13);
        },
      };
      const report = await place.give(["data", "data/inner"], {
        descriptors: closed,
      });
      assert.equal(report.notGiven.length, owner === "0:0" ? 1 : 0);
      assert.deepEqual(report.given, []);
    }
  },
);

testWith(
  [ROOT_USER],
  "files are not given by name in a directory that its owner opens to others at the last moment",
  async () => {
    await using place = await createPlace();
    await place.make("data/theirs/file");
    await place.chown("3000:3000", "data/theirs");
    const real = openDescriptors();
    const named: string[] = [];
    const open = (): void => Deno.chmodSync(place.at("data/theirs"), 0o777);
    await place.give(["data"], {
      descriptors: {
        ...real,
        give(descriptor, owner) {
          if (owner.uid === 0) open();
          return real.give(descriptor, owner);
        },
        giveName(directory, name, owner) {
          named.push(textOf(name));
          return real.giveName(directory, name, owner);
        },
      },
    });
    assert.deepEqual(named, []);
    assert.equal(await place.owner("data/theirs/file"), "2000:2000");
  },
);

/** Calls a function after the system call with that number; counts them. */
function interrupt(
  number: number,
  act: () => void,
): { readonly descriptors: Descriptors; readonly calls: () => number } {
  let calls = 0;
  const entries = Object.entries(openDescriptors()).map(([name, call]) => [
    name,
    (...args: unknown[]) => {
      try {
        return (call as (...args: unknown[]) => unknown)(...args);
      } finally {
        if (++calls === number) act();
      }
    },
  ]);
  return { descriptors: Object.fromEntries(entries), calls: () => calls };
}

testWith(
  [ROOT_USER],
  "whichever name is replaced between two system calls, nothing outside is given",
  async () => {
    // What the server's user owns, what it puts there instead, and where that leads.
    const swaps = [
      ["data/given/file", "data/hard"],
      ["data/given/file", "data/soft"],
      ["data/given/inner", "data/soft"],
      ["data/given", "data/soft"],
      ["data/config", "data/soft"],
      ["data/given/file", "data/given/inner"],
    ] as const;
    let rounds = 0;
    for (const [one, other] of swaps) {
      let isOver = false;
      for (let number = 1; !isOver; number++) {
        await using place = await createPlace();
        await place.make(
          ...["outside/directory/inner/file", "outside/directory/file"],
          ...["outside/open", "data/given/file", "data/given/inner/file"],
          ...["data/config/config.json"],
        );
        const before = await place.facts("outside");
        await Deno.link(place.at("outside/open"), place.at("data/hard"));
        await Deno.symlink("../outside/directory", place.at("data/soft"));
        for (const path of ["data", "data/given/inner", "data/config"]) {
          await Deno.chown(place.at(path), SERVER.uid, SERVER.gid);
        }
        await Deno.chown(place.at("data/given"), SERVER.uid, 0);
        const { descriptors, calls } = interrupt(number, () => {
          Deno.renameSync(place.at(one), place.at("away"));
          Deno.renameSync(place.at(other), place.at(one));
          Deno.renameSync(place.at("away"), place.at(other));
        });
        await place.give(["data", "data/config"], { descriptors });
        assert.deepEqual(
          await place.facts("outside"),
          before,
          `${one} and ${other} after call ${number}`,
        );
        isOver = calls() < number;
        rounds++;
      }
    }
    assert.ok(rounds > 200, `${rounds} rounds`);
  },
);

testWith(
  [ROOT_USER],
  "filesFor() reads what the user can read, and what would be given to the user",
  async () => {
    await using place = await createPlace();
    await place.make(
      ...["outside/secret", "outside/open", "data/config/config.json"],
      ...["data/own", "data/hard", "elsewhere/config.json", "outside/other"],
    );
    const server = (...paths: string[]): Promise<void> =>
      place.chown("2000:2000", ...paths);
    await Deno.remove(place.at("data/hard"));
    await Deno.link(place.at("outside/secret"), place.at("data/hard"));
    await Deno.symlink("../outside/secret", place.at("data/link"));
    await Deno.symlink("../outside/open", place.at("data/harmless"));
    await Deno.symlink("../outside", place.at("data/directory"));
    for (
      const path of [
        ...["outside/secret", "data/config/config.json", "data/own"],
        ...["elsewhere/config.json", "outside/other"],
      ]
    ) await Deno.chmod(place.at(path), 0o600);
    await server("data/own", "data/link", "data/directory", "data/harmless");
    await Deno.chown(place.at("data"), SERVER.uid, SERVER.gid);
    await Deno.chmod(place.at("elsewhere"), 0o777);
    const files = filesFor(SERVER, [place.at("data")]);
    const read = (path: string, follow = true): string | undefined => {
      try {
        const found = files.read(place.at(path), { follow });
        if (found === undefined) return "missing";
        return found.bytes === undefined
          ? `only facts, mode ${found.facts.mode.toString(8)}`
          : new TextDecoder().decode(found.bytes);
      } catch (error) {
        return errorCode(error);
      }
    };
    assert.deepEqual(
      {
        own: read("data/own"),
        ofRoot: read("data/config/config.json"),
        hard: read("data/hard"),
        link: read("data/link"),
        linkToOpen: read("data/harmless"),
        notFollowed: read("data/harmless", false),
        throughLink: read("data/directory/secret"),
        // As if data/link had been resolved before it was replaced.
        outside: read("outside/other"),
        exposed: read("elsewhere/config.json"),
        missing: read("data/none"),
      },
      {
        own: "data/own",
        ofRoot: "data/config/config.json",
        hard: "EACCES",
        link: "only facts, mode 600",
        linkToOpen: "outside/open",
        notFollowed: "only facts, mode 777",
        throughLink: "only facts, mode 600",
        outside: "EACCES",
        exposed: "EACCES",
        missing: "missing",
      },
    );
    const { uid, mtime } = await Deno.stat(
      place.at("data/config/config.json"),
    );
    const found = files.read(place.at("data/config/config.json"), {
      follow: false,
    });
    assert.equal(found?.facts.uid, uid);
    assert.equal(found?.facts.modified, mtime?.getTime());
    const list = (path: string): readonly string[] | string | undefined => {
      try {
        return files.list(place.at(path));
      } catch (error) {
        return errorCode(error);
      }
    };
    await Deno.chmod(place.at("data/config"), 0o700);
    await Deno.chmod(place.at("outside"), 0o700);
    assert.deepEqual(list("data/config"), ["config.json"]);
    assert.equal(list("data/directory"), "EACCES");
    assert.deepEqual(list("data/none"), []);
    // The rights of root are back.
    assert.equal(
      await Deno.readTextFile(place.at("outside/secret")),
      "outside/secret",
    );
  },
);
