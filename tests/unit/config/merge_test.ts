import assert from "node:assert/strict";
import fc from "fast-check";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Assignment } from "../../../lib/config/assignment.ts";
import type { Json } from "../../../lib/json.ts";
import { isJsonObject } from "../../../lib/json.ts";
import type {
  LastApplied,
  MergeInput,
  MergeResult,
} from "../../../lib/config/merge.ts";
import { merge, stateDuringWrite } from "../../../lib/config/merge.ts";
import { stableJson } from "../../../lib/config/json_text.ts";
import { editsIn } from "../../support/config_start.ts";

const SHIPPED = JSON.stringify({ A: { x: "shipped", z: "shipped z" } });

function wants(path: string, value: Json, options?: Partial<Assignment>) {
  return {
    path,
    value,
    variables: ["V"],
    origin: { kind: "default" },
    secret: false,
    ...options,
  } as const satisfies Assignment;
}

function sets(path: string, value: Json): Assignment {
  return wants(path, value, { origin: { kind: "variable", name: "V" } });
}

function secret(path: string): Assignment {
  return {
    ...wants(path, null),
    value: undefined,
    secret: true,
    origin: { kind: "generated" },
  };
}

function run(
  wanted: readonly Assignment[],
  input: Partial<MergeInput> = {},
): MergeResult {
  return merge({
    disk: undefined,
    shipped: SHIPPED,
    lastApplied: undefined,
    generate: () => "made",
    digest: stableJson,
    ...input,
    wanted,
  });
}

/** Merges again, on top of a result whose text may have been edited since. */
function again(
  last: MergeResult,
  wanted: readonly Assignment[],
  edit: (document: Document) => void = () => {},
): MergeResult {
  const document: Document = JSON.parse(last.text);
  edit(document);
  const disk = JSON.stringify(document);
  return run(wanted, {
    lastApplied: last.lastApplied,
    disk: disk === JSON.stringify(JSON.parse(last.text)) ? last.text : disk,
  });
}

type Document = Record<string, Record<string, Json>>;

Deno.test("merge: the first write applies the settings to the shipped file", () => {
  const { text, changes, origins } = run([sets("A.x", 1), wants("B.y", true)]);
  assert.deepEqual(JSON.parse(text), {
    A: { x: 1, z: "shipped z" },
    B: { y: true },
  });
  assert.deepEqual(changes, [
    { path: "A.x", after: 1, reason: "set", secret: false },
    { path: "B.y", after: true, reason: "default", secret: false },
  ]);
  assert.deepEqual(origins["B.y"], { kind: "default" });
});

Deno.test("merge: the shipped file is ignored if there is a config.json", () => {
  assert.equal(run([], { disk: "{}" }).text, "{}");
});

Deno.test("merge: a secret in the shipped file is not used, because it is publicly known", () => {
  const { document, generated, origins, changes } = run([secret("A.x")]);
  assert.deepEqual(document["A"], { x: "made", z: "shipped z" });
  assert.deepEqual(generated, ["A.x"]);
  assert.deepEqual(origins["A.x"], { kind: "generated" });
  assert.deepEqual(changes, [
    { path: "A.x", after: "made", reason: "generated", secret: true },
  ]);
});

Deno.test("merge: a generated secret is kept, and its origin is generated", () => {
  const first = run([secret("A.x")]);
  const { text, generated, origins } = run([secret("A.x")], {
    disk: first.text,
    lastApplied: first.lastApplied,
    generate: () => "another",
  });
  assert.equal(text, first.text);
  assert.deepEqual(generated, []);
  assert.deepEqual(origins["A.x"], { kind: "generated" });
});

Deno.test("merge: a generated secret that was edited has the origin console", () => {
  const first = run([secret("A.x")]);
  const { document, origins } = again(first, [secret("A.x")], (document) => {
    document["A"] = { x: "edited" };
  });
  assert.deepEqual(document["A"], { x: "edited" });
  assert.deepEqual(origins["A.x"], { kind: "console" });
});

