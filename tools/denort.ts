/**
 * `deno compile`, also on machines that reach npm but not the site where Deno's vendor
 * keeps the runtime that it puts in front of a program.
 *
 * npm carries Deno 2.7.11, and a program that was compiled with exactly that
 * release: its runtime is the file up to the end of the ELF section headers.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { cached, cacheDirectory } from "./shared/cache.ts";
import { type NpmPackage, unpackNpm } from "./shared/packages.ts";

/** A Deno and the runtime that goes with it. */
interface Toolchain {
  /** The `deno` program. */
  readonly deno: string;
  /** The runtime, for `DENORT_BIN`. */
  readonly denort: string;
}

const DENO_PACKAGE: NpmPackage = {
  name: "@deno/linux-x64-glibc",
  version: "2.7.11",
  integrity:
    "sha512-TCRXqy4rHI+pKmWfjIz/qfDyfTz61qhxj+03kEJ3r0YzRGsXNoHyE7WiUawwUK2hbrBAu7hn3m5833VUYqRzOg==",
};

/** A program whose first part is the runtime. */
const CARRIER_PACKAGE: NpmPackage = {
  name: "@stdy/cli-linux-x64",
  version: "0.22.2",
  integrity:
    "sha512-kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
};

const CARRIER_PROGRAM = "bin/steady";
const DENORT_SIZE = 97_076_048;
const DENORT_SHA256 =
  "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6";

/** Demands the vendor's runtime if it is `vendor`; releases do. */
const RUNTIME_VARIABLE = "ENTRYPOINT_RUNTIME";
/** How long the running Deno may take before npm's has its turn, in milliseconds. */
const VENDOR_TIMEOUT = 3 * 60 * 1000;
/** How long it is remembered that the vendor's site did not answer, in milliseconds. */
const REMEMBERED = 24 * 60 * 60 * 1000;

/** How a step runs. */
export interface StepOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Variables to add to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs `deno compile`: by the running Deno with its vendor's runtime, and where that cannot
 * be had, by the Deno from npm with the runtime from npm.
 *
 * @param args The options and the first module.
 * @param options What ends it.
 * @returns The runtime in words.
 * @throws {Error} Where neither works, with both reasons.
 */
export async function compileProgram(
  args: readonly string[],
  { signal }: StepOptions,
): Promise<string> {
  const compile = ["compile", "--quiet", ...args];
  // Behind a proxy that re-signs, the system knows the certificate, Deno's own list does not.
  const env = { DENO_TLS_CA_STORE: "system", NO_COLOR: "1" };
  const note = join(
    await cacheDirectory(),
    `no-runtime-for-${Deno.version.deno}`,
  );
  const isVendorOnly = Deno.env.get(RUNTIME_VARIABLE) === "vendor";
  let refusal = isVendorOnly ? "" : await recentText(note);
  if (refusal === "") {
    try {
      const timeout = AbortSignal.timeout(VENDOR_TIMEOUT);
      await runDeno(Deno.execPath(), compile, {
        env,
        signal: AbortSignal.any([signal, timeout]),
      });
      return `Deno ${Deno.version.deno}`;
    } catch (error) {
      signal.throwIfAborted();
      if (isVendorOnly) throw error;
      refusal = (error as Error).message;
    }
  }
  const { deno, denort } = await fetchToolchain();
  try {
    await runDeno(deno, compile, {
      env: { ...env, DENORT_BIN: denort },
      signal,
    });
  } catch (error) {
    throw new Error(`${refusal}\n${(error as Error).message}`.trim(), {
      cause: error,
    });
  }
  // Only now is it sure that the refusal was not about the program.
  await Deno.writeTextFile(note, refusal);
  const [causes = ""] = refusal.split("Stack backtrace");
  const reason = causes.trim().split("\n").at(-1)?.replace(/^\s*\d+: /, "");
  return `Deno ${DENO_PACKAGE.version} from npm, because the runtime of Deno ${Deno.version.deno} cannot be downloaded (${reason})`;
}

