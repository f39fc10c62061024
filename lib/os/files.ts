/**
 * File operations on the real file system.
 *
 * @module
 */

import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  read as readWithCallback,
  readSync,
  statfsSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { errorCode, NOT_REGULAR, trySystemCall } from "../errors.ts";
import { actAs } from "./identity.ts";
import { isOnlyRoots } from "./permissions.ts";
import type {
  FileFacts,
  Files,
  Identity,
  OpenedFile,
  PrivateDirectoryPlan,
} from "./system.ts";

/** Files with more bytes are not read. A config.json has some ten thousand. */
export const MAX_SIZE = 64 * 1024 ** 2;

/** The same for {@linkcode Files.readParts}. A server's program has 200 MB. */
const MAX_PROGRAM_SIZE = 4 * 1024 ** 3;

/** File operations on the real file system, synchronous except for {@linkcode Files.readParts}. */
export const realFiles: Files = {
  read,
  readParts,
  exists,
  stat: (path) => factsOf(() => Deno.statSync(path)),
  lstat: (path) => factsOf(() => Deno.lstatSync(path)),
  readLink: (path) => Deno.readLinkSync(path),
  realPath: (path) => Deno.realPathSync(path),
  list(path) {
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }
  },
  create,
  overwrite,
  makeDirectory: (path, mode) =>
    Deno.mkdirSync(path, {
      recursive: true,
      ...(mode === undefined ? {} : { mode }),
    }),
  rename: (from, to) => Deno.renameSync(from, to),
  remove: (path) => Deno.removeSync(path),
  makePrivateDirectory,
  removeDirectory,
  chmod: (path, mode) => Deno.chmodSync(path, mode),
  setModified: (path, time) =>
    Deno.utimeSync(path, new Date(time), new Date(time)),
  tryCreating(path) {
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    closeSync(openSync(path, O_CREAT | O_EXCL | O_WRONLY, 0o600));
    try {
      unlinkSync(path);
    } catch {
      // An error that does not last must not leave the file.
      if (exists(path)) unlinkSync(path);
    }
  },
  tryWriting: (path) =>
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)),
  syncDirectory(path) {
    using directory = Deno.openSync(path, { read: true });
    directory.syncSync();
  },
  tryLock(path) {
    const file = openLock(path);
    try {
      if (file.tryLockSync(true)) return { release: () => file.close() };
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  },
  freeSpace(path) {
    const { bsize, bavail } = statfsSync(path);
    return bsize * bavail;
  },
};

/** The private directories that were not removed yet, and the users that they were given to. */
const privateDirectories = new Map<string, Identity | undefined>();

/** Removes all private directories, before the process ends. */
export function removePrivateDirectories(): void {
  for (const [path, owner] of privateDirectories) {
    try {
      removeDirectory(path, owner);
    } catch {
      // The next start removes it.
    }
  }
}

/**
 * Where the owner can put a link in place of the directory, root removes the files with the rights
 * of that user. Directories in it are left, because there may be more of them inside one another than
 * this process can open.
 */
function removeDirectory(path: string, owner?: Identity): void {
  const empty = (): void =>
    realFiles.list(path).forEach((name) =>
      trySystemCall(() => Deno.removeSync(`${path}/${name}`))
    );
  const parent = owner && realFiles.stat(dirname(path));
  // What belongs to root holds only what root has put there. No link is followed, even if another
  // start has removed it and somebody has put one in its place.
  const isRoots = owner === undefined && Deno.uid() === 0;
  if (!isRoots) {
    if (owner === undefined || parent && isOnlyRoots(parent)) empty();
    else actAs(owner, empty);
  }
  Deno.removeSync(path, { recursive: isRoots });
  privateDirectories.delete(path);
}

/** Gives by descriptor, so that nothing that somebody puts in place of a name is given away. */
function makePrivateDirectory(
  { prefix, file, owner }: PrivateDirectoryPlan,
): string {
  const directory = mkdtempSync(prefix);
  privateDirectories.set(directory, owner);
  const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } =
    constants;
  const give = (descriptor: number): void => {
    if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid);
  };
  try {
    withDescriptor(
      openSync(
        `${directory}/${file.name}`,
        O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW,
        0o600,
      ),
      (descriptor) => {
        writeFileSync(descriptor, file.text(directory));
        give(descriptor);
      },
    );
    withDescriptor(
      openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
      give,
    );
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
  return directory;
}

/**
 * Opens a lock file. Deno locks only files that it opened itself, and it has no `O_NOFOLLOW`. So
 * the file is created without following a link first, and must then be the same one. Opening it
 * for reading and writing does not wait, even if it is a FIFO by then (fifo(7)).
 */
