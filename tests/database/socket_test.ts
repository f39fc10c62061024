import assert from "node:assert/strict";
import {
  rejectOnClose,
  sendLastMessage,
} from "../../lib/database/connection.ts";
import { openSocket } from "../../lib/os/socket.ts";

/** A server on the loopback interface that counts the bytes that it reads, and sends nothing. */
function silentServer() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ended = Promise.withResolvers<number>();
  const reading = (async () => {
    let count = 0;
    for await (const connection of listener) {
      for await (const chunk of connection.readable) count += chunk.length;
      ended.resolve(count);
    }
  })().catch(() => ended.resolve(-1));
  return {
    address: listener.addr.transport === "tcp"
      ? { host: "127.0.0.1", port: listener.addr.port }
      : assert.fail(),
    /** The bytes of the first connection, once it has ended. */
    received: ended.promise,
    async [Symbol.asyncDispose]() {
      listener.close();
      await reading;
    },
  };
}

Deno.test("an abort ends a connection, open or not yet, with the signal's reason", async () => {
  await using server = silentServer();
  const reason = new Error("enough");
  const ending = new AbortController();
  const socket = await openSocket(server.address, ending.signal);
  const closed = rejectOnClose(socket);
  ending.abort(reason);
  await assert.rejects(closed, reason);
  assert.equal(await server.received, 0);

  const early = new AbortController();
  const opening = openSocket(server.address, early.signal);
  early.abort(reason);
  await assert.rejects(opening, reason);
  await assert.rejects(openSocket(server.address, early.signal), reason);
});

Deno.test("a failed connection rejects with the system's code", async () => {
  const { signal } = new AbortController();
  for (
    const [address, code] of [
      [{ host: "127.0.0.1", port: 1 }, "ECONNREFUSED"],
      [{ host: "db.invalid", port: 1 }, "ENOTFOUND"],
      [{ path: "/nowhere/socket" }, "ENOENT"],
    ] as const
  ) {
    await assert.rejects(openSocket(address, signal), { code });
  }
});

Deno.test("the last message to a closed connection is ignored", async () => {
  await using server = silentServer();
  const { signal } = new AbortController();
  const socket = await openSocket(server.address, signal);
  await sendLastMessage(socket, Uint8Array.of(1, 2, 3));
  socket.destroy();
  assert.equal(await server.received, 3);
  await sendLastMessage(socket, Uint8Array.of(1, 2, 3));
});
