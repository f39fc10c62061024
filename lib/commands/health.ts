/**
 * `app:health`: sends a request to the server on this machine, at the address on which
 * config.json lets it listen, and prints one line, which `docker inspect` shows.
 *
 * Docker runs it every few seconds, so it loads no database driver, does not merge
 * config.json, and writes nothing. If the configuration is in the database, it goes by the
 * settings, which the server got, and by what the server itself answers. Any user may run it.
 *
 * @module
 */

import { errorCode, ExitCode } from "../errors.ts";
import { hideCredentials } from "../hidden.ts";
import type { HttpResponse } from "../os/http.ts";
import { request } from "../os/http.ts";
import type { ServerAddress } from "../mattermost/listen_address.ts";
import { serverAddress } from "../mattermost/listen_address.ts";
import { readsAnyCase, variableOf } from "../mattermost/effective_value.ts";
import type { HealthEndpoint, Release } from "../mattermost/releases.ts";
import { releaseFacts } from "../mattermost/releases.ts";
import { resolve } from "../settings/resolve.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import type { System } from "../os/system.ts";
import { readArguments, readSeconds } from "./arguments.ts";
import { asReader } from "../startup/become_user.ts";
import type { Context } from "../startup/context.ts";
import { sourcesOf } from "../startup/setting_sources.ts";
import { printableLine } from "../printable.ts";

/** Seconds to wait for the answer without `--timeout`. */
const DEFAULT_TIMEOUT = 5;

/** The releases whose endpoints are tried, in order, if the release is not known. */
const ASSUMED_RELEASES = ["11.0.0", "3.6.0"] as const;

/** The result, and the line that reports it. */
interface Verdict {
  readonly isHealthy: boolean;
  readonly text: string;
}

/**
 * Checks the health of the server on this machine.
 *
 * @param args `--ready` includes the server's database and file store; `--timeout SECONDS`.
 * @param context The system with the settings, config.json and the network.
 * @returns 0 if the server is healthy, else 1.
 * @throws {EntrypointError} With code 64 for wrong arguments.
 */
export async function health(
  args: readonly string[],
  { system, signal }: Context,
): Promise<number> {
  const { ready, timeout = String(DEFAULT_TIMEOUT) } = readArguments(args, {
    command: "app:health",
    flags: ["ready"],
    values: ["timeout"],
  });
  const seconds = readSeconds(timeout, "app:health");
  const end = AbortSignal.any([
    signal,
    system.clock.timeout(1000 * seconds),
  ]);
  const { isHealthy, text } = await checkHealth(system, {
    ready,
    signal: end,
    seconds,
  });
  system.out.write(`${printableLine(text)}\n`);
  return isHealthy ? ExitCode.ok : ExitCode.failure;
}

interface HealthCheck {
  readonly ready: boolean;
  readonly signal: AbortSignal;
  readonly seconds: number;
}

async function checkHealth(
  system: System,
  { ready, signal, seconds }: HealthCheck,
): Promise<Verdict> {
  const sources = sourcesOf(system);
  const { settings } = resolve(sources);
  const configPath = `${settings.MATTERMOST_CONF_DIR}/config.json`;
  const versionPath = `${settings.MATTERMOST_DATA_DIR}/VERSION`;
  const reader = asReader(settings, system);
  const isStored = settings.MATTERMOST_CONFIG_STORE === "database";
  const { text: config, fault } = isStored
    ? { text: undefined, fault: "" }
    : readOptional(configPath, reader);
  const release = knownRelease(settings.MATTERMOST_VERSION) ??
    knownRelease(readOptional(versionPath, reader).text);
  const overrides = (release ?? releaseFacts(ASSUMED_RELEASES[0]))
    .environmentOverrides;
  const { values: variables } = readServerVariables(sources, {
    anyCase: readsAnyCase(overrides),
  });
  const place = serverAddress({
    config,
    variables: isStored
      ? {
        [variableOf("ServiceSettings.SiteURL")]: settings.MATTERMOST_SITE_URL,
        ...variables,
      }
      : variables,
    port: settings.MATTERMOST_PORT,
    overrides,
  });
  const candidates = release === undefined
    ? ASSUMED_RELEASES.map((assumed) => releaseFacts(assumed))
    : [release];
  const note = place.from === "config.json" || isStored
    ? ""
    : ` (${configPath} ${
      config === undefined ? fault : "cannot be parsed"
    }, so the port is that of MATTERMOST_PORT)`;
  let verdict: Verdict | undefined;
  for (const candidate of candidates) {
    const endpoint = ready ? candidate.readiness : candidate.liveness;
    const subPath = candidate.subPaths ? place.subPath : "";
    let url = new URL(`${place.origin}${subPath}${endpoint.path}`);
    try {
      let answer = await ask(url, place, signal);
      // Whether there is TLS, and then in which sub-path.
      for (let hints = 0; hints < 2; hints++) {
        const other = otherUrl(answer, url);
        if (other === undefined) break;
        url = other;
        answer = await ask(url, place, signal);
      }
      verdict = judge(answer, { url, endpoint, ready });
      if (answer.status !== 404) break;
    } catch (error) {
      verdict = unreachable(error, { url, place, seconds });
      break;
    }
  }
  return {
    isHealthy: verdict?.isHealthy ?? false,
    text: `${verdict?.text}${note}`,
  };
}