Deno.test("merge: a secret is kept after its variable is removed", () => {
  const first = run([{ ...sets("A.x", "given"), secret: true }]);
  const { text, origins } = again(first, [secret("A.x")]);
  assert.equal(text, first.text);
  assert.deepEqual(origins["A.x"], { kind: "console" });
});

Deno.test("merge: a secret that is empty or not a string on disk is generated", () => {
  for (const nothing of ['""', "1", "null", "{}"]) {
    const disk = `{"A":{"x":${nothing}}}`;
    const { document } = run([secret("A.x")], { disk });
    assert.deepEqual(document, { A: { x: "made" } }, nothing);
  }
});

Deno.test("merge: a default does not replace an edit", () => {
  const first = run([wants("A.x", "default")]);
  const second = again(first, [wants("A.x", "default")], (document) => {
    document["A"] = { x: "edited" };
  });
  assert.equal(
    second.document["A"] && stableJson(second.document["A"]),
    '{"x":"edited"}',
  );
  assert.deepEqual(editsIn(second), ["A.x"]);
  assert.deepEqual(second.origins["A.x"], { kind: "console" });
  assert.deepEqual(second.conflicts, []);
  const third = again(second, [wants("A.x", "new default")]);
  assert.deepEqual(
    editsIn(third),
    ["A.x"],
    "the edit lives on at later starts",
  );
});

Deno.test("merge: a changed default is written if the value was not edited", () => {
  const first = run([wants("A.x", "old")]);
  const { document, changes } = again(first, [wants("A.x", "new")]);
  assert.deepEqual(document["A"], { x: "new", z: "shipped z" });
  assert.deepEqual(changes, [
    {
      path: "A.x",
      before: "old",
      after: "new",
      reason: "default",
      secret: false,
    },
  ]);
});

Deno.test("merge: an explicit setting replaces an edit, with a warning", () => {
  const first = run([sets("A.x", "mine")]);
  const second = again(first, [sets("A.x", "mine")], (document) => {
    document["A"] = { x: "edited" };
  });
  assert.deepEqual(second.document, { A: { x: "mine" } });
  assert.deepEqual(second.conflicts, [
    "A.x was edited in the System Console; variable V takes precedence",
  ]);
});

Deno.test("merge: a changed variable is no conflict", () => {
  const first = run([sets("A.x", "mine")]);
  assert.deepEqual(again(first, [sets("A.x", "other")]).conflicts, []);
});

Deno.test("merge: a variable for a key that the entrypoint never wrote is no conflict", () => {
  const first = run([]);
  assert.deepEqual(again(first, [sets("A.x", "mine")]).conflicts, []);
});

Deno.test("merge: an edit to the value of the variable is no conflict", () => {
  const first = run([sets("A.x", "mine")]);
  const second = again(first, [sets("A.x", "other")], (document) => {
    document["A"] = { x: "other" };
  });
  assert.deepEqual([second.conflicts, second.changes], [[], []]);
});

Deno.test("merge: in a config.json that the entrypoint never wrote, every different value is an edit", () => {
  const disk = '{"A":{"x":"theirs","y":"theirs"}}';
  const result = run(
    [wants("A.x", "default"), sets("A.y", "mine")],
    { disk },
  );
  assert.equal(result.text, '{"A":{"x":"theirs","y":"mine"}}');
  assert.deepEqual(editsIn(result), ["A.x"]);
  assert.deepEqual(result.conflicts, [
    "A.y has a different value in config.json; variable V takes precedence",
  ]);
});

Deno.test("merge: a setting returns to its default after its variable is removed", () => {
  const first = run([sets("A.x", "mine")]);
  const { document, changes } = again(first, [wants("A.x", "default")]);
  assert.deepEqual(document["A"], { x: "default", z: "shipped z" });
  assert.equal(changes[0]?.reason, "withdrawn");
});