/**
 * Runs a program of Deno to its end.
 *
 * @param program The program.
 * @param args Its arguments.
 * @param options What ends it.
 * @throws {Error} With what it wrote to standard error, where it fails.
 */
export async function runDeno(
  program: string,
  args: readonly string[],
  { env = {}, signal }: StepOptions,
): Promise<void> {
  const { code, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    stdin: "null",
    signal,
  }).output();
  if (code === 0) return;
  const message = new TextDecoder().decode(stderr).trim();
  throw new Error(`Cannot run ${basename(program)} ${args[0]}: ${message}`);
}

/** What a file says, unless it is missing or old. */
async function recentText(path: string): Promise<string> {
  const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
  const isRecent = mtime !== null && Date.now() - mtime.getTime() < REMEMBERED;
  return isRecent ? await Deno.readTextFile(path) : "";
}

/**
 * Provides a Deno that can compile without its vendor's site.
 *
 * @returns Where the two programs are.
 * @throws {Error} on a machine other than Linux on x86_64, or when npm does not deliver them.
 */
async function fetchToolchain(): Promise<Toolchain> {
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") {
    throw new Error(
      `Cannot compile on ${Deno.build.target} without the vendor's site: npm has a runtime for Linux on x86_64 only`,
    );
  }
  const { name, version } = DENO_PACKAGE;
  // One after the other: both may fill a cold cache.
  const denoDirectory = await cached(`deno-${version}`, async (draft) => {
    const files = await unpackNpm(draft, DENO_PACKAGE);
    await Deno.chmod(join(files, "deno"), 0o755);
  });
  const denortDirectory = await cached(`denort-${version}`, cutDenort);
  const denort = join(denortDirectory, "denort");
  verify(await Deno.readFile(denort));
  return { deno: join(denoDirectory, "node_modules", name, "deno"), denort };
}

async function cutDenort(draft: string): Promise<void> {
  const source = await Deno.makeTempDir({ dir: draft });
  const files = await unpackNpm(source, CARRIER_PACKAGE);
  const carrier = await Deno.readFile(join(files, CARRIER_PROGRAM));
  const denort = carrier.subarray(0, elfSize(carrier));
  verify(denort);
  await Deno.writeFile(join(draft, "denort"), denort);
  await Deno.chmod(join(draft, "denort"), 0o755);
  await Deno.remove(source, { recursive: true });
}

function verify(denort: Uint8Array): void {
  const sha256 = createHash("sha256").update(denort).digest("hex");
  if (denort.length === DENORT_SIZE && sha256 === DENORT_SHA256) return;
  throw new Error(
    `Cannot use the runtime of ${denort.length} bytes with SHA-256 ${sha256}: it must be ${DENORT_SIZE} bytes with ${DENORT_SHA256}`,
  );
}

/**
 * Measures an ELF program without what was appended to it.
 *
 * @param file The start of the file, at least its 64 bytes of ELF header.
 * @returns The end of the section header table, in bytes.
 * @throws {RangeError} when it is no 64-bit little-endian ELF file.
 */
export function elfSize(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = file.length < 64 ? 0 : view.getUint32(0);
  if (magic !== 0x7f454c46 || view.getUint16(4) !== 0x0201) {
    throw new RangeError("Cannot measure: not a 64-bit little-endian ELF file");
  }
  const offset = Number(view.getBigUint64(0x28, true));
  const entrySize = view.getUint16(0x3a, true);
  const entries = view.getUint16(0x3c, true);
  return offset + entrySize * entries;
}

/**
 * Measures a compiled program.
 *
 * @param path The program.
 * @returns The size of the file and of the runtime in it, in bytes.
 */
export async function binarySizes(
  path: string,
): Promise<{ size: number; runtime: number }> {
  using file = await Deno.open(path);
  const header = new Uint8Array(64);
  await file.read(header);
  return { size: (await file.stat()).size, runtime: elfSize(header) };
}
