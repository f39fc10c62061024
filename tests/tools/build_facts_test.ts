import assert from "node:assert/strict";
import { join } from "node:path";
import { COMMIT, FALLBACK_RUNTIME } from "../../lib/build.ts";
import { buildFacts, withBuildFacts } from "../../tools/compile/build_facts.ts";
import { COMPILED, runProgram } from "../support/program.ts";

const HASH = "0123456789abcdef0123456789abcdef01234567";

Deno.test("the commit is that of the repository, and says whether files differ", async () => {
  const directory = await Deno.realPath(".");
  const commitBy = async (
    top: string,
    changes: string,
  ): Promise<string | undefined> => {
    const { commit } = await buildFacts(
      directory,
      (_, command) =>
        Promise.resolve(command === "status" ? changes : `${top}\n${HASH}`),
    );
    return commit;
  };
  assert.equal(await commitBy(directory, ""), HASH);
  assert.equal(await commitBy(directory, " M main.ts"), `${HASH}-dirty`);
  assert.equal(await commitBy(join(directory, ".."), ""), undefined);
  const nothing = await buildFacts(directory, () => Promise.resolve(""));
  assert.deepEqual(nothing, { commit: undefined });
});

Deno.test("the commit is written at the same length", () => {
  const script = `a="${COMMIT}",b`;
  for (const commit of [HASH, `${HASH}-dirty`]) {
    const written = withBuildFacts(script, { commit });
    assert.equal(written.length, script.length);
    assert.ok(written.startsWith(`a="${commit} `), written);
  }
  assert.equal(withBuildFacts(script, { commit: undefined }), script);
  assert.throws(() => withBuildFacts("a", { commit: HASH }), /no \(the commit/);
  assert.throws(() => withBuildFacts(script, { commit: '"+x+"' }), /it is/);
});

Deno.test("the fallback runtime is the one that the compile would take", async () => {
  const source = await Deno.readTextFile("tools/denort.ts");
  assert.ok(source.includes(`version: "${FALLBACK_RUNTIME}"`));
});

Deno.test("the compiled program says what it was built from", async () => {
  const { stdout } = await runProgram(COMPILED, ["app:version"]);
  assert.match(
    stdout,
    /^mattermost-entrypoint \d+\.\d+\.\d+\ncommit (unknown|[0-9a-f]{40}(-dirty)?)\nruntime Deno \S+ with V8 \S+, (from its vendor|recovered .*)\n$/,
  );
});
