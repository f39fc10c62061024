import assert from "node:assert/strict";
import { planBuilds } from "../../../tools/image_tags.ts";

const TAGS = ["11.7.9-1", "11.7.9-2", "11.7.10-1", "11.10.0-1", "v1.0.0", ""];

Deno.test("a new git tag moves the tags of its release and its series, unless a newer one has them", () => {
  for (
    const [tag, images] of [
      ["11.7.10-2", ["11.7.10-2", "11.7.10", "11.7"]],
      ["11.7.10-10", ["11.7.10-10", "11.7.10", "11.7"]],
      ["11.7.9-3", ["11.7.9-3", "11.7.9"]],
      ["11.7.9-1", ["11.7.9-1"]],
      ["12.0.0-1", ["12.0.0-1", "12.0.0", "12.0"]],
    ] as const
  ) {
    const release = tag.split("-")[0];
    assert.deepEqual(planBuilds(TAGS, tag), [{ tag, release, images }]);
    assert.deepEqual(planBuilds([...TAGS, tag], tag), [
      { tag, release, images },
    ]);
  }
});

Deno.test("each week the newest tags of twelve series are built again, and the git tags' own images stay", () => {
  assert.deepEqual(planBuilds(TAGS), [
    { tag: "11.10.0-1", release: "11.10.0", images: ["11.10.0", "11.10"] },
    { tag: "11.7.10-1", release: "11.7.10", images: ["11.7.10", "11.7"] },
  ]);
  const series = Array.from({ length: 20 }, (_, minor) => `11.${minor}.0-1`);
  assert.deepEqual(
    planBuilds(series).map(({ tag }) => tag),
    series.toReversed().slice(0, 12),
  );
  assert.deepEqual(planBuilds([]), []);
});

Deno.test("a git tag of another form is refused", () => {
  for (const tag of ["v2.0.0", "11.7.9", "11.7-1", "11.7.9-1; x"]) {
    assert.throws(() => planBuilds(TAGS, tag), /must have the form/);
  }
});
