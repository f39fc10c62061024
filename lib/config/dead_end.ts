/**
 * A copy of a configuration, and of the environment of the server, whose database does not exist:
 * a server that is started with them judges them, and can reach no other system.
 *
 * From 5.30 on the server reads its variables in any letter case, and the last one counts; so
 * every spelling of a variable is removed. A key that is replaced is replaced in the copy and
 * removed from the environment. The data source that leads nowhere is set in both, a true one, which
 * contains a password, only in the copy.
 *
 * @module
 */

import type { Json } from "../json.ts";
import { isJsonObject, valueAt } from "../json.ts";
import { isTrue, variableOf } from "../mattermost/effective_value.ts";
import type { Adapter } from "../settings/adapter.ts";
import { setValue } from "./json_path.ts";
import { makeNode, parseDocument, printDocument } from "./json_text.ts";

/** What a server would get. */
export interface Handover {
  /** The text of config.json. */
  readonly text: string;
  /** The whole environment of the server. */
  readonly env: Readonly<Record<string, string>>;
}

/** The same with a database that does not exist. */
export interface DeadEnd extends Handover {
  /** The keys whose values in the copy are not those of the handover. */
  readonly replaced: readonly string[];
  /** The keys that are on and were switched off, so that the server does not judge what belongs to them. */
  readonly notJudged: readonly string[];
}

/** A key that is replaced in the copy. */
interface Replacement {
  readonly path: string;
  readonly value: Json;
  /** Whether a value must be replaced; by default every value. A text may come from a variable. */
  readonly applies?: (value: Json) => boolean;
  /** Whether the server judges other keys only if the value is on. */
  readonly hidesOthers?: true;
}

function isFilled(value: Json): boolean {
  return !["", "{}", "[]", '""'].includes(JSON.stringify(value)) &&
    value !== "";
}

const LOGS = [
  "LogSettings",
  "NotificationLogSettings",
  "ExperimentalAuditSettings",
];

/** Everything that a server could reach before it looks for its database, and the log on which it shows the verdict. */
const REPLACEMENTS: readonly Replacement[] = [
  ...["DataSourceReplicas", "DataSourceSearchReplicas", "ReplicaLagSettings"]
    .map((key) => ({ path: `SqlSettings.${key}`, value: [] })),
  { path: "LogSettings.EnableConsole", value: true },
  // With another level, releases up to 9 print more lines behind the first attempt.
  { path: "LogSettings.ConsoleLevel", value: "INFO" },
  { path: "LogSettings.EnableFile", value: false },
  ...["EnableDiagnostics", "EnableSentry"].map((key) => ({
    path: `LogSettings.${key}`,
    value: false,
    applies: isTrue,
  })),
  ...LOGS.flatMap((section) =>
    [["AdvancedLoggingJSON", {}], ["AdvancedLoggingConfig", ""]].map((
      [key, value],
    ) => ({
      path: `${section}.${key}`,
      value: value ?? "",
      applies: isFilled,
      hidesOthers: true as const,
    }))
  ),
  ...[
    "NotificationLogSettings.EnableFile",
    "ExperimentalAuditSettings.FileEnabled",
    "ExperimentalAuditSettings.SysLogEnabled",
  ].map((path) => ({ path, value: false, applies: isTrue })),
  ...["ClusterSettings.Enable", "MetricsSettings.Enable"].map((path) => ({
    path,
    value: false,
    applies: isTrue,
    hidesOthers: true as const,
  })),
  {
    path: "CacheSettings.CacheType",
    value: "lru",
    applies: (value) => value === "redis",
    hidesOthers: true,
  },
  { path: "ServiceSettings.SplitKey", value: "", applies: isFilled },
];

const DATA_SOURCE = "SqlSettings.DataSource";
const DRIVER = "SqlSettings.DriverName";

/** The variables that the server must not get, whatever their value is. */
const REMOVED = new Set(["MM_CONFIG", variableOf(DATA_SOURCE)]);

/**
 * Makes the copy.
 *
 * @param handover What the server would get.
 * @param options The directory in which the socket of the database does not exist, and the product if neither the file nor the environment names it; `dataSource` is used instead of the dead end.
 * @returns The copy.
 */
export function deadEnd(
  { text, env }: Handover,
  { directory, adapter, dataSource }: {
    readonly directory: string;
    readonly adapter: Adapter;
    readonly dataSource?: string;
  },
): DeadEnd {
  const document = parseDocument(text);
  const present: Json = JSON.parse(text);
  const variables = new Map(
    Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]),
  );
  const removed = new Set(REMOVED);
  const notJudged: string[] = [];
  const replaced: string[] = [];
  const set = (path: string, value: Json): void => {
    removed.add(variableOf(path));
    replaced.push(path);
    setValue(document.root, path, makeNode(value));
  };
  for (const { path, value, applies, hidesOthers } of REPLACEMENTS) {
    const [section = ""] = path.split(".");
    const holder = valueAt(present, section);
    // The server itself judges a section that is not an object.
    if (holder !== undefined && !isJsonObject(holder)) continue;
    const current = [variables.get(variableOf(path)), valueAt(present, path)]
      .filter((each) => each !== undefined);
    if (applies !== undefined && !current.some(applies)) continue;
    if (hidesOthers) notJudged.push(path);
    set(path, value);
  }
  // An empty variable is ignored, or refused in any form.
  const driver = variables.get(variableOf(DRIVER)) ||
    (valueAt(present, DRIVER) ?? adapter);
  if (valueAt(present, DRIVER) === undefined) {
    replaced.push(DRIVER);
    setValue(document.root, DRIVER, makeNode(adapter));
  }
  const source = dataSource ??
    // With the form of the other driver, releases 7.x would try 127.0.0.1.
    (driver === "mysql"
      ? `x:y@unix(${directory}/s.sock)/nodb?charset=utf8mb4`
      : `postgres://x:y@/nodb?host=${
        encodeURIComponent(directory)
      }&sslmode=disable`);
  set(DATA_SOURCE, source);
  const kept = Object.entries(env).filter(([name]) =>
    !removed.has(name.toUpperCase())
  );
  return {
    text: printDocument(document),
    env: {
      ...Object.fromEntries(kept),
      ...(dataSource === undefined
        ? { [variableOf(DATA_SOURCE)]: source }
        : {}),
      MM_LOGSETTINGS_ENABLECONSOLE: "true",
    },
    replaced,
    notJudged,
  };
}
