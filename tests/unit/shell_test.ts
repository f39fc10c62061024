import assert from "node:assert/strict";
import { shellWord } from "../../lib/shell.ts";

Deno.test("shellWord() quotes a text that a shell would not read as one word", () => {
  for (const plain of ["/opt/mattermost/data", "2000:2000", "a-b_c.1"]) {
    assert.equal(shellWord(plain), plain);
  }
  assert.equal(shellWord("/srv/My Data"), "'/srv/My Data'");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
  for (const odd of ["", "$(id)", "a;b", "~", "*", "a\\b"]) {
    assert.equal(shellWord(odd), `'${odd}'`);
  }
  // On one line, and safe for a terminal.
  assert.equal(
    shellWord("a\nb\\'\x1b\x9b"),
    "$'a\\012b\\\\\\'\\033\\302\\233'",
  );
});
