/**
 * File operations relative to the descriptor of a directory, with functions of the C library
 * that Deno lacks. A name can be replaced by another process at any time; a descriptor always
 * stays the file or directory that was opened.
 *
 * @module
 */

import { Errno } from "./execvp.ts";
import { ERRNO_SYMBOLS, errnoOf, loadLibc } from "./libc.ts";
import type { Identity } from "./system.ts";

const SYMBOLS = {
  ...ERRNO_SYMBOLS,
  close: { parameters: ["i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchownat: {
    parameters: ["i32", "buffer", "u32", "u32", "i32"],
    result: "i32",
  },
  getdents64: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  readlinkat: {
    parameters: ["i32", "buffer", "buffer", "usize"],
    result: "isize",
  },
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Flags of open(2) that are the same on x86_64 and aarch64. */
const O_RDONLY = 0;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;

/** `O_DIRECTORY` and `O_NOFOLLOW` of open(2), which differ: asm/fcntl.h of Linux. */
const [O_DIRECTORY, O_NOFOLLOW] = Deno.build.arch === "aarch64"
  ? [0o40000, 0o100000]
  : [0o200000, 0o400000];

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;

/** The basic facts and the mount of a file: statx(2). */
const STATX_MASK = 0x7ff | 0x1000;
/** Linux reports the mount from 5.8 on. */
const STATX_MNT_ID = 0x1000;

/** The indices of the fields in `struct statx`, an array of 32-bit numbers that is the same everywhere. */
const FIELD = {
  mask: 0,
  links: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inode: 8,
  inodeHigh: 9,
  size: 10,
  sizeHigh: 11,
  changed: 24,
  modified: 28,
  deviceMajor: 34,
  deviceMinor: 35,
  mount: 36,
  mountHigh: 37,
} as const;
const STATX_LENGTH = 64;

const TYPE_BITS = 0o170000;
/** The types of files, as in the upper bits of a mode (inode(7)). */
const TYPE = { directory: 0o040000, link: 0o120000, file: 0o100000 } as const;

/** `d_type` of an entry that is a directory: readdir(3). */
const DT_DIR = 4;
/** The offsets of the fields of an entry: getdents(2). */
const ENTRY = { length: 16, type: 18, name: 19 } as const;
/** Bytes for the entries that are read at once. */
const LISTING_SIZE = 32 * 1024;
const DOT = 46;

/** The longest target of a link, and a final NUL: limits.h of Linux. */
const PATH_MAX = 4096;
const PATH_SIZE = BigInt(PATH_MAX - 1);
const HIGH = 2 ** 32;
const EMPTY = new Uint8Array(1);
const HERE = Uint8Array.of(DOT, 0);
const ROOT = new TextEncoder().encode("/\0");
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A NUL-terminated name in a directory. It need not be UTF-8. */
export type Name = Uint8Array<ArrayBuffer>;

/** What a function opens. */
export type OpenFlag = "path" | "directory" | "file";

/** The failure of a system call. */
export class SystemCallError extends Error {
  /** The value of errno(3). */
  readonly errno: number;

  /**
   * Creates an error.
   *
   * @param call The name of the system call.
   * @param errno The value of errno(3).
   */
  constructor(call: string, errno: number) {
    super(`${call} failed with errno ${errno}`);
    this.errno = errno;
  }
}

/** The metadata of the file that was examined last. The object is used again for the next one. */
export interface EntryFacts {
  /** The type of the file. */
  readonly type: "directory" | "link" | "file" | "other";
  /** Permission bits, without the file type. */
  readonly mode: number;
  /** The user id of the owner. */
  readonly uid: number;
  /** The group id. */
  readonly gid: number;
  /** The number of its names (hard links). */
  readonly links: number;
  /** The size in bytes. */
  readonly size: number;
  /** `mtime`, in milliseconds since the epoch. */
  readonly modified: number;
  /** `ctime`, in milliseconds since the epoch. */
  readonly changed: number;
  /** The number of the device. */
  readonly device: number;
  /** A text that is different for each file. */
  readonly id: string;
  /**
   * A number that is different for each mount. On Linux before 5.8 it is the device of a directory,
   * and `undefined` for anything else, because overlayfs has another device for files.
   */
  readonly mount: number | undefined;
}

/** Reads the entries of a directory one after another. */
export interface Listing {
  /** The name of the present entry. It is valid until the next one is read. */
  readonly name: Name;
  /** Whether the file system reports that the present entry is a directory. */
  readonly isDirectory: boolean;
  /** Goes to the next entry; `false` at the end. */
  next(): boolean;
}

/** The operations. Each of them throws {@linkcode SystemCallError}, except the two that give. */
export interface Descriptors {
  /** Opens the root directory. */
  openRoot(): number;
  /** Opens a name in a directory without following a link. */
  open(directory: number, name: Name, flag: OpenFlag): number;
  /** Opens a directory again, to list it. */
  reopen(directory: number): number;
  /** Examines what was opened. */
  examine(descriptor: number): EntryFacts;
  /** Examines a name in a directory, without following a link. */
  examineName(directory: number, name: Name): EntryFacts;
  /** Reads the target of a link that was opened. */
  readLink(descriptor: number): string;
  /** Reads up to that many bytes. */
  read(descriptor: number, size: number): Uint8Array<ArrayBuffer>;
  /** Starts to list a directory that was opened to be read. */
  list(directory: number): Listing;
  /** Creates a directory in another one, with exactly that mode, and opens it. */
  makeDirectory(directory: number, name: Name, mode: number): number;
  /** Gives what was opened to a user; returns errno(3), 0 for success. */
  give(descriptor: number, owner: Identity): number;
  /** Gives a name in a directory to a user, without following a link; returns errno(3), 0 for success. */
  giveName(directory: number, name: Name, owner: Identity): number;
  /** Closes a descriptor. */
  close(descriptor: number): void;
}

/**
 * Makes a name for these operations.
 *
 * @param text The name.
 * @returns Its bytes, with a final NUL.
 */
export function nameOf(text: string): Name {
  return ENCODER.encode(`${text}\0`);
}

/**
 * Makes a text of a name.
 *
 * @param name The bytes, of which those from the first NUL on do not count.
 * @returns The text, with a replacement character for what is not UTF-8.
 */
export function textOf(name: Name): string {
  return DECODER.decode(name.subarray(0, name.indexOf(0)));
}

let library: Deno.DynamicLibrary<typeof SYMBOLS> | undefined;

/**
 * Loads the C library.
 *
 * @returns The operations.
 */
export function openDescriptors(): Descriptors {
  library ??= loadLibc(SYMBOLS);
  const libc = library.symbols;
  const stat = new Uint32Array(STATX_LENGTH);
  const statBytes = new Uint8Array(stat.buffer);
  const facts = new StatFacts(stat);
  const check = (call: string, result: number): number => {
    if (result < 0) throw new SystemCallError(call, errnoOf(libc));
    return result;
  };
  const flags: Readonly<Record<OpenFlag, number>> = {
    path: O_PATH | O_NOFOLLOW | O_CLOEXEC,
    directory: O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    file: O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC,
  };
  const open = (directory: number, name: Name, flag: OpenFlag): number =>
    check("openat", libc.openat(directory, name, flags[flag], 0));
  return {
    openRoot: () => open(AT_FDCWD, ROOT, "path"),
    open,
    reopen: (directory) => open(directory, HERE, "directory"),
    examine(descriptor) {
      check(
        "statx",
        libc.statx(descriptor, EMPTY, AT_EMPTY_PATH, STATX_MASK, statBytes),
      );
      return facts;
    },
    examineName(directory, name) {
      check(
        "statx",
        libc.statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_MASK, statBytes),
      );
      return facts;
    },
    readLink(descriptor) {
      const target = new Uint8Array(PATH_MAX);
      const length = libc.readlinkat(descriptor, EMPTY, target, PATH_SIZE);
      check("readlinkat", Number(length));
      return textOf(target);
    },
    read(descriptor, size) {
      const bytes = new Uint8Array(size);
      let length = 0;
      while (length < size) {
        const rest = bytes.subarray(length);
        const count = check(
          "read",
          Number(libc.read(descriptor, rest, BigInt(rest.length))),
        );
        if (count === 0) break;
        length += count;
      }
      return bytes.subarray(0, length);
    },
    list: (directory) =>
      new DirectoryListing((bytes) =>
        check(
          "getdents64",
          Number(libc.getdents64(directory, bytes, BigInt(bytes.length))),
        )
      ),
    makeDirectory(directory, name, mode) {
      const result = libc.mkdirat(directory, name, mode);
      if (result < 0) {
        const errno = errnoOf(libc);
        // Another start was faster.
        if (errno !== Errno.EEXIST) throw new SystemCallError("mkdirat", errno);
      }
      const made = open(directory, name, "directory");
      // mkdirat(2) applies the umask.
      if (result === 0) check("fchmod", libc.fchmod(made, mode));
      return made;
    },
    give(descriptor, { uid, gid }) {
      const result = libc.fchownat(
        descriptor,
        EMPTY,
        uid,
        gid,
        AT_EMPTY_PATH,
      );
      return result === 0 ? 0 : errnoOf(libc);
    },
    giveName(directory, name, { uid, gid }) {
      const result = libc.fchownat(
        directory,
        name,
        uid,
        gid,
        AT_SYMLINK_NOFOLLOW,
      );
      return result === 0 ? 0 : errnoOf(libc);
    },
    close: (descriptor) => void libc.close(descriptor),
  };
}

/** A view of `struct statx`: nothing is allocated for each file of a big tree. */
class StatFacts implements EntryFacts {
  readonly #stat: Uint32Array<ArrayBuffer>;

  constructor(stat: Uint32Array<ArrayBuffer>) {
    this.#stat = stat;
  }

  #get(field: number): number {
    return this.#stat[field] ?? 0;
  }

  get type(): EntryFacts["type"] {
    const bits = this.#get(FIELD.mode) & TYPE_BITS;
    if (bits === TYPE.file) return "file";
    if (bits === TYPE.directory) return "directory";
    return bits === TYPE.link ? "link" : "other";
  }
  get mode(): number {
    return this.#get(FIELD.mode) & 0o7777;
  }
  get uid(): number {
    return this.#get(FIELD.uid);
  }
  get gid(): number {
    return this.#get(FIELD.gid);
  }
  get links(): number {
    return this.#get(FIELD.links);
  }
  get size(): number {
    return this.#get(FIELD.sizeHigh) * HIGH + this.#get(FIELD.size);
  }
  get modified(): number {
    return this.#time(FIELD.modified);
  }
  get changed(): number {
    return this.#time(FIELD.changed);
  }
  get id(): string {
    const inode = [FIELD.inodeHigh, FIELD.inode].map((at) => this.#get(at));
    return `${this.device} ${inode.join(" ")}`;
  }
  get mount(): number | undefined {
    if ((this.#get(FIELD.mask) & STATX_MNT_ID) !== 0) {
      return this.#get(FIELD.mountHigh) * HIGH + this.#get(FIELD.mount);
    }
    return this.type === "directory" ? this.device : undefined;
  }
  get device(): number {
    return this.#get(FIELD.deviceMajor) * HIGH + this.#get(FIELD.deviceMinor);
  }
  /** A time before 1970 has a negative number of seconds. */
  #time(field: number): number {
    const seconds = (this.#get(field + 1) | 0) * HIGH + this.#get(field);
    return seconds * 1000 + Math.floor(this.#get(field + 2) / 1e6);
  }
}

class DirectoryListing implements Listing {
  readonly #fill: (bytes: Uint8Array<ArrayBuffer>) => number;
  readonly #bytes = new Uint8Array(LISTING_SIZE);
  #length = 0;
  #next = 0;
  name: Name = EMPTY;
  isDirectory = false;

  constructor(fill: (bytes: Uint8Array<ArrayBuffer>) => number) {
    this.#fill = fill;
  }

  next(): boolean {
    const bytes = this.#bytes;
    for (;;) {
      if (this.#next >= this.#length) {
        this.#length = this.#fill(bytes);
        this.#next = 0;
        if (this.#length === 0) return false;
      }
      const start = this.#next;
      const size = (bytes[start + ENTRY.length] ?? 0) |
        (bytes[start + ENTRY.length + 1] ?? 0) << 8;
      this.#next += size;
      this.name = bytes.subarray(start + ENTRY.name, start + size);
      this.isDirectory = bytes[start + ENTRY.type] === DT_DIR;
      if (!isDots(this.name)) return true;
    }
  }
}

/** Whether a name is `.` or `..`. */
function isDots(name: Name): boolean {
  return name[0] === DOT &&
    (name[1] === 0 || (name[1] === DOT && name[2] === 0));
}
