/**
 * The variables that only the entrypoint needs and that hold secrets. No program that it starts
 * inherits them: neither the server and its plugins, nor its subcommands.
 *
 * @module
 */

import { hideCredentials, isSecretName } from "../hidden.ts";
import { CATALOGUE, isSettingName } from "./catalogue.ts";
import { isMisspeltSecret } from "./spelling.ts";

const FILE_REGEXP = /_FILE$/i;

/** A variable of the server, or of its image. */
const SERVER_REGEXP = /^MM_/i;

/** A variable of the container that a Docker link leads to: https://docs.docker.com/engine/network/links/. */
const LINK_REGEXP = /_ENV_(.+)$/is;

/**
 * Removes the variables that hold a secret and that only the entrypoint needs:
 *
 * - variables and `_FILE` variables of secret settings, and of other settings if the value contains
 *   credentials;
 * - variables that are recognised as misspelt ones of a secret setting;
 * - passwords of Docker links;
 * - `_FILE` variables of the server's own variables, which the server does not have.
 *
 * The server's own variables stay, and so do those that are unknown here.
 *
 * @param env The environment.
 * @returns The environment without these variables.
 */
export function withoutSecretVariables(
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => !isRemoved(name, value)),
  );
}

/**
 * Removes the same variables from those that are not UTF-8 text.
 *
 * @typeParam Raw A variable with its bytes `NAME=value`.
 * @param raw The variables.
 * @returns The variables that are no secrets.
 */
export function withoutSecretRaw<
  Raw extends { readonly name: string; readonly bytes: Uint8Array },
>(raw: readonly Raw[]): Raw[] {
  const decoder = new TextDecoder("latin1");
  return raw.filter(({ name, bytes }) =>
    !isRemoved(name, decoder.decode(bytes).slice(name.length + 1))
  );
}

function isRemoved(name: string, value: string): boolean {
  const setting = name.replace(FILE_REGEXP, "");
  const hasCredentials = hideCredentials(value) !== value;
  if (isSettingName(setting)) {
    return "secret" in CATALOGUE[setting] || hasCredentials;
  }
  const [, ofLinkedContainer] = LINK_REGEXP.exec(name) ?? [];
  if (ofLinkedContainer !== undefined && !SERVER_REGEXP.test(name)) {
    return hasCredentials || isSecretName(ofLinkedContainer);
  }
  return isMisspeltSecret(name) ||
    SERVER_REGEXP.test(name) && FILE_REGEXP.test(name);
}
