/**
 * Where the configuration is: in config.json, or in the database of the server. The plan, the
 * merge and the verdict are the same for both; this is all that differs.
 *
 * @module
 */

import type { Assignment } from "../config/assignment.ts";
import { parseConfig } from "../config/config_errors.ts";
import type { ConfigPlace, ConfigState } from "../config/file.ts";
import { readSettledConfig } from "../config/file.ts";
import { createDigest } from "../config/last_applied.ts";
import type { Session, StoredConfig } from "../database/session.ts";
import type { ReadyDatabase } from "../database/wait.ts";
import { formatDsn } from "../database/dsn.ts";
import {
  EntrypointError,
  ExitCode,
  type Problem,
  trySystemCall,
} from "../errors.ts";
import { formatDate } from "../certificate_expiry.ts";
import type { Json } from "../json.ts";
import { isJsonObject, valueAt } from "../json.ts";
import { readsAnyCase, variableOf } from "../mattermost/effective_value.ts";
import { isWrittenByServer } from "../mattermost/package_settings.ts";
import { variableText } from "../mattermost/variable_value.ts";
import type { System } from "../os/system.ts";
import { inRange } from "../release_range.ts";
import {
  CONFIG_VARIABLE,
  DEFAULTS_VARIABLE,
  WITH_DEFAULTS,
} from "../settings/config_variable.ts";
import { isSettingName } from "../settings/catalogue.ts";
import { resolve } from "../settings/resolve.ts";
import { isExplicit, variableOfOrigin } from "../settings/origin.ts";
import { shellWord } from "../shell.ts";
import { namesOtherDatabase } from "./configured_database.ts";
import type { Context } from "./context.ts";
import type { LoadedSettings } from "./load_settings.ts";
import { openDatabase } from "./open_database.ts";
import { placeOf } from "./paths.ts";

/** Uses a session of the database of the server. */
export type WithSession = <T>(
  work: (session: Session) => Promise<T>,
) => Promise<T>;

/** The place of the configuration. */
export interface ConfigStore {
  /** Whether it is config.json, which a start writes, or the database, which only servers write. */
  readonly kind: "file" | "database";
  /** The place in words: a path, or `the database`. */
  readonly name: string;
  /**
   * Reads the present configuration. It changes nothing.
   *
   * @param isLenient Whether to go on with a notice and without a configuration if the database cannot be read.
   * @throws {EntrypointError} With code 65 if it is not valid, 78 if the database holds nothing but a config.json exists.
   */
  read(isLenient: boolean): Promise<ConfigState>;
  /**
   * Finds the values that a start brings about.
   *
   * @param fromSettings The values that follow from the settings.
   * @param base The present configuration.
   */
  choose(
    fromSettings: readonly Assignment[],
    base: Json,
  ): readonly Assignment[];
  /** The variables with which the server gets these values; none if they are written. They contain secrets. */
  variables(wanted: readonly Assignment[]): Readonly<Record<string, string>>;
  /** Describes the configuration that the other store holds and that does not count; `undefined` if it holds none. */
  describeOther(database: ReadyDatabase): Promise<Problem | undefined>;
}

/**
 * Chooses the store that the settings name.
 *
 * @param loaded The loaded settings.
 * @param system The system, as it may read for the server's user.
 * @param useSession Gives access to the database, when the store needs it.
 * @returns The store.
 */
export function configStore(
  loaded: LoadedSettings,
  system: System,
  useSession: WithSession,
): ConfigStore {
  const place = placeOf(loaded.settings, system);
  return loaded.settings.MATTERMOST_CONFIG_STORE === "file"
    ? fileStore(place, system)
    : databaseStore(loaded, { place, system, useSession });
}

/**
 * Gives access to the database with one login, which ends with the work.
 *
 * @param loaded The data source and the certificate authorities.
 * @param context The system, the log and the signal.
 * @returns The access.
 */
export function ownSession(
  loaded: LoadedSettings,
  context: Context,
): WithSession {
  return async (work) => {
    const settings = { ...loaded.settings, DB_TIMEOUT: 0 };
    const { session } = await openDatabase({ ...loaded, settings }, context);
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  };
}

