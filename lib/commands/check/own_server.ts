/**
 * Whether the server of this installation runs already, where the checks can reach it.
 *
 * @module
 */

import { request } from "../../os/http.ts";
import { serverAddress } from "../../mattermost/listen_address.ts";
import { ANY_LIVENESS } from "../../mattermost/releases.ts";
import type { CheckContext } from "./finding.ts";

/** Milliseconds for all answers. Another program may hold the port, and say nothing. */
const LONGEST_SILENCE = 3_000;

/**
 * Looks for a running Mattermost at the listen address.
 *
 * @param context The configuration, and the signal that ends the check.
 * @param host The host to ask; by default that of the listen address.
 * @returns The URL at which it answers; `undefined` if none does.
 */
export async function findRunningServer(
  { plan, system, signal }: CheckContext,
  host?: string,
): Promise<URL | undefined> {
  const { release, settings, state, merged, serverVariables } = plan;
  const place = serverAddress({
    // What the running server has read.
    config: state.text ?? merged.text,
    variables: serverVariables.values,
    port: settings.MATTERMOST_PORT,
    overrides: release.environmentOverrides,
  });
  const base = new URL(
    `${place.origin}${release.subPaths ? place.subPath : ""}/`,
  );
  const end = AbortSignal.any([signal, system.clock.timeout(LONGEST_SILENCE)]);
  try {
    let address = place.host;
    if (host !== undefined) {
      base.hostname = host;
      [address = host] = await system.resolveHost(host);
    }
    for (const { path, contains = "" } of [release.liveness, ...ANY_LIVENESS]) {
      const url = new URL(path.slice(1), base);
      const { status, body } = await request({
        url,
        host: address,
        signal: end,
        verify: false,
      });
      if (status === 200 && body.includes(contains)) return url;
    }
  } catch {
    // Nobody is there.
  }
  return undefined;
}
