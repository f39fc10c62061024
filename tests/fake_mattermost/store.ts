/**
 * Reads or writes the active configuration in a database as servers do, for the fake Mattermost.
 * The data source is in `FAKE_STORE_SOURCE`, in the form of `MM_CONFIG`.
 *
 * @module
 */

import mysql from "mysql/promise";
import postgres from "postgres";

/** The statements of servers from 5.37 to 11.6; MySQL has the same. */
const CREATE =
  "CREATE TABLE IF NOT EXISTS Configurations (Id VARCHAR(26) PRIMARY KEY, Value TEXT NOT NULL, CreateAt BIGINT NOT NULL, Active BOOLEAN NULL UNIQUE)";
const READ = "SELECT Value AS value FROM Configurations WHERE Active";
const DEACTIVATE = "UPDATE Configurations SET Active = NULL WHERE Active";

type Run = (
  text: string,
  values?: (string | number)[],
) => Promise<readonly { readonly value: string }[]>;

async function perform(run: Run, mark: (n: number) => string): Promise<void> {
  await run(CREATE);
  if (Deno.args[0] === "read") {
    const [row] = await run(READ);
    console.log(row?.value ?? "");
    return;
  }
  const text = await new Response(Deno.stdin.readable).text();
  await run(DEACTIVATE);
  const id = crypto.randomUUID().replaceAll("-", "").slice(0, 26);
  await run(
    `INSERT INTO Configurations VALUES (${mark(1)}, ${mark(2)}, ${
      mark(3)
    }, TRUE)`,
    [id, text, Date.now()],
  );
}

const source = Deno.env.get("FAKE_STORE_SOURCE") ?? "";
const [, user = "", password = "", host, port, database] =
  /^mysql:\/\/(.*?):(.*)@tcp\((.*):(\d+)\)\/(\w+)/.exec(source) ?? [];
if (host === undefined) {
  const client = postgres(source.replace(/\?.*/, ""), { onnotice: () => {} });
  await perform(
    async (text, values = []) =>
      [...await client.unsafe(text, values)] as never,
    (n) => `$${n}`,
  );
  await client.end();
} else {
  const client = await mysql.createConnection({
    host,
    port: Number(port),
    user,
    password,
    database: database ?? "",
  });
  await perform(
    async (text, values = []) => (await client.query(text, values))[0] as never,
    () => "?",
  );
  await client.end();
}
