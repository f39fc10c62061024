import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { peerWords } from "../../lib/peer_words.ts";

const LOGIN = { user: "mmuser", password: "hunter22-é" };

Deno.test("peerWords() hides everything that a login has sent", () => {
  const plain = Buffer.from("\0mmuser\0hunter22-é").toString("base64");
  for (
    const [text, expected] of [
      ["no hunter22-é here", "no (hidden) here"],
      [`no ${Buffer.from("hunter22-é").toString("base64")}`, "no (hidden)"],
      [`AUTH PLAIN ${plain}`, "AUTH PLAIN (hidden)"],
      ["md5 of md5d41d8cd98f00b204e9800998ecf8427e", "md5 of (hidden)"],
      [
        "c=biws,r=nonce,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=,",
        "c=biws,r=nonce,(hidden),",
      ],
      ["535 5.7.8\r\n\x1b[2Jno.\r\n", "535 5.7.8 [2Jno"],
      [
        "https://support.example.com/?p=BadCredentials 4fb4d7f45d1cf-5f3 d41d8cd9",
        "https://support.example.com/?p=BadCredentials 4fb4d7f45d1cf-5f3 d41d8cd9",
      ],
    ] as const
  ) {
    assert.equal(peerWords(text, LOGIN, []), expected);
  }
  assert.equal(
    peerWords("z".repeat(1000), { user: "", password: "" }, []).length,
    240,
  );
});