function ask(
  url: URL,
  { host }: ServerAddress,
  signal: AbortSignal,
): Promise<HttpResponse> {
  // The request stays on this machine, and the certificate is for the site's name.
  return request({ url, host, signal, verify: false });
}

/**
 * Finds the URL that the server names instead, if it runs with other values than those that are
 * known here, as after an edit in the System Console: the same port with TLS (net/http of Go), or
 * the same path in its sub-path (the server's own redirect).
 */
function otherUrl(
  { status, headers, body }: HttpResponse,
  url: URL,
): URL | undefined {
  const { location = "" } = headers;
  if (
    status === 400 && url.protocol === "http:" &&
    /^Client sent an HTTP request to an HTTPS server/i.test(body)
  ) {
    return new URL(url.href.replace(/^http:/, "https:"));
  }
  // Neither another host nor, where there is a slash more, a page of the web client.
  return status === 302 && /^\/[^/\\]/.test(location) &&
      location.endsWith(`${url.pathname}${url.search}`)
    ? new URL(location, url)
    : undefined;
}

function judge(
  { status, body }: HttpResponse,
  { url, endpoint, ready }: {
    readonly url: URL;
    readonly endpoint: HealthEndpoint;
    readonly ready: boolean;
  },
): Verdict {
  // A server whose rate limit counts this request is alive, and a restart would not help it.
  const isLimited = status === 429 && !ready;
  const isHealthy = isLimited || status === 200 &&
      (endpoint.contains === undefined || body.includes(endpoint.contains));
  const components = ready ? componentStates(body) : [];
  const isServing = components.every(({ state }) => state === "OK");
  const word = ready ? "ready" : "healthy";
  const details = components.map(({ name, state }) => `${name} ${state}`);
  if (ready && components.length === 0 && isHealthy) {
    details.push("this release does not report the state of its database");
  }
  const outcome = [
    `${hideCredentials(url.href)} answers with HTTP status ${status}`,
    ...details,
    ...(isLimited ? ["because of its rate limit"] : []),
    ...(status === 404
      ? ["so it is not the server that config.json describes"]
      : []),
  ].join(", ");
  return isHealthy && isServing
    ? { isHealthy: true, text: `${word}: ${outcome}` }
    : { isHealthy: false, text: `not ${word}: ${outcome}` };
}

/** The members of the server's answer with the states of what it depends on. */
const COMPONENTS: Readonly<Record<string, string>> = {
  database_status: "database",
  filestore_status: "file store",
};

function componentStates(
  body: string,
): readonly { readonly name: string; readonly state: string }[] {
  return Object.entries(COMPONENTS).flatMap(([member, name]) => {
    const state = new RegExp(`"${member}"\\s*:\\s*"(\\w+)"`).exec(body)?.[1];
    return state === undefined ? [] : [{ name, state }];
  });
}

function unreachable(
  error: unknown,
  { url, place, seconds }: {
    readonly url: URL;
    readonly place: ServerAddress;
    readonly seconds: number;
  },
): Verdict {
  const code = errorCode(error);
  const isTimeout = error instanceof DOMException &&
    error.name === "TimeoutError";
  const why = code === "ECONNREFUSED"
    ? `nothing listens on ${place.host} port ${place.port}`
    : isTimeout
    ? `no answer within ${seconds} s`
    : `${code ?? (error instanceof Error ? error.message : String(error))}`;
  return {
    isHealthy: false,
    text: `not healthy: ${hideCredentials(url.href)} cannot be reached: ${why}`,
  };
}

function knownRelease(version: string | undefined): Release | undefined {
  try {
    return version === undefined ? undefined : releaseFacts(version.trim());
  } catch {
    return undefined;
  }
}

/** Reads a file if possible: a server that runs must not count as unhealthy because of a file. */
function readOptional(
  path: string,
  { files }: Pick<System, "files">,
): { readonly text: string | undefined; readonly fault: string } {
  try {
    const found = files.read(path, { follow: true });
    if (found === undefined) {
      return { text: undefined, fault: "does not exist" };
    }
    return found.bytes === undefined
      ? { text: undefined, fault: "is not a regular file, or is too large" }
      : { text: new TextDecoder().decode(found.bytes), fault: "" };
  } catch {
    return { text: undefined, fault: "cannot be read" };
  }
}