Deno.test("merge: an edited setting stays after its variable is removed", () => {
  const first = run([sets("A.x", "mine")]);
  const second = again(first, [wants("A.x", "default")], (document) => {
    document["A"] = { x: "edited" };
  });
  assert.deepEqual(second.document, { A: { x: "edited" } });
});

Deno.test("merge: a key that no setting assigns any more returns to the shipped value, or is removed", () => {
  const first = run([sets("A.x", 1), sets("B.y", 2), sets("A.z", 3)]);
  const second = again(first, [], (document) => {
    document["A"] = { x: 1, z: "edited" };
  });
  assert.deepEqual(second.document, {
    A: { x: "shipped", z: "edited" },
    B: {},
  });
  assert.deepEqual(second.changes, [
    {
      path: "A.x",
      before: 1,
      after: "shipped",
      reason: "withdrawn",
      secret: false,
    },
    { path: "B.y", before: 2, reason: "withdrawn", secret: false },
  ]);
  assert.deepEqual(again(second, []).changes, []);
});

Deno.test("merge: a default of a key that the release does not have is removed, unless it was edited or generated", () => {
  const wanted = [wants("A.x", 1), wants("B.y", 2), wants("B.z", 3)];
  const first = run([...wanted, wants("C.v", 4), secret("C.w")]);
  const edited = first.text.replace('"z":3', '"z":"edited"');
  assert.notEqual(edited, first.text);
  const second = run([], {
    disk: edited,
    lastApplied: first.lastApplied,
    isObsolete: (path) => path !== "C.v",
  });
  assert.deepEqual(second.document, {
    A: { x: "shipped", z: "shipped z" },
    B: { z: "edited" },
    C: { v: 4, w: "made" },
  });
  assert.deepEqual(
    second.changes.map(({ path, reason }) => `${reason} ${path}`),
    ["obsolete A.x", "obsolete B.y"],
  );
});

Deno.test("merge: a withdrawn secret is still marked as secret", () => {
  const first = run([{ ...sets("A.x", "s3cret"), secret: true }]);
  assert.equal(again(first, []).changes[0]?.secret, true);
});

Deno.test("merge: a default that no setting assigns any more stays", () => {
  const first = run([wants("A.x", 1)]);
  const second = again(first, []);
  assert.equal(second.text, first.text);
  assert.deepEqual(second.lastApplied.values, {});
});

Deno.test("merge: a final slash that the server adds to a path is no edit", () => {
  const first = run([wants("A.x", "/data"), sets("A.y", "https://a/")]);
  const wanted = [wants("A.x", "/data"), sets("A.y", "https://a/")];
  const second = again(first, wanted, (document) => {
    document["A"] = { x: "/data/", y: "https://a" };
  });
  assert.deepEqual(
    [second.changes, second.conflicts, editsIn(second)],
    [[], [], []],
  );
  const third = again(second, [wants("A.x", "/new"), sets("A.y", "https://a")]);
  assert.deepEqual(third.document["A"], { x: "/new", y: "https://a" });
});

/** A server that turns an empty A.x into "filled". */
function rewrittenFrom(path: string, value: Json): readonly Json[] {
  return path === "A.x" && value === "filled" ? [""] : [];
}

Deno.test("merge: a value that the server rewrote is no edit", () => {
  const first = run([wants("A.x", "")]);
  const disk = first.text.replace('"x":""', '"x":"filled"');
  assert.notEqual(disk, first.text);
  const { lastApplied } = first;
  const second = run([wants("A.x", "")], { disk, lastApplied, rewrittenFrom });
  assert.equal(second.text, disk);
  assert.deepEqual(
    [second.changes, second.conflicts, editsIn(second), second.lastApplied],
    [[], [], [], lastApplied],
  );
  assert.deepEqual(second.origins["A.x"], { kind: "default" });
  const third = run([sets("A.x", "mine")], {
    disk,
    lastApplied: second.lastApplied,
    rewrittenFrom,
  });
  assert.deepEqual(
    [third.document["A"], third.conflicts],
    [{ x: "mine", z: "shipped z" }, []],
  );
  // Somebody's edit all the same: a value of the operator was emptied.
  const emptied = run([sets("A.x", "mine")], {
    disk,
    lastApplied: third.lastApplied,
    rewrittenFrom,
  });
  assert.equal(emptied.conflicts.length, 1);
});

