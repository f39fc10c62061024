/**
 * `app:health`: asks the server on this machine whether it is well, wherever
 * its config.json lets it listen. One line to standard output, for `docker inspect`.
 *
 * It is started every few seconds: it loads no driver, merges nothing and
 * writes nothing. Any user may run it.
 *
 * @module
 */

import { errorCode, ExitCode } from "../errors.ts";
import type { HttpResponse } from "../os/http.ts";
import { request } from "../os/http.ts";
import type { Listening } from "../mattermost/listen_address.ts";
import { listening } from "../mattermost/listen_address.ts";
import type { HealthEndpoint, Release } from "../mattermost/releases.ts";
import { releaseFacts } from "../mattermost/releases.ts";
import { resolve } from "../settings/resolve.ts";
import { readServerVariables } from "../settings/server_variables.ts";
import type { System } from "../os/system.ts";
import { readArguments, readSeconds } from "./arguments.ts";
import type { Context } from "../startup/context.ts";
import { sourcesOf } from "../startup/setting_sources.ts";

/** Seconds that the server has to answer. */
const DEFAULT_TIMEOUT = 5;

/** The releases whose endpoints are tried, in order, where nothing tells which one runs. */
const ASSUMED_RELEASES = ["11.0.0", "3.6.0"];

/** What was asked, and what came of it. */
interface Verdict {
  readonly isWell: boolean;
  readonly text: string;
}

/**
 * Asks the server on this machine whether it is well.
 *
 * @param args `--ready` asks for the database and the file store too; `--timeout S`.
 * @param context The world.
 * @returns 0 if it is, else 1.
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
  const ending = AbortSignal.any([
    signal,
    system.clock.timeout(1000 * seconds),
  ]);
  const { isWell, text } = await checkHealth(system, {
    ready: ready,
    signal: ending,
    seconds,
  });
  system.out.write(`${text}\n`);
  return isWell ? ExitCode.ok : ExitCode.failure;
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
  const { text: config, fault } = readOptional(configPath, system);
  const release = knownRelease(settings.MATTERMOST_VERSION) ??
    knownRelease(readOptional(versionPath, system).text);
  const place = listening({
    config,
    variables: readServerVariables(sources).values,
    port: settings.MATTERMOST_PORT,
    overrides: release?.environmentOverrides ?? "all keys",
  });
  const candidates = release === undefined
    ? ASSUMED_RELEASES.map((guess) => releaseFacts(guess))
    : [release];
  const note = place.from === "config.json"
    ? ""
    : ` (${configPath} ${
      config === undefined ? fault : "cannot be understood"
    }: asked the port of MATTERMOST_PORT)`;
  let verdict: Verdict | undefined;
  for (const candidate of candidates) {
    const endpoint = ready ? candidate.readiness : candidate.liveness;
    const url = new URL(`${place.origin}${place.subPath}${endpoint.path}`);
    try {
      const answer = await request({
        url,
        host: place.host,
        signal,
        // It is this machine's own server, and its certificate names the site, not this machine.
        verify: false,
      });
      verdict = judge(answer, { url, endpoint, ready });
      if (answer.status !== 404) break;
    } catch (error) {
      verdict = unreachable(error, { url, place, seconds });
      break;
    }
  }
  return { isWell: verdict?.isWell ?? false, text: `${verdict?.text}${note}` };
}

function judge(
  { status, body }: HttpResponse,
  { url, endpoint, ready }: {
    readonly url: URL;
    readonly endpoint: HealthEndpoint;
    readonly ready: boolean;
  },
): Verdict {
  const isWell = status === 200 &&
    (endpoint.contains === undefined || body.includes(endpoint.contains));
  const parts = ready ? componentStates(body) : [];
  const isServing = parts.every(({ state }) => state === "OK");
  const word = ready ? "ready" : "healthy";
  const details = parts.map(({ name, state }) => `${name} ${state}`);
  if (ready && parts.length === 0 && isWell) {
    details.push("this release does not tell about its database");
  }
  const said = [
    `${url.href} answers ${status}`,
    ...details,
    ...(status === 404
      ? ["it is not the server that config.json describes"]
      : []),
  ].join(", ");
  return isWell && isServing
    ? { isWell: true, text: `${word}: ${said}` }
    : { isWell: false, text: `not ${word}: ${said}` };
}

/** Names of the members in which the server tells about what it depends on. */
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
    readonly place: Listening;
    readonly seconds: number;
  },
): Verdict {
  const code = errorCode(error);
  const isLate = error instanceof DOMException && error.name === "TimeoutError";
  const why = code === "ECONNREFUSED"
    ? `nothing listens on ${place.host} port ${place.port}`
    : isLate
    ? `no answer within ${seconds} s`
    : `${code ?? (error instanceof Error ? error.message : String(error))}`;
  return { isWell: false, text: `not healthy: ${url.href}: ${why}` };
}

function knownRelease(version: string | undefined): Release | undefined {
  try {
    return version === undefined ? undefined : releaseFacts(version.trim());
  } catch {
    return undefined;
  }
}

/** Whatever cannot be read is guessed: this command must not fail where the server runs. */
function readOptional(
  path: string,
  { files }: Pick<System, "files">,
): { readonly text: string | undefined; readonly fault: string } {
  try {
    const found = files.read(path, { follow: true });
    if (found === undefined) return { text: undefined, fault: "is not there" };
    return found.bytes === undefined
      ? { text: undefined, fault: "is no regular file, or too large" }
      : { text: new TextDecoder().decode(found.bytes), fault: "" };
  } catch {
    return { text: undefined, fault: "may not be read" };
  }
}
