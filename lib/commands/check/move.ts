/**
 * What a move from MySQL to PostgreSQL stumbles over, which Mattermost 11 needs. The causes are
 * those that stopped pgloader, or that it passed over in silence, in Mattermost's procedure.
 *
 * @module
 */

import type {
  DatabaseFacts,
  Session,
  Survey,
  ValueProblem,
} from "../../database/session.ts";
import type { Plan } from "../../startup/plan.ts";
import { type Finding, type FindingText, ok, warning } from "./finding.ts";

const ID = "database.move";

/** The document about the move. */
const DOCUMENT = "docs/from-mysql.md";

/** What a cause looks at. */
interface Subject extends Survey {
  readonly facts: DatabaseFacts;
  readonly store: Pick<Plan["store"], "kind">;
}

/** Finds what one cause is about; nothing where it is absent. */
type Cause = (subject: Subject) => readonly FindingText[];

/** Character sets that pgloader reads without loss. It takes MySQL's latin1 for ISO 8859-1, which has no euro sign. */
const READABLE = ["", "utf8mb4", "utf8mb3", "utf8", "ascii", "binary"];

/** Columns that are in some MySQL databases only: the migrations that should have dropped them were added or corrected later. */
const LEFTOVERS = new Set([
  "SharedChannelRemotes.Description",
  "SharedChannelRemotes.NextSyncAt",
  "Threads.TeamId",
].map((name) => name.toLowerCase()));

/** The plugins whose tables Mattermost's tool moves by a run of their own, and those tables. */
const PLUGINS: readonly (readonly [name: string, tables: RegExp])[] = [
  ["boards", /focalboard/i],
  ["playbooks", /^IR_/i],
  ["calls", /calls/i],
];

/** Mattermost's tables that no name of a migration contains. */
const OTHER_TABLES = [
  "accesscontrolpolicyhistory",
  "configurationfiles",
  "configurations",
  "db_config_migrations",
  "db_lock",
  "db_migrations",
  "propertygroups",
  "retentionpolicieschannels",
  "retentionpoliciesteams",
  "schema_migrations",
];

const CAUSES: readonly Cause[] = [
  ({ facts }) =>
    only(facts.product === "MariaDB", {
      message:
        "The database is MariaDB, from which Mattermost does not support a move to PostgreSQL: it works, but only a rehearsal shows whether it does with your data",
      remedy: `Rehearse the move (${DOCUMENT})`,
    }),
  ({ plugin = "mysql_native_password" }) =>
    only(plugin !== "mysql_native_password", {
      message:
        `The database's user has the authentication plugin ${plugin}, with which pgloader 3 cannot log in: it copies nothing, and ends as if it had succeeded`,
      remedy:
        `Move from a copy in which a user has mysql_native_password (${DOCUMENT})`,
    }),
  ({ columns }) => {
    const found = columns.filter(({ charset }) => !READABLE.includes(charset));
    const tables = Map.groupBy(found, ({ table }) => table);
    const names = [...tables].map(([table, [column]]) =>
      `${table} (${column?.charset})`
    );
    return only(tables.size > 0, {
      message: `${
        listNames(names)
      }: pgloader damages characters of tables with these character sets, such as the euro sign`,
      remedy:
        `ALTER TABLE \`${tables.keys().next().value}\` CONVERT TO CHARACTER SET utf8mb4;   -- and the others likewise`,
    });
  },
  ({ columns }) =>
    columns.filter(({ table, name }) =>
      LEFTOVERS.has(`${table}.${name}`.toLowerCase())
    ).map(({ table, name }) => ({
      message:
        `The column ${table}.${name} was left by an older release, and pgloader stops at it before it copies anything`,
      remedy: `ALTER TABLE \`${table}\` DROP COLUMN \`${name}\`;`,
    })),
  ({ columns }) =>
    PLUGINS.flatMap(([plugin, regexp]) => {
      const tables = tablesOf(columns).filter((table) => regexp.test(table));
      return only(tables.length > 0, {
        message: `${
          listNames(tables)
        }: the tables of the plugin ${plugin} are moved by a run of pgloader of their own`,
        remedy:
          `migration-assist pgloader ${plugin} --mysql="$MYSQL" --postgres="$POSTGRES" > ${plugin}.load   # ${DOCUMENT}`,
      });
    }),
  ({ columns, facts }) => {
    const known = facts.schema.migrations.map(({ name }) => plain(name));
    // Before 6.4 migrations have no names, and a first start may be at their beginning.
    if (!known.includes("createchannels")) return [];
    const foreign = tablesOf(columns).filter((table) =>
      !OTHER_TABLES.includes(table.toLowerCase()) &&
      !PLUGINS.some(([, regexp]) => regexp.test(table)) &&
      !known.some((name) => name.includes(plain(table).replace(/s$/, "")))
    );
    return only(foreign.length > 0, {
      message: `${
        listNames(foreign)
      }: tables that are not Mattermost's stay behind`,
      remedy:
        "Keep the dump of MySQL if a plugin or another program needs them; it must bring its own tables on PostgreSQL",
    });
  },
  ({ values }) => values.map(describeValues),
  ({ unread }) =>
    only(unread.length > 0, {
      message: `${
        listNames(unread.map(({ table }) => table))
      }: too large or too busy to be searched for values that PostgreSQL refuses`,
      remedy: `${
        unread.map(({ query }) => query).join("; ")
      };   -- each number should be 0`,
    }),
  ({ store }) =>
    only(store.kind === "database", {
      message:
        "The configuration is in the database, and the move does not take it along",
      remedy:
        "mattermost-entrypoint app:config --to-file   # before the move; afterwards app:config --to-database",
    }),
];

