import assert from "node:assert/strict";
import { isComplete, parseReply } from "../../../lib/os/http_reply.ts";

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

Deno.test("interim responses are skipped", () => {
  const text =
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
  assert.throws(() => parseReply(text), SyntaxError);
  assert.equal(isComplete(text, "HEAD"), false);
  const { status, body } = parseReply(`${text}HTTP/1.1 200 OK\r\n\r\nok`);
  assert.deepEqual([status, body], [200, "ok"]);
});

Deno.test("isComplete() tells the end of a response without the end of the connection", () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (
    const [text, method, expected] of [
      ["HTTP/1.1 200 OK\r\n", "GET", false],
      ["HTTP/1.1 200 OK\r\n\r\n", "GET", false],
      ["HTTP/1.1 200 OK\r\n\r\n", "HEAD", true],
      ["HTTP/1.1 204 No Content\r\n\r\n", "GET", true],
      ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "GET", false],
      ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "GET", true],
      ["HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab", "GET", false],
      [`${chunked}2\r\nab\r\n`, "GET", false],
      [`${chunked}a0\r\n\r\n`, "GET", false],
      [`${chunked}2\r\nab\r\n0\r\n\r\n`, "GET", true],
      [`${chunked}0;x=y\r\nA: b\r\n\r\n`, "GET", true],
      ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "GET", false],
    ] as const
  ) {
    assert.equal(isComplete(text, method), expected, JSON.stringify(text));
  }
});
