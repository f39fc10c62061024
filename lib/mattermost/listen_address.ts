/**
 * Where the server on this machine listens, as its own configuration says.
 *
 * Pure: it gets texts, and opens nothing.
 *
 * @module
 */

import type { Json, JsonObject } from "../json.ts";
import { isJsonObject } from "../json.ts";
import { effectiveValue, type ValueSources } from "./effective_value.ts";

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
export interface ListeningSources
  extends Pick<ValueSources, "variables" | "overrides"> {
  /** The text of config.json; `undefined` where it may not be read. */
  readonly config: string | undefined;
  /** The port to assume where config.json cannot be read. */
  readonly port: number;
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
  const config = parsed(sources.config);
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
    from: config === undefined ? "settings" : "config.json",
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

/** `undefined` for what is no configuration. */
function parsed(text: string | undefined): JsonObject | undefined {
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