Deno.test("merge: a value that the server rewrote is no edit in a config.json that the entrypoint never wrote", () => {
  const disk = '{"A":{"x":"filled"}}';
  const kept = run([wants("A.x", "")], { disk, rewrittenFrom });
  assert.deepEqual([kept.text, editsIn(kept)], [disk, []]);
  const won = run([sets("A.x", "mine")], { disk, rewrittenFrom });
  assert.deepEqual([won.document["A"], won.conflicts], [{ x: "mine" }, []]);
  const edited = run([wants("A.x", "")], {
    disk: '{"A":{"x":"other"}}',
    rewrittenFrom,
  });
  assert.deepEqual(editsIn(edited), ["A.x"]);
});

Deno.test("merge: a variable that changes only by a final slash is written", () => {
  const first = run([sets("A.x", "/logs")]);
  const { document } = again(first, [sets("A.x", "/logs/")]);
  assert.deepEqual(document["A"], { x: "/logs/", z: "shipped z" });
});

Deno.test("merge: the last-applied state is ignored if config.json is missing", () => {
  const { lastApplied } = run([sets("A.x", "mine"), sets("A.z", "mine")]);
  const { changes, conflicts } = run([wants("A.x", "default")], {
    lastApplied,
  });
  assert.deepEqual(changes.map(({ path, reason }) => [path, reason]), [
    ["A.x", "default"],
  ]);
  assert.deepEqual(conflicts, []);
});

Deno.test("merge: of several spellings of a key, one is left with the last value", () => {
  const disk =
    '{"a":{"UserApiEndpoint":"1","n":1.0},"A":{"userapiendpoint":"2","USERAPIENDPOINT":"3"}}';
  const { text, changes } = run([wants("A.UserAPIEndpoint", "3")], { disk });
  assert.equal(text, '{"A":{"UserAPIEndpoint":"3","n":1.0}}');
  assert.equal(changes[0]?.reason, "spelling");
});

Deno.test("merge: a corrected spelling and a removed duplicate are changes", () => {
  for (const disk of ['{"A":{"X":"3"}}', '{"A":{"x":"1","x":"3"}}']) {
    const { text, changes } = run([wants("A.x", "3")], { disk });
    assert.equal(text, '{"A":{"x":"3"}}');
    assert.deepEqual(changes.map(({ reason }) => reason), ["spelling"], disk);
  }
});

Deno.test("merge: paths in the last-applied state match in any letter case", () => {
  const first = run([sets("A.UserApi", "1")]);
  const { document, changes } = again(first, [wants("A.UserAPI", "0")]);
  assert.deepEqual(document["A"], {
    x: "shipped",
    z: "shipped z",
    UserAPI: "0",
  });
  assert.equal(changes[0]?.reason, "withdrawn");
});

Deno.test("merge: a section that is not an object is an error with its name", () => {
  for (const value of ["[]", '"x"', "1"]) {
    assert.throws(
      () => run([wants("B.x", 1)], { disk: `{"B":${value}}` }),
      (error) =>
        error instanceof EntrypointError && error.code === 65 &&
        error.message ===
          "B in config.json is not a JSON object, as a section must be",
    );
  }
});

Deno.test("merge: a section that is null has no keys", () => {
  const { text, changes } = run([wants("B.x", 1)], {
    disk: '{"a":{},"b":null}',
  });
  assert.deepEqual(JSON.parse(text), { a: {}, B: { x: 1 } });
  assert.deepEqual(changes.map(({ path }) => path), ["B.x"]);
  const kept = run([], { disk: '{"B":null}' });
  assert.equal(kept.text, '{"B":null}');
});

