/**
 * The hand-off: this process becomes the server.
 *
 * @module
 */

import { errorCode, trySystemCall } from "../errors.ts";
import { requireProgram } from "../mattermost/installed_release.ts";
import {
  serverCommand,
  serverEnvironment,
  type ServerPaths,
} from "../mattermost/releases.ts";
import { Errno, execFailure } from "../os/execvp.ts";
import type { FileFacts, System } from "../os/system.ts";
import {
  withoutSecretRaw,
  withoutSecretVariables,
} from "../settings/secret_variables.ts";
import { bundleVariable } from "./ca_bundle.ts";
import type { Settings } from "../settings/catalogue.ts";
import type { LoadedSettings } from "./load_settings.ts";

/** The permission bits of a program: at least one of them is set, or even root cannot execute it. */
const ANY_MAY_EXECUTE = 0o111;

/**
 * Builds the environment of the server, its migration and the questions to it from that of this
 * process, without the secrets and other variables that only the entrypoint uses.
 *
 * @param loaded The loaded settings.
 * @param system The environment of this process, and the user who started it.
 * @returns The variables.
 */
export function buildServerEnvironment(
  loaded: LoadedSettings,
  system: Pick<System, "env" | "startedAs">,
): Record<string, string> {
  const { serverVariables, release, paths, settings } = loaded;
  const { env } = system;
  const replaced = new Set(serverVariables.replaced);
  const kept = Object.entries(env).filter(([name]) => !replaced.has(name));
  return {
    ...serverEnvironment(release, paths.log),
    ...withoutSecretVariables({
      ...Object.fromEntries(kept),
      ...serverVariables.values,
    }),
    // None if the operator set SSL_CERT_FILE.
    ...bundleVariable(loaded),
    HOME: serverHome(settings, system),
  };
}

/**
 * Gets the home directory of the server. Root's own is not used: the PostgreSQL driver fails if
 * it cannot read files below HOME (.pgpass, .postgresql).
 *
 * @param settings The settings.
 * @param system The environment of this process, and the user that started it.
 * @returns The value of `HOME`.
 */
export function serverHome(
  settings: Settings,
  { env, startedAs }: Pick<System, "env" | "startedAs">,
): string {
  const { HOME: home } = env;
  return startedAs === 0 || home === undefined
    ? settings.MATTERMOST_HOME
    : home;
}

/**
 * Makes sure that the server is installed and executable. It has to be called before anything is
 * changed.
 *
 * @param loaded The release, and the directory of the server.
 * @param system The file system.
 * @throws {EntrypointError} With code 127 if there is no server, 126 if it cannot be executed, 78 if it is that of another release.
 */
export function requireServer(
  { paths, release, installation }: LoadedSettings,
  { files }: Pick<System, "files">,
): void {
  const path = `${paths.install}/${release.binary}`;
  let facts: FileFacts | undefined;
  let errno: number = Errno.ENOENT;
  try {
    facts = files.stat(path);
    if (facts !== undefined) errno = Errno.EACCES;
  } catch (error) {
    if (errorCode(error) !== "EACCES") throw error;
    errno = Errno.EACCES;
  }
  if (facts?.isFile === true && (facts.mode & ANY_MAY_EXECUTE) !== 0) return;
  if (facts === undefined && errno === Errno.ENOENT) {
    requireProgram(release, installation, { files });
  }
  throw execFailure(path, [{
    path,
    errno,
    exists: facts !== undefined,
    isDirectory: facts?.isDirectory === true,
  }]);
}

/**
 * Tells whether a server is installed that can be asked.
 *
 * @param loaded The release, and the directory of the server.
 * @param system The file system.
 * @returns Whether its program exists.
 */
export function isServerInstalled(
  { paths, release }: Pick<LoadedSettings, "paths" | "release">,
  { files }: Pick<System, "files">,
): boolean {
  return trySystemCall(() =>
    files.exists(`${paths.install}/${release.binary}`)
  ) ?? false;
}

/** What the server itself gets, besides the settings. */
export interface ServerPlan extends LoadedSettings {
  /** Where the configuration is. */
  readonly store: { readonly kind: "file" | "database" };
  /** The variables for a configuration in the database. */
  readonly handedOver: Readonly<Record<string, string>>;
}

/**
 * The environment and the configuration of the server itself, and of its migration. Nobody else
 * gets these variables, because those of a configuration in the database contain secrets.
 *
 * @param plan The plan.
 * @param system The environment of this process, and the user who started it.
 * @returns The variables, and the paths for its command line.
 */
export function serverHandover(
  plan: ServerPlan,
  system: Pick<System, "env" | "startedAs">,
): { readonly env: Record<string, string>; readonly paths: ServerPaths } {
  const { paths, store, handedOver } = plan;
  return {
    env: { ...buildServerEnvironment(plan, system), ...handedOver },
    paths: {
      home: paths.install,
      config: store.kind === "file" ? paths.config : undefined,
    },
  };
}

/**
 * Replaces this process by the server.
 *
 * @param plan The plan.
 * @param system The system of the server's user.
 * @param args Additional arguments for the server.
 * @returns Never.
 * @throws {EntrypointError} With code 126 or 127 if the server cannot be executed.
 */
export function becomeServer(
  plan: ServerPlan,
  system: System,
  args: readonly string[],
): never {
  const { env, paths } = serverHandover(plan, system);
  const command = serverCommand(plan.release, paths);
  return system.exec({
    path: command[0],
    args: [...command, ...args],
    env,
    raw: withoutSecretRaw(system.rawVariables()),
    cwd: paths.home,
  });
}
