/**
 * Reads what a move of the data to PostgreSQL depends on. Nothing is changed, and no table is
 * read for longer than {@linkcode SCAN_TIME}.
 *
 * @see https://docs.mattermost.com/deployment-guide/manual-postgres-migration.html
 * @module
 */

import type { Survey, ValueProblem } from "../session.ts";
import { shortText, unlessError } from "../session.ts";
import type { Query } from "./configurations.ts";

/** Milliseconds for each table with values to look at. All of them together fit in the time of `app:check`. */
const SCAN_TIME = 300;

/** `\u0000` and two backslashes, whatever the SQL mode says about backslashes in texts. */
const NUL = "_utf8mb4 X'5C7530303030'";
const ESCAPED = "_utf8mb4 X'5C5C'";

/** The condition of each kind, and the value that is right; PostgreSQL counts characters, and accepts `u0000` behind an escaped backslash. */
const KINDS: Readonly<
  Record<
    ValueProblem["kind"],
    (column: string, limit: number) => readonly [where: string, right?: string]
  >
> = {
  long: (column, limit) => [`CHAR_LENGTH(${column}) > ${limit}`],
  nul: (column) => [
    `LOCATE(${NUL}, REPLACE(${column}, ${ESCAPED}, '')) > 0`,
    `REPLACE(${column}, ${NUL}, '')`,
  ],
  capitals: (column) => [
    `CAST(${column} AS BINARY) <> CAST(LOWER(${column}) AS BINARY)`,
    `LOWER(${column})`,
  ],
};

type Rule = readonly [
  column: string,
  kind: ValueProblem["kind"],
  limit?: number,
];

/**
 * The values that PostgreSQL refuses or treats in another way: texts without a limit in MySQL,
 * JSON with the character 0, and names that MySQL compares without regard to letter case.
 */
const RULES: Readonly<Record<string, readonly Rule[]>> = {
  Audits: [["Action", "long", 512], ["ExtraInfo", "long", 1024]],
  ChannelMembers: [["NotifyProps", "nul"]],
  Channels: [["Name", "capitals"]],
  ClusterDiscovery: [["HostName", "long", 512]],
  Commands: [
    ["IconURL", "long", 1024],
    ["AutoCompleteDesc", "long", 1024],
    ["AutoCompleteHint", "long", 1024],
  ],
  Compliances: [["Keywords", "long", 512], ["Emails", "long", 1024]],
  FileInfo: [
    ["Path", "long", 512],
    ["ThumbnailPath", "long", 512],
    ["PreviewPath", "long", 512],
    ["Name", "long", 256],
    ["MimeType", "long", 256],
  ],
  Jobs: [["Data", "nul"]],
  LinkMetadata: [["URL", "long", 2048], ["Data", "nul"]],
  Posts: [["Props", "nul"]],
  RecentSearches: [["Query", "nul"]],
  RemoteClusters: [["SiteURL", "long", 512], ["Topics", "long", 512]],
  RetentionIdsForDeletion: [["Ids", "nul"]],
  Sessions: [["DeviceId", "long", 512], ["Props", "nul"]],
  Systems: [["Value", "long", 1024]],
  Threads: [["Participants", "nul"]],
  UploadSessions: [["FileName", "long", 256], ["Path", "long", 512]],
  Users: [["Props", "nul"], ["NotifyProps", "nul"], ["Timezone", "nul"]],
};

const COLUMNS_QUERY = `
SELECT c.TABLE_NAME AS table_name, c.COLUMN_NAME AS column_name,
  c.CHARACTER_SET_NAME AS charset, VERSION() AS version
FROM information_schema.COLUMNS c JOIN information_schema.TABLES t
  ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE'
ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`;

/** A user may see its own account. The answer also has the hash of the password, which goes nowhere. */
const ACCOUNT_QUERY = "SHOW CREATE USER CURRENT_USER()";

/** MySQL writes WITH, MariaDB VIA; its accounts with `BY PASSWORD` have the old plugin. */
const PLUGIN_REGEXP = /IDENTIFIED (?:WITH|VIA) ['"`]?(\w+)/;

/**
 * Reads the tables and columns, the account's plugin, and how many values need attention.
 *
 * @param query Sends statements.
 * @returns What was found.
 * @throws {ProbeError} Where the connection fails.
 */
export async function readSurvey(query: Query): Promise<Survey> {
  const rows = await query(COLUMNS_QUERY);
  const columns = rows.map((row) => ({
    table: shortText(row["table_name"]),
    name: shortText(row["column_name"]),
    charset: shortText(row["charset"]),
  }));
  const [account = {}] = await unlessRefused(query(ACCOUNT_QUERY)) ?? [];
  const [, plugin] = PLUGIN_REGEXP.exec(String(Object.values(account)[0])) ??
    [];
  const limit = /mariadb/i.test(shortText(rows[0]?.["version"]))
    ? `max_statement_time = ${SCAN_TIME / 1000}`
    : `max_execution_time = ${SCAN_TIME}`;
  const isLimited =
    await unlessRefused(query(`SET SESSION ${limit}`)) !== undefined;
  const values: ValueProblem[] = [];
  const unread: { table: string; query: string }[] = [];
  for (const [name, rules] of Object.entries(RULES)) {
    const present = columns.filter(({ table }) => isSame(table, name));
    const checks = rules.flatMap((rule) => checksOf(present, rule));
    const [first] = checks;
    if (first === undefined) continue;
    const { table } = first;
    const counts = checks.map(({ where }, index) =>
      `COUNT(IF(${where}, 1, NULL)) AS n${index}`
    );
    const text = `SELECT ${counts.join(", ")} FROM \`${table}\``;
    const found = isLimited ? await unlessRefused(query(text)) : undefined;
    if (found === undefined) unread.push({ table, query: text });
    checks.forEach(({ where: _, ...check }, index) => {
      const count = Number(found?.[0]?.[`n${index}`] ?? 0);
      if (count > 0) values.push({ ...check, count });
    });
  }
  return { columns, values, unread, ...plugin === undefined ? {} : { plugin } };
}

/** Applies a rule to the columns that a table has. */
function checksOf(
  columns: Survey["columns"],
  [wanted, kind, limit = 0]: Rule,
): (Omit<ValueProblem, "count"> & { readonly where: string })[] {
  return columns.filter(({ name }) => isSame(name, wanted)).map(
    ({ table, name: column }) => {
      const [where, right] = KINDS[kind](`\`${column}\``, limit);
      const statement = right === undefined
        ? `SELECT * FROM \`${table}\` WHERE ${where};`
        : `UPDATE \`${table}\` SET \`${column}\` = ${right} WHERE ${where};`;
      return { kind, table, column, limit, statement, where };
    },
  );
}

/** Names of tables have another letter case with `lower_case_table_names`. */
function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Awaits a query; `undefined` where the server refuses it, also because its time is up. */
async function unlessRefused<Result>(
  query: Promise<Result>,
): Promise<Result | undefined> {
  return await unlessError(query, (code) => /^\d+$/.test(code));
}