function openLock(path: string): Deno.FsFile {
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  const descriptor = openSync(path, flags, 0o600);
  try {
    const expected = fstatSync(descriptor);
    const file = Deno.openSync(path, { read: true, write: true });
    const { dev, ino } = file.statSync();
    if (expected.isFile() && expected.dev === dev && expected.ino === ino) {
      return file;
    }
    file.close();
  } finally {
    closeSync(descriptor);
  }
  throw notRegular(path);
}

function withDescriptor(
  descriptor: number,
  use: (descriptor: number) => void,
): void {
  try {
    use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Opens devices and FIFOs too, to get their facts. With `O_NONBLOCK` that neither waits nor changes anything (open(2)). */
function read(
  path: string,
  { follow }: { readonly follow: boolean },
): OpenedFile | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(
      path,
      constants.O_RDONLY | constants.O_NONBLOCK |
        (follow ? 0 : constants.O_NOFOLLOW),
    );
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (["ENOENT", "ENOTDIR"].includes(code)) return undefined;
    // ELOOP: a symbolic link that is not followed; ENXIO: a socket (open(2)).
    const facts = ["ELOOP", "ENXIO"].includes(code)
      ? factsOf(() => follow ? Deno.statSync(path) : Deno.lstatSync(path))
      : undefined;
    if (facts === undefined || facts.isFile) throw error;
    return { facts, bytes: undefined };
  }
  try {
    const facts = factsOfOpen(fstatSync(descriptor));
    const isReadable = facts.isFile && facts.size <= MAX_SIZE;
    return {
      facts,
      bytes: isReadable ? readAll(descriptor, facts) : undefined,
    };
  } finally {
    closeSync(descriptor);
  }
}

/** Reads at most the size that the file had when it was opened, even if it grows. */
function readAll(descriptor: number, { size }: FileFacts): Uint8Array {
  const bytes = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    const count = readSync(descriptor, bytes, { offset: length });
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

async function* readParts(
  path: string,
  { size, overlap }: { readonly size: number; readonly overlap: number },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { O_NONBLOCK, O_RDONLY } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const facts = fstatSync(descriptor);
    if (!facts.isFile() || facts.size > MAX_PROGRAM_SIZE) return;
    const buffer = new Uint8Array(overlap + size);
    let kept = 0;
    while (true) {
      const count = await readSome(descriptor, buffer.subarray(kept));
      if (count === 0) return;
      const end = kept + count;
      yield buffer.subarray(0, end);
      kept = Math.min(overlap, end);
      buffer.copyWithin(0, end - kept, end);
    }
  } finally {
    closeSync(descriptor);
  }
}

function readSome(descriptor: number, buffer: Uint8Array): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  readWithCallback(
    descriptor,
    buffer,
    0,
    buffer.length,
    null,
    (error, count) => error === null ? resolve(count) : reject(error),
  );
  return promise;
}

function factsOfOpen(stats: Stats): FileFacts {
  return {
    isFile: stats.isFile(),
    isDirectory: stats.isDirectory(),
    isSymlink: false,
    size: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    device: stats.dev,
    modified: stats.mtimeMs,
    changed: stats.ctimeMs,
  };
}

function exists(path: string): boolean {
  try {
    return factsOf(() => Deno.statSync(path)) !== undefined;
  } catch (error) {
    // A symbolic link that leads to itself.
    if (errorCode(error) === "ELOOP") return false;
    throw error;
  }
}

function factsOf(stat: () => Deno.FileInfo): FileFacts | undefined {
  try {
    const info = stat();
    return {
      isFile: info.isFile,
      isDirectory: info.isDirectory,
      isSymlink: info.isSymlink,
      size: info.size,
      mode: (info.mode ?? 0) & 0o7777,
      uid: info.uid ?? 0,
      gid: info.gid ?? 0,
      device: info.dev,
      modified: info.mtime?.getTime() ?? 0,
      changed: info.ctime?.getTime() ?? 0,
    };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) {
      return undefined;
    }
    throw error;
  }
}

function create(path: string, text: string, mode: number): void {
  using file = Deno.openSync(path, { createNew: true, write: true, mode });
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
  file.syncSync();
}

/** Neither waits for the reader of a FIFO nor follows a link that has replaced the file. */
function overwrite(path: string, text: string): void {
  const { O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
  withDescriptor(
    openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW),
    (descriptor) => {
      if (!fstatSync(descriptor).isFile()) throw notRegular(path);
      ftruncateSync(descriptor);
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    },
  );
}

function notRegular(path: string): Error {
  const code = NOT_REGULAR;
  return Object.assign(new Error(`${code}: open '${path}'`), { code });
}
