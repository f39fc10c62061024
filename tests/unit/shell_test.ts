import assert from "node:assert/strict";
import { shellWord } from "../../lib/shell.ts";

Deno.test("shellWord() quotes a text that a shell would not read as one word", () => {
  for (const plain of ["/opt/mattermost/data", "2000:2000", "a-b_c.1"]) {
    assert.equal(shellWord(plain), plain);
  }
  assert.equal(shellWord("/srv/My Data"), "'/srv/My Data'");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
  for (const odd of ["", "$(id)", "a;b", "~", "*", "a\nb"]) {
    assert.equal(shellWord(odd), `'${odd}'`);
  }
});
