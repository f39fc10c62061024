import assert from "node:assert/strict";
import {
  lossOf,
  openSocket,
  sayFarewell,
} from "../../../lib/database/socket.ts";
import type { Connection, Dial } from "../../../lib/system.ts";

const ADDRESS = { host: "127.0.0.1", port: 3306 };

/** A connection to nobody, which says whether it was closed. */
function silence() {
  const state = { closed: false, sent: 0 };
  const connection: Connection = {
    read: () => new Promise(() => {}),
    write: (bytes) => Promise.resolve(void (state.sent += bytes.length)),
    close: () => void (state.closed = true),
  };
  return { state, connection };
}

function dialTo(connection: Connection): Dial {
  return () => Promise.resolve(connection);
}

Deno.test("an abort ends a connection that is made, and one that is under way, with its reason", async () => {
  const reason = new Error("enough");
  const made = silence();
  const ending = new AbortController();
  const socket = await openSocket(ADDRESS, {
    signal: ending.signal,
    dial: dialTo(made.connection),
  });
  const lost = lossOf(socket);
  ending.abort(reason);
  await assert.rejects(lost, reason);
  assert(made.state.closed);

  const late = silence();
  const dialling = Promise.withResolvers<Connection>();
  const early = new AbortController();
  const opening = openSocket(ADDRESS, {
    signal: early.signal,
    dial: () => dialling.promise,
  });
  early.abort(reason);
  await assert.rejects(opening, reason);
  dialling.resolve(late.connection);
  await dialling.promise;
  await Promise.resolve();
  assert(late.state.closed, "nobody else would close it");

  await assert.rejects(
    openSocket(ADDRESS, {
      signal: early.signal,
      dial: dialTo(late.connection),
    }),
    reason,
  );
});

Deno.test("why there is no connection is told as it is", async () => {
  const error = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const { signal } = new AbortController();
  await assert.rejects(
    openSocket(ADDRESS, { signal, dial: () => Promise.reject(error) }),
    error,
  );
});

Deno.test("a farewell to a connection that is gone keeps nobody", async () => {
  const { signal } = new AbortController();
  const { state, connection } = silence();
  const socket = await openSocket(ADDRESS, {
    signal,
    dial: dialTo(connection),
  });
  await sayFarewell(socket, Uint8Array.of(1, 2, 3));
  assert.equal(state.sent, 3);
  socket.destroy();
  await sayFarewell(socket, Uint8Array.of(1, 2, 3));
  assert.equal(state.sent, 3);
});
