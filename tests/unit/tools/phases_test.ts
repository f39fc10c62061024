import assert from "node:assert/strict";
import { breakDown } from "../../../tools/bench/phases.ts";

Deno.test("breakDown() assigns all of the time of a start to a phase", () => {
  const steps = [
    ["Settings resolved", 3],
    ["Configuration planned", 4],
    ["PostgreSQL 18.4 accepts the login", 5],
    ["Directories provided", 1],
    ["Kept config.json", 2],
  ] as const;
  const messages = steps.map(([message, milliseconds], index) =>
    JSON.stringify({
      time: new Date(1000 + 10 * index).toISOString(),
      message,
      milliseconds,
    })
  );
  const reading = {
    ...{ wall: 45, user: 0, system: 0, peak: 0, started: 1000 },
    messages: ["not JSON", ...messages].join("\n"),
  };
  assert.deepEqual(breakDown(reading, 20), {
    ...{ runtime: 15, import: 10, resolve: 7, connect: 5, write: 3, exec: 5 },
  });
});
