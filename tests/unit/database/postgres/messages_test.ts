import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import {
  type FatalError,
  postgresProtocol,
} from "../../../../lib/database/postgres/messages.ts";
import { ProbeError } from "../../../../lib/database/session.ts";
import {
  inspectData,
  otherServer,
} from "../../../../lib/database/connection.ts";

/** A connection with a listener in the place of a driver. */
function connection() {
  const passed: Buffer[] = [];
  const fatal: FatalError[] = [];
  let error: unknown;
  const socket = Object.assign(new EventEmitter(), {
    destroy: (reason: unknown) => void (error = reason),
  });
  inspectData(
    socket as unknown as Socket,
    postgresProtocol((error) => void fatal.push(error)),
  );
  socket.on("data", (data: Buffer) => passed.push(data));
  return {
    receive: (...parts: readonly Buffer[]) =>
      void socket.emit("data", Buffer.concat(parts)),
    passed,
    fatal,
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
  for (const first of [Buffer.from("GOAWAY"), ROWS]) {
    const { receive, passed, error } = connection();
    receive(first);
    const reason = error();
    assert.ok(reason instanceof ProbeError);
    assert.match(reason.message, /Another kind of server/);
    assert.deepEqual(passed, []);
  }
});

Deno.test("otherServer() names the server by its first bytes", () => {
  const servers: readonly (readonly [bytes: string, name: string])[] = [
    ["J\0\0\0\n9.4.0\0", "MySQL or MariaDB"],
    ["F\0\0\0\xffj\x04Host", "MySQL or MariaDB"],
    ["\x05\0\0\0\x0b\x08\x05\x1a\0", "MySQL's X Protocol"],
    ["N", "PostgreSQL"],
    ["E\0\0\0\x8bSFATAL\0", "PostgreSQL"],
    ["HTTP/1.1 400 Bad Request\r\n", "a web server"],
    ["SSH-2.0-OpenSSH_9.2p1\r\n", "an SSH server"],
    ["-ERR wrong number of arguments\r\n", "Redis"],
    ["220 mail.example.com ESMTP\r\n", "a mail or FTP server"],
    ["\x15\x03\x01\0\x02\x02\x46", "a server that expects TLS"],
  ];
  for (const [bytes, name] of servers) {
    const { reason, message } = otherServer(Buffer.from(bytes, "latin1"));
    assert.deepEqual(
      [reason, message],
      ["other server", `It answers like ${name}`],
    );
  }
  assert.equal(otherServer(Buffer.from("Nothing")).reason, "protocol");
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
    assert.equal(reason.reason, "method");
    assert.match(reason.message, new RegExp(`pg_hba.conf requires ${name}`));
  }
});

Deno.test("postgresProtocol() reports the errors that end a session, and no others", () => {
  const { receive, fatal, passed } = connection();
  const error = (...fields: string[]): Buffer =>
    message("E", fields.map((field) => `${field}\0`).join("") + "\0");
  receive(
    WELCOME,
    error("SERROR", "VERROR", "C42P01", "Mno table"),
    error("SFATAL", "C08P01", "Mquery_wait_timeout"),
    error("SFATALER FEHLER", "VFATAL", "C57P01", "MVerbindung beendet"),
  );
  assert.deepEqual(fatal, [
    { code: "08P01", message: "query_wait_timeout" },
    { code: "57P01", message: "Verbindung beendet" },
  ]);
  assert.equal(passed.length, 1);
});
