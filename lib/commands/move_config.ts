/**
 * `app:config --to-database` and `--to-file`: move the configuration between config.json and the
 * database. Neither overwrites anything, and both keep what they have read.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { readSettledConfig } from "../config/file.ts";
import { removeLastApplied } from "../config/last_applied.ts";
import { lockConfig, requireRegularSidecars } from "../config/lock.ts";
import { unwritableConfig } from "../config/config_errors.ts";
import { replaceFile } from "../config/replace_file.ts";
import { EntrypointError, ExitCode, trySystemCall } from "../errors.ts";
import type { Json } from "../json.ts";
import { isJsonObject, valueAt } from "../json.ts";
import { variableOf } from "../mattermost/effective_value.ts";
import { serverEnvironment } from "../mattermost/releases.ts";
import { valuesBeforeRewrite } from "../mattermost/rewrites.ts";
import { childFailure } from "../os/execvp.ts";
import { inRange } from "../release_range.ts";
import {
  CONFIG_VARIABLE,
  DEFAULTS_VARIABLE,
  WITH_DEFAULTS,
} from "../settings/config_variable.ts";
import { shellWord } from "../shell.ts";
import {
  asReader,
  becomeServerUser,
  requireChangeOfUser,
} from "../startup/become_user.ts";
import { configDsn, dateText, requireValid } from "../startup/config_store.ts";
import {
  DATA_SOURCE_VARIABLE,
  DRIVER_VARIABLE,
  namesOtherDatabase,
} from "../startup/configured_database.ts";
import type { Context } from "../startup/context.ts";
import { giveAndBecomeServerUser } from "../startup/directories/prepare_directories.ts";
import { requireServerAccess } from "../startup/directories/server_access.ts";
import { buildServerEnvironment, requireServer } from "../startup/handoff.ts";
import type { LoadedSettings } from "../startup/load_settings.ts";
import { waitForMigration } from "../startup/migration.ts";
import { openDatabase } from "../startup/open_database.ts";
import { placeOf } from "../startup/paths.ts";
import { loadSettingsWithConfig } from "../startup/plan.ts";
import { readServerMigrations } from "../startup/server_migrations.ts";
import {
  confirmInstalledRelease,
  guardUpgrade,
} from "../startup/upgrade_guard.ts";

/** Puts aside what is stored, so that the database holds no configuration. */
const PUT_ASIDE = "UPDATE configurations SET active = NULL WHERE active;";

/** The releases that have `db init`, which stores a given file: seen on 5.37 to 11.6. */
const WITH_INIT = ">=5.32.0";

/**
 * Has the installed server store config.json in the database.
 *
 * @param context The system with the settings and the server.
 * @returns 0.
 * @throws {EntrypointError} With code 78 if there is no config.json, if the database holds a configuration, or if the server refuses.
 */
