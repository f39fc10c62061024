import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LightSocket } from "../../../lib/database/light_socket.ts";
import type { Connection } from "../../../lib/system.ts";

type Read = Awaited<ReturnType<Connection["read"]>>;

/** A connection whose other end is played by the test. */
function openPair() {
  const sent: string[] = [];
  const reads: PromiseWithResolvers<Read>[] = [];
  const state = { closed: 0, reads, failure: undefined as Error | undefined };
  const socket = new LightSocket({
    read() {
      const next = Promise.withResolvers<Read>();
      reads.push(next);
      return next.promise;
    },
    async write(bytes) {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      sent.push(Buffer.from(bytes).toString());
    },
    close() {
      state.closed++;
      reads.at(-1)?.reject(new Error("closed"));
    },
  });
  const events: unknown[] = [];
  socket.on("error", (error) => events.push(["error", error.message]));
  socket.on("end", () => events.push("end"));
  socket.on("close", (hadError) => events.push(["close", hadError]));
  return { socket, sent, state, events };
}

/** Lets everything happen that waits for nobody. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

Deno.test("a light socket reads when somebody listens, and tells the end", async () => {
  const { socket, state, events } = openPair();
  await settle();
  assert.equal(state.reads.length, 0);
  socket.on("data", (data: Buffer) => events.push(data.toString()));
  socket.on("data", () => {});
  assert.equal(state.reads.length, 1);
  state.reads[0]?.resolve(Uint8Array.from(Buffer.from("one")));
  await settle();
  state.reads[1]?.resolve(undefined);
  await settle();
  assert.deepEqual(events, ["one", "end", ["close", false]]);
  assert.deepEqual([socket.destroyed, socket.readyState, state.closed], [
    true,
    "closed",
    1,
  ]);
});

Deno.test("a light socket sends in order, and says when", async () => {
  const { socket, sent, events } = openPair();
  assert.equal(socket.readyState, "open");
  socket.write("a", () => events.push("a is sent"));
  socket.write(Buffer.from("b"));
  socket.end("c");
  await settle();
  assert.deepEqual(sent, ["a", "b", "c"]);
  assert.deepEqual(events, ["a is sent", ["close", false]]);
});

Deno.test("a light socket ends once, with its error", async () => {
  const { socket, state, events, sent } = openPair();
  socket.on("data", () => events.push("data"));
  const reason = new Error("enough");
  socket.destroy(reason);
  socket.destroy(new Error("again"));
  socket.write("too late", () => events.push("told all the same"));
  await settle();
  assert.deepEqual(events, [
    ["error", "enough"],
    ["close", true],
    "told all the same",
  ]);
  assert.equal(socket.errored, reason);
  assert.equal(state.closed, 1);
  assert.deepEqual(sent, []);
});

Deno.test("a light socket that cannot read or send is over", async () => {
  const reading = openPair();
  reading.socket.on("data", () => {});
  reading.state.reads[0]?.reject(new Error("reset"));
  await settle();
  assert.deepEqual(reading.events, [["error", "reset"], ["close", true]]);
  const sending = openPair();
  sending.state.failure = new Error("broken pipe");
  sending.socket.write("a", () => sending.events.push("told"));
  await settle();
  assert.deepEqual(
    new Set(sending.events.map(String)),
    new Set(["told", "error,broken pipe", "close,true"]),
  );
});
