import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { POSTGRES_PROTOCOL } from "../../../../lib/database/postgres/messages.ts";
import { ProbeError } from "../../../../lib/database/session.ts";
import { inspectData } from "../../../../lib/database/connection.ts";

/** A connection with a listener in the place of a driver. */
function connection() {
  const passed: Buffer[] = [];
  let error: unknown;
  const socket = Object.assign(new EventEmitter(), {
    destroy: (reason: unknown) => void (error = reason),
  });
  inspectData(socket as unknown as Socket, POSTGRES_PROTOCOL);
  socket.on("data", (data: Buffer) => passed.push(data));
  return {
    receive: (...parts: readonly Buffer[]) =>
      void socket.emit("data", Buffer.concat(parts)),
    passed,
    error: () => error,
  };
}

function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(5, type);
  head.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function request(kind: number, content: Buffer | string = ""): Buffer {
  return message("R", number(kind), content);
}

function column(name: string): Buffer {
  return Buffer.concat([Buffer.from(`${name}\0`), Buffer.alloc(18)]);
}

const WELCOME = request(0);
const ROWS = message("T", Buffer.from([0, 2]), column("a"), column("b"));

Deno.test("inspectData() passes only whole messages, however the data is split", () => {
  const all = Buffer.concat([
    request(10, "SCRAM-SHA-256\0\0"),
    request(11, "r=nonce,s=c2FsdA==,i=4096"),
    request(12, "v=c2lnbmF0dXJl"),
    WELCOME,
    message("S", "server_version\0" + "18\0"),
    message("K", number(1), number(2)),
    message("Z", "I"),
    ROWS,
    message("C", "SELECT 1\0"),
  ]);
  for (const step of [1, 2, 7, all.length]) {
    const { receive, passed, error } = connection();
    for (let at = 0; at < all.length; at += step) {
      receive(all.subarray(at, at + step));
    }
    assert.equal(error(), undefined);
    assert.deepEqual(Buffer.concat(passed), all);
    for (const part of passed) assert.equal(part.readUInt32BE(1) >= 4, true);
  }
});

Deno.test("inspectData() ends the connection before the driver reads a malformed message", () => {
  const nameless = message("T", Buffer.from([0, 1]), Buffer.alloc(20, "x"));
  const short = message("T", Buffer.from([0, 2]), column("a"));
  const long = message("T", Buffer.from([0, 1]), column("a"), column("b"));
  const bad = [
    nameless,
    short,
    long,
    message("T"),
    message("R"),
    request(5, "abc"),
    request(10, "SCRAM-SHA-256"),
    request(11, "r=nonce,s=c2FsdA=="),
    request(11, "r=nonce,s=c2FsdA==,i=0"),
    request(11, "r=nonce,s=c2FsdA==,i=99999999"),
    request(12, "w=c2lnbmF0dXJl"),
    request(4242),
    message("W", "copies"),
    message("\u0001", "x"),
    Buffer.from([90, 0, 0, 0, 3]),
    Buffer.from([68, 255, 255, 255, 255]),
  ];
  for (const each of bad) {
    const { receive, passed, error } = connection();
    receive(WELCOME);
    receive(each);
    const reason = error();
    assert.ok(reason instanceof ProbeError, each.toString("latin1"));
    assert.equal(reason.reason, "protocol");
    assert.equal(reason.message, "The server's message is malformed");
    assert.deepEqual(Buffer.concat(passed), WELCOME);
  }
});

Deno.test("inspectData() accepts only a greeting as the first message", () => {
  for (const first of [Buffer.from("HTTP/1.1 400 Bad"), ROWS]) {
    const { receive, passed, error } = connection();
    receive(first);
    const reason = error();
    assert.ok(reason instanceof ProbeError);
    assert.match(reason.message, /Another kind of server/);
    assert.deepEqual(passed, []);
  }
});

Deno.test("inspectData() reports a login that requires another method than a password", () => {
  for (
    const [kind, name] of [[2, "Kerberos V5"], [7, "GSSAPI"], [
      9,
      "SSPI",
    ]] as const
  ) {
    const { receive, error } = connection();
    receive(request(kind));
    const reason = error();
    assert.ok(reason instanceof ProbeError);
    assert.equal(reason.reason, "forbidden");
    assert.match(reason.message, new RegExp(`pg_hba.conf requires ${name}`));
  }
});