export async function moveToDatabase(context: Context): Promise<number> {
  const { system, log } = context;
  const loaded = await loadSettingsWithConfig(context);
  const { release, settings } = loaded;
  await requireServerAccess(loaded, system);
  requireServer(loaded, system);
  requireChangeOfUser(settings, system);
  await confirmInstalledRelease(loaded, system);
  const reader = asReader(settings, system);
  const place = placeOf(settings, reader);
  const { path } = place;
  if (!inRange(release.version, WITH_INIT)) throw tooOld(release.version, path);
  const { text } = await readSettledConfig(reader, place);
  if (text === undefined) {
    throw new EntrypointError(`There is no ${path} to move to the database`, {
      code: ExitCode.settings,
      remedy:
        "MATTERMOST_CONFIG_STORE=database   # the first start stores a new configuration",
    });
  }
  const database = await openDatabase(loaded, context);
  const { session } = database;
  const migrations = await readServerMigrations(loaded, system);
  const facts = await waitForMigration(loaded, database, context);
  const { kind, pending } = guardUpgrade(
    loaded,
    { facts, migrations },
    context,
  );
  if (kind !== "new" && kind !== "same" && pending !== 0) {
    throw new EntrypointError(
      `Mattermost ${release.version} has to migrate this database before it can store the configuration there`,
      { code: ExitCode.settings, remedy: "mattermost-entrypoint app:migrate" },
    );
  }
  const present = await session.configuration();
  if (present !== undefined) {
    throw new EntrypointError(
      `The database already holds a configuration, of ${
        dateText(present.createdAt)
      }, and nothing is overwritten`,
      {
        code: ExitCode.settings,
        remedy:
          `MATTERMOST_CONFIG_STORE=database   # uses it; to put it aside instead: ${PUT_ASIDE}`,
      },
    );
  }
  const served = becomeServerUser(settings, context);
  const code = await runInit(loaded, path, served);
  const stored = await session.configuration();
  await session.close();
  if (code !== ExitCode.ok || stored === undefined) {
    throw new EntrypointError(
      `Mattermost ${release.version} did not store ${path} in the database: db init ended with code ${code}`,
      {
        code: ExitCode.settings,
        remedy: "Read what it printed above; nothing was changed in the file",
      },
    );
  }
  requireValid(stored.text);
  const changed = findChanged(text, stored.text, release.version);
  if (changed.length > 0) {
    log.warn({
      subject: "",
      message:
        `The server stored other values than those in ${path}, or none: ${
          changed.join(", ")
        }`,
      remedy: `Compare them before you remove ${path}`,
    });
  }
  warnOfFiles(JSON.parse(text), served, loaded);
  log.info(
    `The configuration in ${path} is now in the database too; set MATTERMOST_CONFIG_STORE=database to use that one. To go back, remove that variable again: ${path} is unchanged`,
  );
  return ExitCode.ok;
}

