/**
 * The system that this process runs on.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { argv0 } from "node:process";
import { errorCode } from "../errors.ts";
import { becomeUser, exec, prepareExec } from "./exec.ts";
import { realFiles, removePrivateDirectories } from "./files.ts";
import { endChildren, onSignal, runChild, watchChild } from "./processes.ts";
import type { Clock, Output, System } from "./system.ts";

/**
 * Creates the interface to the system that this process runs on.
 *
 * @returns The system, with the environment, user and terminals at the time of the call.
 */
export function realSystem(): System {
  const uid = Deno.uid() ?? 0;
  return {
    env: Deno.env.toObject(),
    uid,
    gid: Deno.gid() ?? 0,
    startedAs: uid,
    runtime: Deno.version,
    // Not Deno.execPath(), which resolves symbolic links.
    programName: argv0,
    files: realFiles,
    clock: realClock,
    out: output(Deno.stdout),
    err: output(Deno.stderr),
    inputIsTerminal: Deno.stdin.isTerminal(),
    resolveHost,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    runChild,
    watchChild,
    exit(code) {
      endChildren();
      removePrivateDirectories();
      return Deno.exit(code);
    },
    onSignal,
    prepareExec,
    becomeUser(identity) {
      becomeUser(identity);
      // Root without the capability FOWNER could not remove those of this user.
      removePrivateDirectories();
    },
    exec,
  };
}

async function resolveHost(name: string): Promise<readonly string[]> {
  const addresses = await lookup(name, { all: true });
  return addresses.map(({ address }) => address);
}

const realClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep(milliseconds, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(finish, milliseconds);
      signal?.addEventListener("abort", abort, { once: true });
      function finish(): void {
        signal?.removeEventListener("abort", abort);
        resolve();
      }
      function abort(): void {
        clearTimeout(timer);
        reject(signal?.reason);
      }
    });
  },
  timeout: (milliseconds) => AbortSignal.timeout(milliseconds),
};

function output(stream: typeof Deno.stdout): Output {
  const encoder = new TextEncoder();
  return {
    isTerminal: stream.isTerminal(),
    write(text) {
      let rest = encoder.encode(text);
      try {
        while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
      } catch (error) {
        // The reader has ended, as in `… | head`. That must not make a start fail.
        if (errorCode(error) !== "EPIPE") throw error;
      }
    },
  };
}
