/**
 * Where the server on this machine listens, as its own configuration says.
 *
 * Pure: it gets texts, and opens nothing.
 *
 * @module
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";
import type { EnvironmentOverrides } from "./releases.ts";

/** Where to knock. */
export interface Listening {
  /** The address to connect to. */
  readonly host: string;
  /** The TCP port. */
  readonly port: number;
  /** Scheme, name for the certificate and port, such as `http://127.0.0.1:80`. */
  readonly origin: string;
  /** The path of the site below which everything is, without a final slash. */
  readonly subPath: string;
  /** Where that was read. */
  readonly from: "config.json" | "settings";
}

/** What tells where the server listens. */
export interface ListeningSources {
  /** The text of config.json; `undefined` where it may not be read. */
  readonly config: string | undefined;
  /** The server's own variables, which win over config.json. */
  readonly variables: Readonly<Record<string, string>>;
  /** The port to assume where config.json cannot be read. */
  readonly port: number;
  /** Which keys the release lets variables override. */
  readonly overrides: EnvironmentOverrides;
}

/** What the server does where nothing says otherwise. */
const DEFAULT_PORT = 8065;

/** Names that Go's net package takes for a port, of those that a web server may use. */
const NAMED_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Finds out where the server listens.
 *
 * @param sources What tells.
 * @returns The place; a server that listens everywhere is asked on the loopback address.
 */
export function listening(sources: ListeningSources): Listening {
  const section = serviceSettings(sources.config);
  const read = (key: string): string => {
    const present = memberOf(section ?? {}, key);
    const variable = sources.variables[`MM_SERVICESETTINGS_${key}`];
    const isOverridden = variable !== undefined && variable !== "" &&
      (sources.overrides === "all keys" ||
        sources.overrides === "present keys" && present !== undefined);
    if (isOverridden) return variable;
    return typeof present === "string" ? present : "";
  };
  const fallback = section === undefined ? sources.port : DEFAULT_PORT;
  const { host, port } = parseListenAddress(read("LISTENADDRESS"), fallback);
  const site = siteOf(read("SITEURL"));
  const isTls = read("CONNECTIONSECURITY").toUpperCase() === "TLS";
  // The name in the handshake is the site's, since Let's Encrypt's certificates are found by it.
  const name = isTls && site !== undefined
    ? site.hostname
    : host.includes(":")
    ? `[${host}]`
    : host;
  return {
    host,
    port,
    origin: `${isTls ? "https" : "http"}://${name}:${port}`,
    subPath: site?.pathname.replace(/\/+$/, "") ?? "",
    from: section === undefined ? "settings" : "config.json",
  };
}

/** Reads a listen address as Go does: `:80`, `0.0.0.0:80`, `[::]:80`, `name:http`. */
function parseListenAddress(
  text: string,
  fallback: number,
): { readonly host: string; readonly port: number } {
  const [, address = "", digits = ""] = /^(.*?)(?::(\w*))?$/.exec(text) ?? [];
  const port = NAMED_PORTS[digits.toLowerCase()] ?? Number(digits);
  const host = address.replace(/^\[|\]$/g, "");
  return {
    host: ["", "0.0.0.0", "::"].includes(host) ? "127.0.0.1" : host,
    port: digits === "" || !Number.isInteger(port) ? fallback : port,
  };
}

function serviceSettings(text: string | undefined): JsonObject | undefined {
  try {
    const document: unknown = text === undefined ? undefined : JSON.parse(text);
    if (!isJsonObject(document)) return undefined;
    const section = memberOf(document, "SERVICESETTINGS");
    return isJsonObject(section) ? section : {};
  } catch {
    return undefined;
  }
}

/** The letter case of a key is nothing to the server. */
function memberOf(object: JsonObject, upperKey: string): Json | undefined {
  const key = Object.keys(object).findLast((key) =>
    key.toUpperCase() === upperKey
  );
  return key === undefined ? undefined : object[key];
}

function siteOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
