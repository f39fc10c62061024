/**
 * The directories that a start prepares, and all the paths that the server writes.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import { trySystemCall } from "../../errors.ts";
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
  // With a configuration in the database, the System Console decides about log files.
  return settings.MATTERMOST_CONFIG_STORE === "database"
    ? [data, log]
    : [data, conf, ...settings.MATTERMOST_LOG_FILES ? [log] : []];
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
  /** Whether it is a file of the server's package, which no volume may hide. */
  readonly isInstalled: boolean;
}

/** The default of `ServiceSettings.LocalModeSocketLocation`: https://docs.mattermost.com/administration-guide/configure/experimental-configuration-settings */
const LOCAL_SOCKET = "/var/tmp/mattermost_local.socket";

/**
 * Finds the socket of the server's local mode, for `mmctl --local`.
 *
 * @param plan The plan of the next start.
 * @returns The path; `undefined` if the local mode is off.
 */
export function localSocket(plan: Plan): string | undefined {
  return effectiveFlag(plan, "ServiceSettings.EnableLocalMode")
    ? effectiveText(plan, "ServiceSettings.LocalModeSocketLocation") ||
      LOCAL_SOCKET
    : undefined;
}

/**
 * Lists the paths that the server will write, from its configuration.
 *
 * @param plan The plan of the next start.
 * @param system The environment, for the directory of temporary files, and the web client.
 * @returns The paths, the required ones first.
 */
export function writtenPaths(
  plan: Plan,
  { env, files }: Pick<System, "env" | "files">,
): WrittenPath[] {
  const { paths, release } = plan;
  const setting = (path: string, fallback: string): string =>
    effectiveText(plan, path) || fallback;
  const inInstall = (path: string): string =>
    isAbsolute(path) ? path : join(paths.install, path);
  const configPaths: readonly WrittenPath[] = [
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
      isInstalled: false,
    },
  ];
  const found = [
    ...plan.store.kind === "file" ? configPaths : [],
    required(paths.data, "the directory of uploaded files"),
  ];
  if (effectiveFlag(plan, "LogSettings.EnableFile")) {
    found.push(required(paths.log, "the directory of log files"));
  }
  const page = pageToRewrite(plan, files);
  if (page !== undefined) {
    found.push({
      path: page,
      kind: "file",
      purpose:
        "the page of the web client, in which the server writes the path of the site URL",
      isRequired: true,
      temporary: false,
      preparedByRoot: false,
      isInstalled: true,
    });
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
  const socket = localSocket(plan);
  if (socket !== undefined) {
    found.push({
      ...optional(
        dirname(socket),
        "the directory of the socket for mmctl --local",
      ),
      // Releases up to 7.1 only log an error, later ones end; which one was the first was not tested.
      isRequired: inRange(release.version, ">=8.0.0"),
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

/**
 * Finds the page of the web client that the server must rewrite: with a sub-path, it changes the
 * links to `/static/` in it, and in other files beside it, to `/PATH/static/`. If it cannot, it
 * logs an error and serves pages that stay blank.
 */
function pageToRewrite(
  plan: Plan,
  files: System["files"],
): string | undefined {
  const { release, paths } = plan;
  const site = effectiveText(plan, "ServiceSettings.SiteURL");
  const subPath = release.subPaths && URL.canParse(site)
    ? new URL(site).pathname.replace(/\/+$/, "")
    : "";
  // In a rehearsal of app:check, which leaves out the directories that the image prepares, the
  // image prepares this one too.
  if (
    subPath === "" || !release.writableDirectories.includes("client/plugins")
  ) return undefined;
  const page = `${paths.install}/client/root.html`;
  const bytes = trySystemCall(() => files.read(page, { follow: true }))?.bytes;
  const isDone = bytes === undefined ||
    new TextDecoder().decode(bytes).includes(`${subPath}/static/`);
  return isDone ? undefined : page;
}

function required(path: string, purpose: string): WrittenPath {
  return {
    path,
    kind: "directory",
    purpose,
    isRequired: true,
    temporary: false,
    preparedByRoot: true,
    isInstalled: false,
  };
}

function optional(path: string, purpose: string): WrittenPath {
  return {
    ...required(path, purpose),
    isRequired: false,
    preparedByRoot: false,
  };
}
