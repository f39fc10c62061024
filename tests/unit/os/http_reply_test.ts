import assert from "node:assert/strict";
import { parseReply } from "../../../lib/os/http_reply.ts";

Deno.test("parseReply() returns status, headers and body", () => {
  assert.deepEqual(
    parseReply("HTTP/1.1 200 OK\r\nX-Version-Id: 11.7.9\r\n\r\nbody"),
    { status: 200, headers: { "x-version-id": "11.7.9" }, body: "body" },
  );
});

Deno.test("parseReply() joins chunks before it decodes UTF-8", () => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const bytes = new TextEncoder().encode("grüß");
  const latin = String.fromCharCode(...bytes);
  const chunks = `${(3).toString(16)}\r\n${latin.slice(0, 3)}\r\n3;x=y\r\n${
    latin.slice(3)
  }\r\n0\r\n\r\n`;
  assert.equal(parseReply(head + chunks).body, "grüß");
  assert.equal(parseReply(`${head}5\r\nab`).body, "ab");
});

Deno.test("parseReply() throws if the text is not HTTP", () => {
  for (const text of ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\n"]) {
    assert.throws(() => parseReply(text), SyntaxError);
  }
});
