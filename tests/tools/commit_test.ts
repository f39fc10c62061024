import assert from "node:assert/strict";
import { join } from "node:path";
import { COMMIT, FALLBACK_RUNTIME } from "../../lib/build.ts";
import { findCommit, withCommit } from "../../tools/compile.ts";
import { run } from "../../tools/shared/process.ts";
import { type Need, testWith } from "../support/needs.ts";
import { COMPILED, runProgram } from "../support/program.ts";

const HASH = "0123456789abcdef0123456789abcdef01234567";
const GIT: Need = {
  what: "git",
  isMet: await run(["git", "--version"]).then(() => true, () => false),
};

testWith(
  [GIT],
  "the commit is that of the repository, and -dirty is appended when files differ",
  async () => {
    const directory = await Deno.makeTempDir();
    const git = (...args: string[]): Promise<string> =>
      run(["git", "-c", "user.name=test", "-c", "user.email=test", ...args], {
        cwd: directory,
      });
    const file = join(directory, "inside/file");
    try {
      await Deno.mkdir(join(directory, "inside"));
      await Deno.writeTextFile(file, "1");
      assert.equal(await findCommit(directory), undefined);
      await git("init", "--quiet");
      await git("add", ".");
      await git("commit", "--quiet", "--message=first");
      const hash = (await git("rev-parse", "HEAD")).trim();
      assert.equal(await findCommit(directory), hash);
      // Sources that were unpacked inside another repository have no commit.
      assert.equal(await findCommit(join(directory, "inside")), undefined);
      await Deno.writeTextFile(file, "2");
      assert.equal(await findCommit(directory), `${hash}-dirty`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);

Deno.test("ENTRYPOINT_COMMIT takes the place of the repository's commit", async () => {
  const before = Deno.env.get("ENTRYPOINT_COMMIT") ?? "";
  try {
    Deno.env.set("ENTRYPOINT_COMMIT", HASH);
    assert.equal(await findCommit(), HASH);
  } finally {
    Deno.env.set("ENTRYPOINT_COMMIT", before);
  }
});

Deno.test("the commit is written into the bundle without changing its length", () => {
  const bundle = `a="${COMMIT}",b`;
  for (const commit of [HASH, `${HASH}-dirty`]) {
    const written = withCommit(bundle, commit);
    assert.equal(written.length, bundle.length);
    assert.ok(written.startsWith(`a="${commit} `), written);
  }
  assert.equal(withCommit(bundle), bundle);
  for (const commit of ['"+x+"', "x".repeat(COMMIT.length + 1)]) {
    assert.throws(() => withCommit(bundle, commit), /name of a commit/);
  }
  assert.throws(() => withCommit("a", HASH), /must contain/);
});

Deno.test("lib/build.ts names the runtime that tools/denort.ts falls back to", async () => {
  const source = await Deno.readTextFile("tools/denort.ts");
  assert.ok(source.includes(`version: "${FALLBACK_RUNTIME}"`));
});

Deno.test("app:version of the compiled program prints version, commit and runtime", async () => {
  const { stdout } = await runProgram(COMPILED, ["app:version"]);
  assert.match(
    stdout,
    /^mattermost-entrypoint \d+\.\d+\.\d+\ncommit (unknown|[0-9a-f]{40}(-dirty)?)\nruntime Deno \S+ with V8 \S+, (from its vendor|recovered .*)\n$/,
  );
});
