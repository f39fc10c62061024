/**
 * The directories that a start prepares, and all the paths that the server writes.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import type { System } from "../../os/system.ts";
import { inRange } from "../../release_range.ts";
import { effectiveFlag, effectiveText } from "../effective_config.ts";
import type { LoadedSettings } from "../load_settings.ts";
import type { Plan } from "../plan.ts";

/**
 * Lists the directories of the settings, which a start creates if they are missing.
 *
 * @param loaded The loaded settings.
 * @returns The paths.
 */
export function ownDirectories(
  { paths, settings }: Pick<LoadedSettings, "paths" | "settings">,
): readonly string[] {
  const { data, conf, log } = paths;
  return [data, conf, ...settings.MATTERMOST_LOG_FILES ? [log] : []];
}

/** A path that the server writes. */
export interface WrittenPath {
  /** The absolute path. */
  readonly path: string;
  /** A directory in which the server creates files, or a single file. */
  readonly kind: "directory" | "file";
  /** What the path is, as an apposition to it in a message. */
  readonly purpose: string;
  /** Whether the server cannot run without writing there. */
  readonly isRequired: boolean;
  /** Whether the content may be lost with the container. */
  readonly temporary: boolean;
  /** Whether a start as root creates it, or gives it to the server's user. */
  readonly preparedByRoot: boolean;
}

/** The default of `ServiceSettings.LocalModeSocketLocation`: https://docs.mattermost.com/administration-guide/configure/experimental-configuration-settings */
const LOCAL_SOCKET = "/var/tmp/mattermost_local.socket";

/**
 * Lists the paths that the server will write, from its configuration.
 *
 * @param plan The plan of the next start.
 * @param system The environment, for the directory of temporary files.
 * @returns The paths, the required ones first.
 */
export function writtenPaths(
  plan: Plan,
  { env }: Pick<System, "env">,
): WrittenPath[] {
  const { paths, release } = plan;
  const setting = (path: string, fallback: string): string =>
    effectiveText(plan, path) || fallback;
  const inInstall = (path: string): string =>
    isAbsolute(path) ? path : join(paths.install, path);
  const found: WrittenPath[] = [
    {
      ...required(paths.conf, "the directory of config.json"),
      // A file that exists is overwritten in place, and its copies are kept in the data directory.
      isRequired: plan.state.text === undefined,
    },
    {
      path: paths.config,
      kind: "file",
      purpose: "which the server writes when it starts",
      isRequired: release.configWrites !== "best effort",
      temporary: false,
      preparedByRoot: true,
    },
    required(paths.data, "the directory of uploaded files"),
  ];
  if (effectiveFlag(plan, "LogSettings.EnableFile")) {
    found.push(required(paths.log, "the directory of log files"));
  }
  // Plugins are enabled by default.
  const pluginsEnabled =
    effectiveText(plan, "PluginSettings.Enable").toLowerCase() !== "false";
  if (release.plugins && pluginsEnabled) {
    for (
      const [key, fallback, purpose] of [
        ["PluginSettings.Directory", "./plugins", "the directory of plugins"],
        [
          "PluginSettings.ClientDirectory",
          "./client/plugins",
          "the directory of the plugins' client files",
        ],
      ] as const
    ) {
      const path = inInstall(setting(key, fallback));
      found.push({
        ...optional(path, purpose),
        preparedByRoot: release.writableDirectories
          .some((name) => path === `${paths.install}/${name}`),
      });
    }
  }
  if (effectiveFlag(plan, "ServiceSettings.EnableLocalMode")) {
    const socket = setting(
      "ServiceSettings.LocalModeSocketLocation",
      LOCAL_SOCKET,
    );
    found.push({
      ...optional(
        dirname(socket),
        "the directory of the socket for mmctl --local",
      ),
      temporary: true,
    });
  }
  if (inRange(release.version, ">=5.0.0")) {
    found.push({
      ...optional(
        env["TMPDIR"] || "/tmp",
        "the directory of temporary files",
      ),
      temporary: true,
    });
  }
  return found;
}

function required(path: string, purpose: string): WrittenPath {
  return {
    path,
    kind: "directory",
    purpose,
    isRequired: true,
    temporary: false,
    preparedByRoot: true,
  };
}

function optional(path: string, purpose: string): WrittenPath {
  return {
    ...required(path, purpose),
    isRequired: false,
    preparedByRoot: false,
  };
}
