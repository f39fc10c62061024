/**
 * The question whether the server's own driver gets into a real database. The server is a fake
 * that logs in with the data source that it was given, and prints what real servers print.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "../../lib/database/connect.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import { parseDsn } from "../../lib/database/dsn.ts";
import { ProbeError } from "../../lib/database/session.ts";
import { valueAt } from "../../lib/json.ts";
import type { Observation, WatchPlan } from "../../lib/os/system.ts";
import {
  askDriver,
  type DriverAnswer,
} from "../../lib/startup/verdict/ask_driver.ts";
import { makePlan } from "../../lib/startup/plan.ts";
import type { FakeSystem } from "../support/fake_system.ts";
import { stage } from "../support/installation.ts";
import { misbehave, products, startWithUser } from "./support.ts";

/** The name of the parameter in a data source. */
const PARAMETER_REGEXP = /[?& ](entrypoint_[a-z]+)=1$/;

/** Logs in as the server's driver would, and prints the error as a server does. */
async function serverLogin(
  adapter: DataSource["adapter"],
  { command, env }: WatchPlan,
  { files }: FakeSystem,
): Promise<Observation> {
  // The environment of a process is no place for a password.
  assert.equal(env["MM_SQLSETTINGS_DATASOURCE"], undefined);
  const config = files.readText(command.at(-1) ?? "");
  const dsn = String(valueAt(JSON.parse(config), "SqlSettings.DataSource"));
  const [, unknownParameter = ""] = PARAMETER_REGEXP.exec(dsn) ?? [];
  assert.notEqual(unknownParameter, "", dsn);
  const source = parseDsn(adapter, dsn.replace(PARAMETER_REGEXP, ""));
  try {
    const signal = new AbortController().signal;
    await (await connect(source, { signal, unknownParameter })).close();
  } catch (error) {
    assert.ok(error instanceof ProbeError);
    const text = adapter === "mysql"
      ? `Error ${error.code} (HY000): ${error.message}`
      : `pq: ${error.message}`;
    const line = { level: "error", msg: "Failed to ping DB", error: text };
    return { lines: [JSON.stringify(line)], code: undefined };
  }
  return { lines: ["Server is listening on :8065"], code: undefined };
}

async function ask(
  source: DataSource,
  server: (
    plan: WatchPlan,
    system: FakeSystem,
  ) => Observation | Promise<Observation>,
): Promise<{ answer: DriverAnswer; system: FakeSystem }> {
  const { system, context } = stage({
    watchChild: (plan) => server(plan, system),
    env: {
      MATTERMOST_VERSION: "10.11.23",
      DB_ADAPTER: source.adapter,
      DB_HOST: source.host,
      DB_PORT: String(source.port),
      DB_USER: source.user,
      DB_PASS: source.password,
      DB_NAME: source.database,
    },
  });
  const plan = await makePlan(context);
  return { answer: await askDriver(plan, context, {}), system };
}

for (const product of products()) {
  const { adapter, name } = product;
  Deno.test(`${name}: the server's driver gets in and executes nothing, or says why not`, async () => {
    const { server, source } = await startWithUser(product);
    try {
      const good = await ask(
        source,
        (...asked) => serverLogin(adapter, ...asked),
      );
      assert.deepEqual(good.answer, { kind: "in" });
      assert.equal(good.system.watched.length, 1);
      const bad = await ask(source, () => ({
        lines: [
          `[CRIT] Failed to ping DB err:pq: SSL is not enabled, ${source.password}`,
        ],
        code: undefined,
      }));
      assert.deepEqual(bad.answer, {
        kind: "out",
        error: "pq: SSL is not enabled, (hidden)",
      });
      const silent = await ask(source, () => ({ lines: [], code: 3 }));
      assert.deepEqual(silent.answer, {
        kind: "none",
        reason: "it ended with code 3, and said nothing",
      });
      // PostgreSQL's driver leaves a timer of 0 ms behind.
      await new Promise((resolve) => setTimeout(resolve, 1));
    } finally {
      await server.stop();
    }
  });
}

/** Removes the unknown parameter from PostgreSQL's startup message, as a pooler that ignores it does. */
function withoutParameter(message: Uint8Array): Uint8Array {
  const text = new TextDecoder("latin1").decode(message);
  const found = /entrypoint_[a-z]+\0[^\0]*\0/.exec(text);
  if (found === null) return message;
  const rest = text.replace(found[0], "");
  const bytes = Uint8Array.from(rest, (letter) => letter.charCodeAt(0));
  new DataView(bytes.buffer).setUint32(0, bytes.length);
  return bytes;
}

Deno.test("behind a proxy that swallows the unknown parameter, the server is never started", async () => {
  const [postgres] = products();
  assert.equal(postgres?.name, "PostgreSQL");
  assert.ok(postgres !== undefined);
  const { server, source } = await startWithUser(postgres);
  await using proxy = misbehave(async (client) => {
    const upstream = await Deno.connect({
      hostname: server.host,
      port: server.port,
    });
    const first = new Uint8Array(4096);
    const count = await client.read(first) ?? 0;
    await upstream.write(withoutParameter(first.subarray(0, count)));
    await Promise.allSettled([
      client.readable.pipeTo(upstream.writable),
      upstream.readable.pipeTo(client.writable),
    ]);
  });
  try {
    const { answer, system } = await ask(
      { ...source, host: "127.0.0.1", port: proxy.port },
      () => assert.fail("the server was started"),
    );
    assert.deepEqual(answer, {
      kind: "none",
      reason:
        "the database, or a pooler in front of it, accepts a parameter that does not exist, so the server would get in and migrate it",
    });
    assert.equal(system.watched.length, 0);
    await new Promise((resolve) => setTimeout(resolve, 1));
  } finally {
    await server.stop();
  }
});