/** Runs `db init`, with a data source in its environment, since everybody can read arguments. */
async function runInit(
  loaded: LoadedSettings,
  path: string,
  { system, signal, runToCompletion, log }: Context,
): Promise<number> {
  const { release, paths, database: { source } } = loaded;
  const command = [`${paths.install}/${release.binary}`, "db", "init"] as const;
  // What a variable overrides would not be stored.
  const kept = Object.entries(buildServerEnvironment(loaded, system))
    .filter(([name]) => !/^MM_/i.test(name));
  const dsn = configDsn(loaded);
  const { code } = await runToCompletion(system.runChild({
    command: [...command],
    env: {
      ...Object.fromEntries(kept),
      ...serverEnvironment(release, paths.log),
      [CONFIG_VARIABLE]: dsn,
      [DEFAULTS_VARIABLE]: path,
      // The one in the file can be stale; it is overridden at each start anyway.
      [DATA_SOURCE_VARIABLE]: dsn.replace(/^mysql:\/\//, ""),
      [DRIVER_VARIABLE]: source.adapter,
    },
    cwd: paths.install,
    output: "inherit",
    signal,
  })).catch((error) => {
    throw childFailure(command[0], error);
  });
  log.step(`db init ended with code ${code}`);
  return code;
}

/**
 * Writes the configuration of the database to config.json.
 *
 * @param context The system with the settings.
 * @returns 0.
 * @throws {EntrypointError} With code 78 if the database holds none, or if config.json exists; 73 if it cannot be written.
 */
export async function moveToFile(context: Context): Promise<number> {
  const { system, log } = context;
  const loaded = await loadSettingsWithConfig(context);
  const { settings, paths, database: { source } } = loaded;
  requireChangeOfUser(settings, system);
  const reader = asReader(settings, system);
  const found = placeOf(settings, reader);
  const { path } = found;
  requireRegularSidecars(reader, found);
  if (reader.files.lstat(path) !== undefined) throw fileExists(path);
  const { session } = await openDatabase(loaded, context);
  const stored = await session.configuration();
  await session.close();
  if (stored === undefined) {
    throw new EntrypointError(
      "The database holds no configuration to write to a file",
      {
        code: ExitCode.settings,
        remedy:
          "SELECT id, createat FROM configurations ORDER BY createat DESC;   -- in the database: shows earlier ones",
      },
    );
  }
  requireValid(stored.text);
  const served = await giveAndBecomeServerUser(
    { own: [paths.data, paths.conf], installed: [], config: paths.config },
    settings,
    context,
  );
  const place = placeOf(settings, served.system);
  const lock = await lockConfig(served.system, place, served.signal);
  const { files } = served.system;
  try {
    if (files.lstat(path) !== undefined) throw fileExists(path);
    try {
      // What is stored owes nothing to what was once written to an earlier file.
      removeLastApplied(files, lock.base);
      replaceFile(served.system, path, `${stored.text.trimEnd()}\n`);
    } catch (error) {
      throw unwritableConfig(error, {
        path,
        link: undefined,
        writer: place.user,
        files,
      });
    }
  } finally {
    lock.release();
  }
  warnOfFiles(JSON.parse(stored.text), served, loaded);
  // Without it, the data source in the file counts.
  const name = loaded.serverVariables.givenBy[CONFIG_VARIABLE];
  const isNeeded = name !== undefined && source.givenBy === name &&
    !namesOtherDatabase(stored.text, source);
  const remedy = isNeeded
    ? `; give the data source in ${DATA_SOURCE_VARIABLE} instead of ${CONFIG_VARIABLE}`
    : "";
  log.info(
    `The configuration in the database, of ${
      dateText(stored.createdAt)
    }, is now in ${path} too; remove MATTERMOST_CONFIG_STORE and ${CONFIG_VARIABLE} to use the file${remedy}. To go back, set them again: the database is unchanged`,
  );
  return ExitCode.ok;
}

function tooOld(version: string, path: string): EntrypointError {
  return new EntrypointError(
    `Mattermost ${version} has no command that stores a given config.json; db init came with 5.32`,
    {
      code: ExitCode.settings,
      remedy: inRange(version, WITH_DEFAULTS)
        ? `MATTERMOST_CONFIG_STORE=database ${DEFAULTS_VARIABLE}=${
          shellWord(path)
        }   # for one start, at which the server stores it`
        : "Upgrade to 5.37 first, and move the configuration then",
    },
  );
}

function fileExists(path: string): EntrypointError {
  return new EntrypointError(
    `${path} exists, and nothing is overwritten`,
    {
      code: ExitCode.settings,
      remedy: `mv ${shellWord(path)} ${
        shellWord(`${path}.old`)
      }   # if the configuration in the database is the one to keep`,
    },
  );
}

/** Finds the keys of a file that are stored with other values, but for those that the server changes at each start. */
function findChanged(
  before: string,
  after: string,
  version: string,
): readonly string[] {
  const old: Json = JSON.parse(before);
  const stored: Json = JSON.parse(after);
  if (!isJsonObject(old)) return [];
  return Object.entries(old).flatMap(([section, keys]) =>
    // The server stores no feature flags.
    !isJsonObject(keys) || section === "FeatureFlags"
      ? []
      : Object.entries(keys).flatMap(([key, value]) => {
        const path = `${section}.${key}`;
        const now = valueAt(stored, path);
        const isSame = isDeepStrictEqual(now, value) ||
          value === null || value === "" && now !== undefined ||
          now !== undefined &&
            valuesBeforeRewrite(version, path, now).some((each) =>
              each === value
            );
        const isOurs = [DATA_SOURCE_VARIABLE, DRIVER_VARIABLE]
          .includes(variableOf(path));
        return isSame || isOurs ? [] : [path];
      })
  );
}

/** The keys that name files, which a server keeps beside config.json or in the database. */
const FILE_KEYS = [
  "IdpCertificateFile",
  "PublicCertificateFile",
  "PrivateKeyFile",
];

const LICENCE = "mattermost.mattermost-license";

/** Names the files that belong to a configuration and that do not come along. */
function warnOfFiles(
  document: Json,
  { system: { files }, log }: Pick<Context, "system" | "log">,
  { paths }: LoadedSettings,
): void {
  const saml = FILE_KEYS.map((key) => valueAt(document, `SamlSettings.${key}`))
    .filter((name) => typeof name === "string" && name !== "");
  const hasLicence = trySystemCall(() =>
    files.exists(`${paths.conf}/${LICENCE}`)
  );
  const names = [...saml, ...hasLicence ? [LICENCE] : []];
  if (names.length === 0) return;
  log.warn({
    subject: "",
    message: `These files do not come along: ${names.join(", ")}`,
    remedy:
      "Upload them again in the System Console: Authentication > SAML 2.0, and Edition and License",
  });
}
