/**
 * Loads functions of the C library, for what Deno has no function of its own.
 *
 * @module
 */

import { EntrypointError, ExitCode } from "../errors.ts";

/**
 * Paths of the C library by architecture, which are also the paths of the permission
 * `--allow-ffi`. Only glibc, because Deno needs it too.
 */
const LIBC_PATHS: Readonly<Record<string, readonly string[]>> = {
  x86_64: ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"],
  aarch64: ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"],
};

/**
 * The functions that {@linkcode errnoOf} needs.
 *
 * Pointers are declared as `u64`, because `Deno.UnsafePointer` would need `--allow-ffi`
 * without a restriction to paths.
 */
export const ERRNO_SYMBOLS = {
  __errno_location: { parameters: [], result: "u64" },
  memcpy: { parameters: ["buffer", "u64", "usize"], result: "u64" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Functions that include those of {@linkcode ERRNO_SYMBOLS}. */
export type WithErrno = Deno.DynamicLibrary<typeof ERRNO_SYMBOLS>["symbols"];

/**
 * Loads functions of the C library.
 *
 * @param symbols The functions.
 * @returns The library, to be closed by the caller.
 * @throws {EntrypointError} With code 126 if there is no C library that can be loaded.
 */
export function loadLibc<T extends Deno.ForeignLibraryInterface>(
  symbols: T,
): Deno.DynamicLibrary<T> {
  const paths = LIBC_PATHS[Deno.build.arch] ?? [];
  let cause: unknown;
  for (const path of paths) {
    try {
      return Deno.dlopen(path, symbols);
    } catch (error) {
      cause ??= error;
    }
  }
  throw new EntrypointError(
    `Cannot load the C library, tried: ${paths.join(", ")}`,
    {
      code: ExitCode.cannotExecute,
      remedy: "Use an image with glibc, for example one based on Debian",
      cause,
    },
  );
}

/**
 * Gets the error of the last function of the C library that failed.
 *
 * @param libc The functions that read it.
 * @returns The value of errno(3).
 */
export function errnoOf(libc: WithErrno): number {
  const cell = new Int32Array(1);
  const location = BigInt(libc.__errno_location());
  libc.memcpy(cell, location, 4n);
  return cell[0] ?? 0;
}
