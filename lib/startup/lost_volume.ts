/**
 * Signs that a volume is missing, or is that of another image.
 *
 * @module
 */

import type { SchemaFacts } from "../database/session.ts";
import {
  EntrypointError,
  ExitCode,
  type Problem,
  trySystemCall,
} from "../errors.ts";
import type { System } from "../os/system.ts";
import { GENERATED_SECRETS } from "../settings/catalogue.ts";
import { isExplicit } from "../settings/origin.ts";
import { asReader } from "./become_user.ts";
import { effectiveText } from "./effective_config.ts";
import type { Plan } from "./plan.ts";

/** Names in the data directory that say nothing about its use: those that file systems make. */
const NO_DATA: readonly string[] = ["lost+found"];

/**
 * Finds out whether a database in use meets an empty data directory. That is no error: files can
 * be in S3, and the volume of a Pod may be new each time.
 *
 * @param plan The plan of the next start.
 * @param schema What Mattermost has left in the database.
 * @param system The file system, and the user of this process.
 * @returns What is lost, and how to bring it back; `undefined` if nothing is.
 */
export function findLostVolume(
  plan: Plan,
  schema: SchemaFacts,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): Problem | undefined {
  const { paths, state, settings, origins } = plan;
  if (!schema.installed || state.text !== undefined) return undefined;
  const { files } = asReader(settings, system);
  const names = trySystemCall(() => files.list(paths.data)) ?? [];
  const used = names.filter((name) =>
    !NO_DATA.includes(name) && !name.startsWith(".") &&
    !(paths.conf === `${paths.data}/${name}`)
  );
  if (used.length > 0) return undefined;
  const generated = GENERATED_SECRETS.filter((name) =>
    !isExplicit(origins[name])
  );
  const lost = [
    "what was changed in the System Console",
    ...(generated.length > 0 ? ["the generated secrets"] : []),
    ...(effectiveText(plan, "FileSettings.DriverName") === "local"
      ? ["the uploaded files"]
      : []),
  ];
  return {
    subject: "MATTERMOST_DATA_DIR",
    message:
      `The database is in use, but ${paths.data} is empty, and without the volume that was there the server starts without ${
        lost.join(", and without ")
      }`,
    remedy:
      `docker volume ls   # mount the volume that was at ${paths.data}, or restore its backup; ignore this for a new server with the database of another one`,
  };
}

/** Where another image keeps its config.json. */
interface OtherLayout {
  readonly image: string;
  readonly config: string;
}

/** Where the official image keeps its uploaded files. */
const OFFICIAL_DATA = "/mattermost/data";

/**
 * Finds volumes of another image whose files the first start would ignore.
 *
 * @param plan The plan of the next start.
 * @param system The file system, and the user of this process.
 * @returns The problems, each with the setting that uses the volume.
 */
export function findForeignVolumes(
  plan: Plan,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): Problem[] {
  const { paths, state, settings } = plan;
  if (state.text !== undefined) return [];
  const { files } = asReader(settings, system);
  const layouts: readonly OtherLayout[] = [
    {
      image: "the image for Mattermost 3.6",
      config: `${settings.MATTERMOST_HOME}/config`,
    },
    { image: "the official image", config: "/mattermost/config" },
  ];
  const problems = layouts.flatMap(({ image, config }): Problem[] => {
    const path = `${config}/config.json`;
    // The server's package has one too.
    return config === `${paths.install}/config` ||
        trySystemCall(() => files.exists(path)) !== true
      ? []
      : [{
        subject: "MATTERMOST_CONF_DIR",
        message:
          `${path} exists, as with ${image}, but ${paths.conf} is used, which holds no config.json`,
        remedy:
          `MATTERMOST_CONF_DIR=${config}   # or mount that volume at ${paths.conf}`,
      }];
  });
  const used = [effectiveText(plan, "FileSettings.Directory"), paths.data]
    .map((path) => path.replace(/\/+$/, ""));
  const isIgnored = !used.includes(OFFICIAL_DATA) &&
    effectiveText(plan, "FileSettings.DriverName") === "local" &&
    (trySystemCall(() => files.list(OFFICIAL_DATA)) ?? []).length > 0;
  return isIgnored
    ? [...problems, {
      subject: "MATTERMOST_DATA_DIR",
      message:
        `${OFFICIAL_DATA} holds files, as with the official image, but ${paths.data} is used`,
      remedy:
        `MATTERMOST_DATA_DIR=${OFFICIAL_DATA}   # or mount that volume at ${paths.data}`,
    }]
    : problems;
}

/**
 * Refuses the first start on the volumes of another image. It has to be called before anything
 * is changed.
 *
 * @param plan The plan of the next start.
 * @param system The file system, and the user of this process.
 * @throws {EntrypointError} With code 78, and the setting that uses them.
 */
export function requireOwnVolumes(
  plan: Plan,
  system: Pick<System, "files" | "filesFor" | "uid" | "gid">,
): void {
  const problems = findForeignVolumes(plan, system);
  if (problems.length === 0) return;
  throw new EntrypointError(
    "There are volumes of another image, which this start would ignore",
    { code: ExitCode.settings, problems },
  );
}
