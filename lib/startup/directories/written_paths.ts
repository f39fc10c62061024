/**
 * The paths that the server writes, as its configuration says.
 *
 * @module
 */

import { isAbsolute, join } from "node:path";
import type { System } from "../../os/system.ts";
import { inRange } from "../../release_range.ts";
import { effectiveFlag, effectiveText } from "../effective_config.ts";
import type { Plan } from "../plan.ts";

/** A path that the server writes. */
export interface WrittenPath {
  /** Absolute. */
  readonly path: string;
  /** A directory in which files are made, or one file. */
  readonly kind: "directory" | "file";
  /** What it is for, to be read after the path. */
  readonly purpose: string;
  /** Whether the server cannot run without it. */
  readonly vital: boolean;
  /** Whether its content may go with the container. */
  readonly temporary: boolean;
  /** Whether a start as root makes it and gives it to the server's user. */
  readonly provided: boolean;
}

/** Where the socket for `mmctl --local` is, unless the configuration says otherwise. */
const LOCAL_SOCKET = "/var/tmp/mattermost_local.socket";

/**
 * Lists what the server will write.
 *
 * @param plan The plan.
 * @param system The environment, for the directory of temporary files.
 * @returns The paths, vital ones first.
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
    vital(paths.conf, "the directory of config.json"),
    {
      path: paths.config,
      kind: "file",
      purpose: "which the server writes at its start",
      vital: release.configWrites !== "best effort",
      temporary: false,
      provided: true,
    },
    vital(paths.data, "the directory of uploaded files"),
  ];
  if (effectiveFlag(plan, "LogSettings.EnableFile")) {
    found.push(vital(paths.log, "the directory of log files"));
  }
  // On where it is not mentioned.
  const isOn =
    effectiveText(plan, "PluginSettings.Enable").toLowerCase() !== "false";
  if (release.plugins && isOn) {
    for (
      const [key, fallback] of [
        ["PluginSettings.Directory", "./plugins"],
        ["PluginSettings.ClientDirectory", "./client/plugins"],
      ] as const
    ) {
      const path = inInstall(setting(key, fallback));
      found.push({
        ...optional(path, "into which the server unpacks plugins"),
        provided: release.writableDirectories
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
        join(socket, ".."),
        "in which the server makes the socket of mmctl --local",
      ),
      temporary: true,
    });
  }
  if (inRange(release.version, ">=5.0.0")) {
    found.push({
      ...optional(
        env["TMPDIR"] || "/tmp",
        "in which the server unpacks plugins and imports",
      ),
      temporary: true,
    });
  }
  return found;
}

function vital(path: string, purpose: string): WrittenPath {
  return {
    path,
    kind: "directory",
    purpose,
    vital: true,
    temporary: false,
    provided: true,
  };
}

function optional(path: string, purpose: string): WrittenPath {
  return { ...vital(path, purpose), vital: false, provided: false };
}