function fileStore(place: ConfigPlace, system: System): ConfigStore {
  return {
    kind: "file",
    name: place.path,
    read: () => readSettledConfig(system, place),
    choose: (fromSettings) => fromSettings,
    variables: () => ({}),
    async describeOther({ session, facts }) {
      if (!facts.hasConfigurations) return undefined;
      // A table with that name may be another program's.
      const stored = await session.configuration().catch(() => undefined);
      return stored && {
        subject: "",
        message:
          `The configuration in ${place.path} counts; the database also holds one, of ${
            dateText(stored.createdAt)
          }, which is not used`,
        remedy:
          "MATTERMOST_CONFIG_STORE=database   # uses that one; to put it aside: UPDATE configurations SET active = NULL WHERE active;",
      };
    },
  };
}

/** What a server does not run without in this container, wherever its configuration is. */
const REQUIRED = [
  "SqlSettings.DriverName",
  "SqlSettings.DataSource",
  "ServiceSettings.ListenAddress",
  "FileSettings.Directory",
  "LogSettings.FileLocation",
];

function databaseStore(
  loaded: LoadedSettings,
  { place, system, useSession }: {
    readonly place: ConfigPlace;
    readonly system: System;
    readonly useSession: WithSession;
  },
): ConfigStore {
  const { path } = place;
  const name = "the database";
  const file = (): number | undefined => dateOfFile(loaded, path, system);
  return {
    kind: "database",
    name,
    async read(isLenient) {
      const { stored, notices } = await readStored(useSession, isLenient);
      if (
        stored === undefined && notices.length === 0 && file() !== undefined &&
        !isStoredAtStart(loaded, path)
      ) {
        throw notMoved(loaded, path);
      }
      if (stored !== undefined) {
        requireValid(stored.text);
        requireSameDatabase(loaded, stored.text);
      }
      return {
        text: stored?.text,
        stored: stored?.id,
        // The entrypoint never writes there, so no value counts as last applied by it.
        lastApplied: { version: 1, values: {} },
        accepted: undefined,
        salt: "",
        torn: false,
        notices,
        digest: createDigest(""),
      };
    },
    choose(fromSettings, base) {
      const isImplied = findImplied(loaded);
      const readsLists = readsAnyCase(loaded.release.environmentOverrides);
      return fromSettings.flatMap((assignment): Assignment[] => {
        const { path, origin, variables } = assignment;
        const isRead = readsLists || !Array.isArray(assignment.value);
        if (isRead && isExplicit(origin)) return [assignment];
        if (REQUIRED.includes(path) || isRead && variables.some(isImplied)) {
          return [{ ...assignment, origin: { kind: "implied" } }];
        }
        const value = valueAt(base, path);
        return value === undefined
          ? []
          : [{ ...assignment, value, origin: { kind: "stored" } }];
      });
    },
    variables(wanted) {
      const own = loaded.serverVariables.values;
      const given = wanted.flatMap(({ path, value, origin }) => {
        const name = variableOf(path);
        return isExplicit(origin) && value !== undefined && !(name in own)
          ? [[name, variableText(value)] as const]
          : [];
      });
      return {
        ...Object.fromEntries(given),
        [CONFIG_VARIABLE]: configDsn(loaded),
      };
    },
    describeOther() {
      const date = file();
      return Promise.resolve(
        date === undefined ? undefined : {
          subject: "",
          message: `The configuration in the database counts; ${path} of ${
            dateText(date)
          } is not used`,
          remedy: `mv ${shellWord(path)} ${
            shellWord(`${path}.old`)
          }   # if it is no longer needed`,
        },
      );
    },
  };
}

/**
 * Writes the data source in the form of `MM_CONFIG`: a URL, which for MySQL has its driver's form
 * behind the scheme.
 *
 * @param loaded The data source.
 * @returns The value of the variable, a secret.
 */
export function configDsn(
  { database: { source, dsn } }: LoadedSettings,
): string {
  const text = dsn ?? formatDsn(source);
  if (source.adapter === "mysql") return `mysql://${text}`;
  return /^postgres(?:ql)?:/.test(text)
    ? text.replace(/^postgresql:/, "postgres:")
    : formatDsn(source);
}

/** Finds settings whose defaults are others because of settings that the operator gave. */
function findImplied(
  { settings, release }: LoadedSettings,
): (name: string) => boolean {
  const plain = resolve({
    env: {},
    adapter: release.defaultAdapter,
    release: release.version,
    readFile: () => new Uint8Array(),
    exists: () => false,
  });
  return (name) =>
    isSettingName(name) && plain.settings[name] !== settings[name];
}

