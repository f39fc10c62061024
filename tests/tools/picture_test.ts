import assert from "node:assert/strict";
import { draw, runCheck } from "../../tools/picture.ts";

import { DATABASES, testWith } from "../support/needs.ts";

/** The texts of a picture, without numbers, which change with each run. */
function words(svg: string): readonly string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)]
    .map(([, text = ""]) => text.replace(/\d+/g, "0"));
}

testWith(
  [DATABASES],
  "docs/check.svg shows the present output of app:check (if not, run deno task picture)",
  async () => {
    const picture = await Deno.readTextFile("docs/check.svg");
    assert.deepEqual(words(picture), words(draw(await runCheck())));
  },
);

Deno.test("draw() keeps columns and colours, and escapes XML characters", () => {
  const svg = draw("\x1b[31mfailed \x1b[0m  mail  a <b> & c\n");
  const [, failed = "", mail = "", message = ""] = svg.split("\n")
    .filter((line) => line.startsWith("<text"));
  assert.match(failed, /class="failed">failed</);
  assert.match(mail, /x="88\.2" .*>mail</);
  assert.match(message, />a &lt;b&gt; &amp; c</);
  assert.doesNotMatch(svg, /url\(|@import|href/);
});
