/**
 * The system that this process runs on.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { argv0 } from "node:process";
import { EntrypointError, errorCode, ExitCode } from "../errors.ts";
import { exec, prepareExec, rawVariables } from "./exec.ts";
import { giveDirectories } from "./give.ts";
import { realFiles, removePrivateDirectories } from "./files.ts";
import {
  becomeUser,
  missingCapabilities,
  supplementaryGroups,
} from "./identity.ts";
import { hasCapabilities, tryPort } from "./ports.ts";
import { endChildren, onSignal, runChild, watchChild } from "./processes.ts";
import { filesFor } from "./served_files.ts";
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
    out: output(Deno.stdout, (code) => {
      // The reader has ended, as in `… | head`.
      if (code === "EPIPE") return;
      throw new EntrypointError(`Cannot write to standard output (${code})`, {
        code: ExitCode.cannotWrite,
        remedy: "df -h   # or give the command another standard output",
      });
    }),
    // A start must not fail because nobody can read its messages.
    err: output(Deno.stderr, () => {}),
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
    rawVariables,
    tryPort,
    hasCapabilities,
    supplementaryGroups,
    missingCapabilities,
    filesFor,
    giveDirectories: (plan) => giveDirectories(plan),
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

/** A pipe takes so many bytes at once or none of them (pipe(7)). */
const PIPE_BUF = 4096;

/**
 * Chooses what Deno writes with one system call, since it does not tell how much it has written
 * before an error: whole lines, because it keeps the beginning of another one in a buffer.
 */
function nextWrite(rest: Uint8Array): Uint8Array {
  const part = rest.subarray(0, PIPE_BUF);
  return part.subarray(0, part.lastIndexOf(0x0a) + 1 || PIPE_BUF);
}

/** Milliseconds between attempts to write to a pipe that is full and does not block. */
const FULL_PIPE_DELAY = 5;

/** Creates an output. The function gets the system's code if it cannot be written. */
function output(
  stream: typeof Deno.stdout,
  onError: (code: string) => void,
): Output {
  const encoder = new TextEncoder();
  const never = new Int32Array(new SharedArrayBuffer(4));
  return {
    isTerminal: stream.isTerminal(),
    write(text) {
      let rest = encoder.encode(text);
      while (rest.length > 0) {
        try {
          rest = rest.subarray(stream.writeSync(nextWrite(rest)));
        } catch (error) {
          const code = errorCode(error);
          if (code === undefined) throw error;
          if (code !== "EAGAIN") return onError(code);
          Atomics.wait(never, 0, 0, FULL_PIPE_DELAY);
        }
      }
    },
  };
}
