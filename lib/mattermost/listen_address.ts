/**
 * The address at which the server on this machine listens, according to its configuration.
 *
 * @module
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";
import { effectiveValue, type ValueSources } from "./effective_value.ts";

/** How to connect to the server. */
export interface ServerAddress {
  /** The host to connect to. */
  readonly host: string;
  /** The TCP port to connect to. */
  readonly port: number;
  /** Scheme, host name of the certificate, and port, such as `http://127.0.0.1:80`. */
  readonly origin: string;
  /** The path of the site URL, without a final slash; all paths of the server are below it. */
  readonly subPath: string;
  /** Whether that is according to config.json, or only according to the settings. */
  readonly from: "config.json" | "settings";
}

/** The configuration of the server. */
export interface ServerAddressSources
  extends Pick<ValueSources, "variables" | "overrides"> {
  /** The text of config.json; `undefined` if it cannot be read. */
  readonly config: string | undefined;
  /** The port to use if config.json cannot be read. */
  readonly port: number;
}

/** The port of a server without `ListenAddress`. */
const DEFAULT_PORT = 8065;

/** The hosts for which Go listens on all addresses: https://pkg.go.dev/net#Listen. */
const ANY_ADDRESS: readonly string[] = ["", "0.0.0.0", "::"];

/** The names of web ports that Go accepts: https://pkg.go.dev/net#Dial. */
const NAMED_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Finds out how to connect to the server.
 *
 * @param sources The configuration of the server.
 * @returns The address; the loopback address if the server listens on all of them.
 */
export function serverAddress(sources: ServerAddressSources): ServerAddress {
  const config = parseConfig(sources.config);
  const read = (key: string): string => {
    const value = effectiveValue(`ServiceSettings.${key}`, {
      ...sources,
      config: config ?? null,
    });
    return typeof value === "string" ? value : "";
  };
  const fallback = config === undefined ? sources.port : DEFAULT_PORT;
  const { host, port } = parseListenAddress(read("ListenAddress"), fallback);
  const site = siteOf(read("SiteURL"));
  const isTls = read("ConnectionSecurity").toUpperCase() === "TLS";
  // With Let's Encrypt, the server chooses its certificate by the name in the TLS handshake.
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
    from: config === undefined ? "settings" : "config.json",
  };
}

/**
 * Finds where a server listens.
 *
 * @param text `ServiceSettings.ListenAddress`; empty if it is not set.
 * @returns The host, `undefined` for all addresses, and the port; `undefined` if the text names no port.
 */
export function parseListener(
  text: string,
): { readonly host: string | undefined; readonly port: number } | undefined {
  const [, name = "", digits = ""] =
    /^(.*):(\w+)$/.exec(text || `:${DEFAULT_PORT}`) ?? [];
  const port = NAMED_PORTS[digits.toLowerCase()] ?? Number(digits);
  const host = name.replace(/^\[|\]$/g, "");
  return digits === "" || !(port > 0 && port < 65_536)
    ? undefined
    : { host: ANY_ADDRESS.includes(host) ? undefined : host, port };
}

/** Parses a listen address as Go does: `:80`, `0.0.0.0:80`, `[::]:80`, `name:http`. */
function parseListenAddress(
  text: string,
  fallback: number,
): { readonly host: string; readonly port: number } {
  const [, address = "", digits = ""] = /^(.*?)(?::(\w*))?$/.exec(text) ?? [];
  const port = NAMED_PORTS[digits.toLowerCase()] ?? Number(digits);
  const host = address.replace(/^\[|\]$/g, "");
  return {
    host: ANY_ADDRESS.includes(host) ? "127.0.0.1" : host,
    port: digits === "" || !Number.isInteger(port) ? fallback : port,
  };
}

/** Parses config.json; `undefined` if it is not a JSON object. */
function parseConfig(text: string | undefined): JsonObject | undefined {
  try {
    const document: Json = text === undefined ? null : JSON.parse(text);
    return isJsonObject(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

function siteOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
