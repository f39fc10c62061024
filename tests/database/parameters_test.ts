/**
 * The parameters of a data source, in logins to real databases.
 *
 * @module
 */

import assert from "node:assert/strict";
import { parseDsn } from "../../lib/database/dsn.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import { ProbeError } from "../../lib/database/session.ts";
import { factsOf, products, refusalOf, startWithUser } from "./support.ts";

for (const product of products()) {
  const { adapter, name } = product;
  if (adapter === "mysql") {
    Deno.test(`${name}: what the driver sets in the session is set, or refused with the closest name`, async () => {
      const { server, source } = await startWithUser(product);
      await using _ = server;
      const read = (parameters: string): DataSource =>
        parseDsn(
          adapter,
          `mmuser:hunter22@tcp(${source.host}:${source.port})/mattermost?${parameters}`,
        );
      const good =
        "charset=utf8mb4,utf8&collation=utf8mb4_unicode_ci&multiStatements=true&timeout=5s&sql_mode=%27ANSI_QUOTES%27";
      assert.equal((await factsOf(read(good))).mayCreateTables, true);
      assert.equal(
        (await factsOf(read("charset=odd,latin1"))).mayCreateTables,
        true,
      );
      const bad: [string, RegExp][] = [
        ["sslmode=disable", /sslmode/],
        ["readtimeout=30s", /Did you mean readTimeout\?$/],
        ["charset=odd", /odd/],
        ["charset=utf8mb4&collation=odd", /odd/],
        ["sql_mode=%27ODD%27", /ODD/],
      ];
      for (const [parameters, message] of bad) {
        const error = await refusalOf(read(parameters));
        assert.ok(error instanceof ProbeError);
        assert.equal(error.reason, "parameter", error.message);
        assert.match(error.message, message);
      }
    });
    continue;
  }
  Deno.test(`${name}: parameters, several servers and what they must be are those of the driver`, async (context) => {
    const { server, source } = await startWithUser(product);
    await using _ = server;
    const read = (
      parameters: string,
      version = "1.12.3",
      { host, port } = { host: source.host, port: String(source.port) },
    ): DataSource =>
      parseDsn(
        adapter,
        `postgres://mmuser:hunter22@/mattermost?host=${host}&port=${port}&sslmode=disable&${parameters}`,
        { versions: [version] },
      );
    await context.step(
      "search_path and options decide where tables are",
      async () => {
        await server.sql(
          "CREATE SCHEMA chat AUTHORIZATION mmuser",
          "mattermost",
        );
        await server.sql(
          "CREATE TABLE chat.users (id int); CREATE TABLE chat.systems (name text, value text); ALTER TABLE chat.users OWNER TO mmuser; ALTER TABLE chat.systems OWNER TO mmuser",
          "mattermost",
        );
        const installed = async (parameters: string) =>
          (await factsOf(read(parameters))).schema.installed;
        assert.equal(await installed(""), false);
        assert.equal(await installed("search_path=chat"), true);
        assert.equal(await installed("options=-c%20search_path%3Dchat"), true);
      },
    );
    await context.step(
      "what the database refuses is named, with the closest name",
      async () => {
        const bad: [string, string, RegExp][] = [
          ["serch_path=chat", "1.10.9", /Did you mean search_path\?$/],
          ["channel_binding=require", "1.12.3", /"channel_binding"/],
          ["target_session_attrs=any", "1.10.9", /target_session_attrs/],
          ["work_mem=odd", "1.10.9", /work_mem/],
          ["fsync=off", "1.10.9", /fsync/],
        ];
        for (const [parameters, version, message] of bad) {
          const error = await refusalOf(read(parameters, version));
          assert.ok(error instanceof ProbeError);
          assert.equal(error.reason, "parameter", error.message);
          assert.match(error.message, message);
        }
      },
    );
    await context.step("the next server is tried if one fails", async () => {
      const { host, port } = source;
      const two = { host: `${host},${host}`, port: `1,${port}` };
      assert.equal((await factsOf(read("", "1.12.3", two))).readOnly, false);
      const dead = await refusalOf(
        read("", "1.12.3", { host: `${host},/nowhere`, port: "1" }),
      );
      assert.ok(dead instanceof ProbeError);
      assert.equal(dead.reason, "refused");
      assert.match(dead.message, /:1: .*; \/nowhere: /);
    });
    await context.step("target_session_attrs is respected", async () => {
      const works = ["any", "read-write", "primary", "prefer-standby"];
      for (const attributes of works) {
        const two = {
          host: `${source.host},${source.host}`,
          port: `1,${source.port}`,
        };
        await factsOf(
          read(`target_session_attrs=${attributes}`, "1.12.3", two),
        );
      }
      const standby = await refusalOf(read("target_session_attrs=standby"));
      assert.ok(standby instanceof ProbeError);
      assert.match(standby.message, /is standby, but this is a primary/);
      const readOnly = await refusalOf(
        read(
          "target_session_attrs=read-write&default_transaction_read_only=on",
        ),
      );
      assert.ok(readOnly instanceof ProbeError);
      assert.equal(readOnly.reason, "read-only");
    });
  });
}