Deno.test("merge: messages never contain values", () => {
  const first = run([{ ...sets("A.x", "s3cret-1"), secret: true }]);
  const { conflicts } = again(
    first,
    [{ ...sets("A.x", "s3cret-2"), secret: true }],
    (document) => {
      document["A"] = { x: "s3cret-3" };
    },
  );
  assert.equal(conflicts.length, 1);
  assert.ok(!JSON.stringify(conflicts).includes("s3cret"));
});

Deno.test("merge: after any number of killed writes, no value of the entrypoint is an edit", () => {
  const states = ["1", "2", "3", "3"].map((value) =>
    run([wants("A.x", value), sets("A.y", value)])
  );
  let lastApplied: LastApplied | undefined;
  for (const state of states) {
    lastApplied = stateDuringWrite(lastApplied, state.lastApplied);
  }
  for (const { text: disk } of states) {
    const next = run([wants("A.x", "4"), wants("A.y", "4")], {
      disk,
      lastApplied,
    });
    assert.deepEqual(next.document["A"], { x: "4", z: "shipped z", y: "4" });
    assert.deepEqual([editsIn(next), next.conflicts], [[], []]);
  }
});

Deno.test("merge: during a write without changes, no earlier digest is kept", () => {
  const { lastApplied } = run([sets("A.x", "1"), wants("B.y", "1")]);
  assert.deepEqual(stateDuringWrite(lastApplied, lastApplied), lastApplied);
  assert.deepEqual(stateDuringWrite(undefined, lastApplied), lastApplied);
});

Deno.test("merge: of two letter cases of a path, the later one is kept in the state", () => {
  const before = run([sets("A.UserApi", "1")]).lastApplied;
  const after = run([sets("A.UserAPI", "2")]).lastApplied;
  const { values } = stateDuringWrite(before, after);
  assert.deepEqual(Object.keys(values), ["A.UserAPI"]);
  assert.deepEqual(values["A.UserAPI"]?.previous, ['"1"']);
});

Deno.test("merge: a withdrawal that was killed is completed by the next start", () => {
  const before = run([sets("A.x", "1"), sets("B.y", "1")]);
  const after = again(before, []);
  const lastApplied = stateDuringWrite(before.lastApplied, after.lastApplied);
  for (const { text: disk } of [before, after]) {
    const { document } = run([], { disk, lastApplied });
    assert.deepEqual(document, { A: { x: "shipped", z: "shipped z" }, B: {} });
  }
});

const PATHS = ["A.x", "A.y", "A.z", "B.x", "B.y", "C.x"];
const value = fc.oneof(
  fc.constantFrom<Json>("", "one", "two", "a/", "a", 1, 2, true, null),
  fc.constant<Json>(["p", "q"]),
  fc.constant<Json>({ k: 1, "ä": "\u2028<&>" }),
);
const assignments = fc.uniqueArray(
  fc.record({
    path: fc.constantFrom(...PATHS),
    value,
    explicit: fc.boolean(),
    made: fc.boolean(),
  }),
  { selector: ({ path }) => path },
).map((rows) =>
  rows.map(({ path, value, explicit, made }) =>
    made ? secret(path) : explicit ? sets(path, value) : wants(path, value)
  )
);
/** A change of the file between two starts, by an operator, the System Console or the server. */
const edits = fc.array(fc.tuple(fc.constantFrom(...PATHS), value), {
  maxLength: 4,
});
const UNKNOWN = String
  .raw`"Unknown" : {"big":9007199254740993, "f":1.0, "e":1e3,"s":"\u0026\/","d":1,"d":2 }`;
const start = fc.oneof(
  fc.constant(undefined),
  fc.constant("{}"),
  fc.constant(`{"A": {"x":"one"}, ${UNKNOWN},\n "b":{"Y":1}}`),
  fc.constant(`{\n  ${UNKNOWN}\n}`),
);

