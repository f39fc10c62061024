import assert from "node:assert/strict";
import { EntrypointError, ExitCode } from "../../lib/errors.ts";
import type { LogOptions } from "../../lib/log.ts";
import { Log } from "../../lib/log.ts";
import type { FakeSystem } from "../support/fake_system.ts";
import { fakeSystem } from "../support/fake_system.ts";

const NOW = "2030-01-01T00:00:00.000Z";

function logOf(
  options: Partial<LogOptions>,
  isTerminal = false,
): { log: Log; system: FakeSystem } {
  const system = fakeSystem({ isTerminal });
  const log = new Log(system);
  log.configure({ format: "text", debug: false, ...options });
  return { log, system };
}

Deno.test("messages go to standard error, and each line has a prefix", () => {
  const { log, system } = logOf({});
  log.info("Hello");
  log.warn({ subject: "DB_HOST", message: "DB_HOST is odd", remedy: "Set it" });
  log.fail(new EntrypointError("No", { code: ExitCode.settings }));
  assert.equal(
    system.err.text,
    "entrypoint: Hello\n" +
      "entrypoint: warning: DB_HOST is odd\n" +
      "entrypoint:   → Set it\n" +
      "entrypoint: error: No\n",
  );
  assert.equal(system.out.text, "");
});

Deno.test("steps and details appear only when debugging is on", () => {
  const { log, system } = logOf({});
  log.step("Settings resolved");
  log.debug("A detail");
  assert.equal(system.err.text, "");
  assert.equal(log.isDebug, false);
});

Deno.test("a step reports the time since the previous step", async () => {
  const { log, system } = logOf({ debug: true });
  assert.equal(log.isDebug, true);
  await system.clock.sleep(5);
  log.step("One");
  await system.clock.sleep(7.4);
  log.step("Two");
  assert.equal(
    system.err.text,
    "entrypoint: debug: One (5 ms)\nentrypoint: debug: Two (7 ms)\n",
  );
});

Deno.test("a step that is not shown still starts the time of the next one", async () => {
  const { log, system } = logOf({});
  await system.clock.sleep(100);
  log.step("Hidden");
  log.configure({ format: "text", debug: true });
  await system.clock.sleep(3);
  log.step("Shown");
  assert.equal(system.err.text, "entrypoint: debug: Shown (3 ms)\n");
});

Deno.test("the JSON format writes one object per line, with stable keys", async () => {
  const { log, system } = logOf({ format: "json", debug: true });
  log.info("Hello\nworld");
  log.warn({ subject: "DB_HOST", message: "DB_HOST is odd", remedy: "Set it" });
  await system.clock.sleep(5);
  log.step("Done");
  log.fail(
    new EntrypointError("No", {
      code: ExitCode.settings,
      problems: [{ subject: "A", message: "is wrong" }],
      remedy: "app:help",
    }),
  );
  const lines = system.err.text.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.deepEqual(lines, [
    { time: NOW, level: "info", message: "Hello\nworld" },
    {
      time: NOW,
      level: "warning",
      subject: "DB_HOST",
      message: "DB_HOST is odd",
      remedy: "Set it",
    },
    {
      time: "2030-01-01T00:00:00.005Z",
      level: "debug",
      message: "Done",
      milliseconds: 5,
    },
    {
      time: "2030-01-01T00:00:00.005Z",
      level: "error",
      message: "No",
      remedy: "app:help",
      problems: [{ subject: "A", message: "is wrong" }],
      code: 78,
    },
  ]);
});

Deno.test("the JSON format writes a bug as one object", () => {
  const { log, system } = logOf({ format: "json" });
  log.fail(new TypeError("oops"));
  const { level, message } = JSON.parse(system.err.text);
  assert.equal(level, "error");
  assert.match(message, /bug in the entrypoint[^]*TypeError: oops/);
});

Deno.test("the next message replaces the status line on a terminal", () => {
  const { log, system } = logOf({}, true);
  log.showStatus("waiting 1 s");
  log.showStatus("waiting 2 s");
  log.info("There it is");
  log.info("Go");
  assert.equal(
    system.err.text,
    "entrypoint: waiting 1 s" +
      "\r\x1b[K" + "entrypoint: waiting 2 s" +
      "\r\x1b[K" + "entrypoint: There it is\n" +
      "entrypoint: Go\n",
  );
});

Deno.test("clearStatus() removes the status line once", () => {
  const { log, system } = logOf({}, true);
  log.showStatus("waiting");
  log.clearStatus();
  log.clearStatus();
  assert.equal(system.err.text, "entrypoint: waiting\r\x1b[K");
});

Deno.test("there is no status line without a terminal, nor in the JSON format", () => {
  for (
    const { log, system } of [logOf({}, false), logOf({ format: "json" }, true)]
  ) {
    log.showStatus("waiting");
    assert.equal(system.err.text, "");
  }
});