async function readStored(
  useSession: WithSession,
  isLenient: boolean,
): Promise<
  {
    readonly stored: StoredConfig | undefined;
    readonly notices: readonly string[];
  }
> {
  try {
    const stored = await useSession((session) => session.configuration());
    return { stored, notices: [] };
  } catch (error) {
    if (!isLenient || !(error instanceof EntrypointError)) throw error;
    const notice =
      `The configuration in the database cannot be read, so the defaults of the package are checked instead of it: ${error.message}`;
    return { stored: undefined, notices: [notice] };
  }
}

/**
 * Formats a time as a day, for any number that a database may hold.
 *
 * @param milliseconds The time, in milliseconds since the epoch.
 * @returns The day in UTC.
 */
export function dateText(milliseconds: number): string {
  return Math.abs(milliseconds) < LAST_TIME
    ? formatDate(milliseconds)
    : "an unknown date";
}

/** The largest time that `Date` accepts, in milliseconds. */
const LAST_TIME = 8.64e15;

/** The date of a config.json of the entrypoint or of a server; the one in a package is nobody's. */
function dateOfFile(
  { paths }: LoadedSettings,
  path: string,
  { files }: Pick<System, "files">,
): number | undefined {
  const facts = trySystemCall(() => files.stat(path));
  if (facts === undefined) return undefined;
  const isInPackage = path === `${paths.install}/config/config.json`;
  if (isInPackage && files.lstat(`${path}.memory`) === undefined) {
    const bytes = trySystemCall(() => files.read(path, { follow: true }))
      ?.bytes;
    const found = bytes && parseConfig(bytes);
    if (found === undefined || !("text" in found)) return undefined;
    const document: Json = JSON.parse(found.text);
    if (!isJsonObject(document) || !isWrittenByServer(document)) {
      return undefined;
    }
    const secret = valueAt(document, "SqlSettings.AtRestEncryptKey");
    // Only a server fills it in.
    if (typeof secret !== "string" || secret === "") return undefined;
  }
  return facts.modified;
}

/** If only `MM_CONFIG` names a database, the server's own data may be in another one, which is stored. */
function requireSameDatabase(
  { database: { source }, serverVariables }: LoadedSettings,
  text: string,
): void {
  const name = serverVariables.givenBy[CONFIG_VARIABLE];
  if (
    name === undefined || source.givenBy !== name ||
    !namesOtherDatabase(text, source)
  ) return;
  throw new EntrypointError(
    `Only ${name} names a database, but the configuration that it holds names another one for the data of the server`,
    {
      code: ExitCode.settings,
      remedy:
        `mattermost-entrypoint app:config --to-file   # then remove ${name}, and set DB_HOST, DB_NAME, DB_USER and DB_PASS; if it is the same database at another address, set MM_SQLSETTINGS_DATASOURCE too`,
    },
  );
}

/** Whether the server will store the config.json at this start. */
function isStoredAtStart(
  { release, serverVariables }: LoadedSettings,
  path: string,
): boolean {
  return serverVariables.values[DEFAULTS_VARIABLE] === path &&
    inRange(release.version, WITH_DEFAULTS);
}

function notMoved(
  { origins }: LoadedSettings,
  path: string,
): EntrypointError {
  const name = variableOfOrigin(origins.MATTERMOST_CONFIG_STORE) ??
    "MATTERMOST_CONFIG_STORE";
  return new EntrypointError(
    `${name} says that the configuration is in the database, which holds none, but ${path} exists and would be passed over`,
    {
      code: ExitCode.settings,
      remedy:
        `mattermost-entrypoint app:config --to-database   # moves it; or remove ${name} to keep the file`,
    },
  );
}

/**
 * Makes sure that a stored text is a configuration.
 *
 * @param text The text.
 * @throws {EntrypointError} With code 65 if it is not.
 */
export function requireValid(text: string): void {
  const content = parseConfig(new TextEncoder().encode(text));
  if ("text" in content) return;
  throw new EntrypointError(
    `The configuration in the database ${content.fault}`,
    {
      code: ExitCode.badConfig,
      remedy: ACTIVATE_EARLIER,
    },
  );
}

/** How to go back to an earlier configuration: the server keeps them all. */
export const ACTIVATE_EARLIER =
  "In the database, activate an earlier one: UPDATE configurations SET active = NULL WHERE active; UPDATE configurations SET active = true WHERE id = '…';   -- SELECT id, createat FROM configurations ORDER BY createat DESC";