function edited(text: string, changes: readonly (readonly [string, Json])[]) {
  return run(changes.map(([path, value]) => sets(path, value)), { disk: text })
    .text;
}

/** The value that the server would read: the letter case of keys is nothing to it. */
function valueAt(text: string, path: string): Json | undefined {
  let value: Json | undefined = JSON.parse(text);
  for (const key of path.split(".")) {
    value = isJsonObject(value)
      ? Object.entries(value).findLast(([each]) =>
        each.toLowerCase() === key.toLowerCase()
      )?.[1]
      : undefined;
  }
  return value;
}

Deno.test("merge: the rules hold after any history", () => {
  const history = fc.array(fc.tuple(assignments, edits), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(start, history, (first, starts) => {
      let disk: string | undefined = first;
      let lastApplied: LastApplied | undefined;
      for (const [wanted, changes] of starts) {
        const result = run(wanted, { disk, lastApplied });
        const edits = editsIn(result);
        for (const { path, value, origin } of wanted) {
          const now = valueAt(result.text, path);
          if (origin.kind === "variable") {
            // The server's own final slash is the one liberty, while the wish is the same.
            const same = stableJson(now ?? null).replace(/\/"$/, '"') ===
              stableJson(value ?? null).replace(/\/"$/, '"');
            assert.ok(same, `explicit ${path} wins`);
            assert.ok(!edits.includes(path));
          } else if (value === undefined) {
            assert.ok(typeof now === "string" && now !== "", "a secret is set");
          } else if (edits.includes(path)) {
            assert.deepEqual(now, valueAt(disk ?? SHIPPED, path));
          }
        }
        if (disk?.includes(UNKNOWN)) assert.ok(result.text.includes(UNKNOWN));
        assert.deepEqual(result.document, JSON.parse(result.text));
        for (const line of result.conflicts) {
          assert.ok(wanted.some(({ path }) => line.startsWith(`${path} `)));
        }
        const repeated = run(wanted, {
          disk: result.text,
          lastApplied: result.lastApplied,
        });
        assert.equal(repeated.text, result.text, "idempotent");
        assert.deepEqual(repeated.lastApplied, result.lastApplied);
        assert.deepEqual([repeated.changes, repeated.conflicts], [[], []]);
        lastApplied = result.lastApplied;
        disk = edited(result.text, changes);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("merge: defaults never replace an edit, after any history", () => {
  fc.assert(
    fc.property(
      assignments,
      edits,
      assignments,
      (before, changes, wanted) => {
        const first = run(before);
        const disk = edited(first.text, changes);
        const result = run(wanted, { disk, lastApplied: first.lastApplied });
        for (const { path, value: wish, origin } of wanted) {
          if (origin.kind !== "default" || wish === undefined) continue;
          const was = valueAt(disk, path);
          const written = valueAt(first.text, path);
          const asked = before.some((each) => each.path === path);
          const wasEdited = was !== undefined &&
            (!asked || slashless(was) !== slashless(written ?? null));
          assert.deepEqual(
            valueAt(result.text, path),
            wasEdited ? was : valueAt(result.text, path),
          );
          if (!wasEdited && was !== undefined) {
            assert.equal(
              slashless(valueAt(result.text, path) ?? null),
              slashless(wish),
              "an unedited value follows the default",
            );
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("merge: the order of keys is kept, and new keys are last", () => {
  fc.assert(fc.property(edits, assignments, (changes, wanted) => {
    const disk = edited("{}", changes);
    const { text } = run(wanted, { disk });
    const before: Document = JSON.parse(disk);
    const after: Document = JSON.parse(text);
    const sections = Object.keys(before);
    assert.deepEqual(Object.keys(after).slice(0, sections.length), sections);
    for (const section of sections) {
      const keys = Object.keys(before[section] ?? {});
      const now = Object.keys(after[section] ?? {});
      assert.deepEqual(now.slice(0, keys.length), keys);
    }
  }));
});

function slashless(value: Json): string {
  return stableJson(value).replace(/\/"$/, '"');
}