/**
 * Examines a database of MySQL or MariaDB for what a move to PostgreSQL stumbles over.
 *
 * @param facts The facts about the database.
 * @param plan The release, the data source and the store of the configuration.
 * @param session The session.
 * @returns The findings; none for PostgreSQL, and for a database without Mattermost's tables.
 */
export async function moveFindings(
  facts: DatabaseFacts,
  plan: {
    readonly release: Pick<Plan["release"], "databases">;
    readonly store: Pick<Plan["store"], "kind">;
  },
  session: Session,
): Promise<Finding[]> {
  if (session.survey === undefined || !facts.schema.installed) return [];
  if (plan.release.databases.mysql?.newInstallations === true) {
    return [
      ok(
        ID,
        `Mattermost 11 and later need PostgreSQL (${DOCUMENT}): app:check of a release from 10.0 on lists what a move stumbles over`,
      ),
    ];
  }
  const subject = { ...await session.survey(), facts, store: plan.store };
  const found = CAUSES.flatMap((cause) => cause(subject));
  return found.length > 0 ? found.map((text) => warning(ID, text)) : [
    ok(
      ID,
      `Nothing was found that a move to PostgreSQL would stumble over (${DOCUMENT})`,
    ),
  ];
}

/** What is wrong with values of each kind; the subject is `FileInfo.Name: 2 values`. */
const VALUES: Readonly<
  Record<
    ValueProblem["kind"],
    (what: string, problem: ValueProblem) => FindingText
  >
> = {
  long: (what, { limit, statement }) => ({
    message:
      `${what} with more than ${limit} characters, at which pgloader stops copying the table`,
    remedy:
      `${statement}   -- shorten these; migration-assist --fix-varchar deletes the rows`,
  }),
  nul: (what, { statement }) => ({
    message:
      `${what} with the character \\u0000, at which pgloader stops copying the table`,
    remedy: statement,
  }),
  capitals: (what, { statement }) => ({
    message:
      `${what} with capitals, which incoming webhooks and links no longer find on PostgreSQL`,
    remedy: statement,
  }),
};

function describeValues(problem: ValueProblem): FindingText {
  const { kind, table, column, count } = problem;
  const what = `${table}.${column}: ${count} value${count === 1 ? "" : "s"}`;
  return VALUES[kind](what, problem);
}

function only(isFound: boolean, text: FindingText): readonly FindingText[] {
  return isFound ? [text] : [];
}

function tablesOf(columns: Survey["columns"]): readonly string[] {
  return [...new Set(columns.map(({ table }) => table))];
}

/** The letters of a name; migrations write `team_members` for the table `TeamMembers`. */
function plain(name: string): string {
  return name.replaceAll(/[^a-z0-9]/gi, "").toLowerCase();
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 8);
  const more = names.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
