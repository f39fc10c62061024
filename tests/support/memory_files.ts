/**
 * A file system in memory. It counts the steps that change it, and a test can make each step
 * fail or end the process there.
 *
 * Like a real write, a write takes two steps: after the first, half of the file is written. So
 * crash tests can end the process between both.
 *
 * @module
 */

import type {
  FileFacts,
  Files,
  OpenedFile,
  PrivateDirectoryPlan,
} from "../../lib/os/system.ts";

interface Node {
  kind: "file" | "directory" | "link" | "fifo";
  text: string;
  mode: number;
  uid: number;
  gid: number;
  inode: number;
  modified: number;
}

/** Thrown where the process ends; no later step may change the disk. */
class Death extends Error {}

/** How a step fails: with a system error, or with the end of the process. */
export type Fault = { readonly code: string } | "death";

/** A file system in memory. */
export class MemoryFiles implements Files {
  readonly nodes = new Map<string, Node>();
  /** The number of changing steps so far. */
  steps = 0;
  /** All changing steps, for the messages of tests. */
  readonly journal: string[] = [];
  /** Decides whether a step fails. */
  fault: (step: number, what: string) => Fault | undefined = () => undefined;
  /** Mount points, which cannot be the target of a rename. */
  readonly mounts = new Set<string>();
  /** The owner of files that the program creates; files that a test places belong to root. */
  user = { uid: 0, gid: 0 };
  lockError: string | undefined;
  /** The files that a process holds the lock of. */
  readonly locked = new Set<string>();
  /** Whether the process has ended: then every call throws. */
  dead = false;
  #inode = 1;

  constructor(...directories: string[]) {
    this.#put("/", "directory", "", 0o755);
    for (const path of directories) this.makeDirectory(path);
    this.steps = 0;
    this.journal.length = 0;
  }

  /** Starts a new process with the same disk. */
  reboot(): void {
    this.dead = false;
    this.locked.clear();
    this.steps = 0;
    this.journal.length = 0;
    this.fault = () => undefined;
  }

  readText(path: string): string {
    this.#alive();
    const node = this.#need(this.#follow(path));
    if (node.kind !== "file") throw failure("EISDIR", path);
    return node.text;
  }
  read(
    path: string,
    { follow }: { readonly follow: boolean },
  ): OpenedFile | undefined {
    const facts = follow ? this.stat(path) : this.lstat(path);
    return facts && {
      facts,
      bytes: facts.isFile
        ? new TextEncoder().encode(this.readText(path))
        : undefined,
    };
  }
  /** Yields the whole file as one part. */
  async *readParts(path: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield await Promise.resolve(new TextEncoder().encode(this.readText(path)));
  }
  exists(path: string): boolean {
    return this.stat(path) !== undefined;
  }
  stat(path: string): FileFacts | undefined {
    return this.lstat(this.#follow(path));
  }
  lstat(path: string): FileFacts | undefined {
    this.#alive();
    const node = this.nodes.get(path);
    return node === undefined ? undefined : {
      isFile: node.kind === "file",
      isDirectory: node.kind === "directory",
      isSymlink: node.kind === "link",
      size: new TextEncoder().encode(node.text).length,
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      device: 1,
      modified: node.modified,
      changed: node.modified,
    };
  }
  readLink(path: string): string {
    return this.#need(path).text;
  }
  realPath(path: string): string {
    const real = this.#follow(path);
    this.#need(real);
    return real;
  }
  list(path: string): readonly string[] {
    this.#alive();
    const prefix = path === "/" ? "/" : `${path}/`;
    return [...this.nodes.keys()]
      .filter((name) =>
        name.startsWith(prefix) && name.length > prefix.length &&
        !name.slice(prefix.length).includes("/")
      ).map((name) => name.slice(prefix.length)).sort();
  }
  create(path: string, text: string, mode: number): void {
    this.#step(`create ${path}`);
    if (this.nodes.has(path)) throw failure("EEXIST", path);
    this.#need(parentOf(path));
    const node = this.#make(path, "file", mode);
    node.text = text.slice(0, text.length / 2);
    this.#step(`write ${path}`);
    node.text = text;
  }
  overwrite(path: string, text: string): void {
    this.#step(`truncate ${path}`);
    const node = this.#need(this.#follow(path));
    node.text = text.slice(0, text.length / 2);
    this.#step(`overwrite ${path}`);
    node.text = text;
  }
  makeDirectory(path: string, mode = 0o755): void {
    this.#step(`mkdir ${path}`);
    if (this.nodes.has(path)) return;
    if (parentOf(path) !== path && !this.nodes.has(parentOf(path))) {
      this.makeDirectory(parentOf(path), mode);
    }
    this.#make(path, "directory", mode);
  }
  rename(from: string, to: string): void {
    this.#step(`rename ${from} ${to}`);
    const node = this.#need(from);
    if (this.mounts.has(to)) throw failure("EBUSY", to);
    this.nodes.delete(from);
    this.nodes.set(to, node);
  }
  remove(path: string): void {
    this.#alive();
    this.#need(path);
    this.#step(`remove ${path}`);
    this.nodes.delete(path);
  }
  makePrivateDirectory({ prefix, file, owner }: PrivateDirectoryPlan): string {
    const path = `${prefix}random`;
    this.#step(`mkdtemp ${path}`);
    this.#need(parentOf(path));
    if (this.nodes.has(path)) throw failure("EEXIST", path);
    this.#make(path, "directory", 0o700);
    this.#make(`${path}/${file.name}`, "file", 0o600).text = file.text(
      path,
    );
    if (owner !== undefined) this.chown(path, owner, { recursive: true });
    return path;
  }
  removeDirectory(path: string): void {
    this.#need(path);
    this.#step(`rm -r ${path}`);
    for (const name of [...this.nodes.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) this.nodes.delete(name);
    }
  }
  chmod(path: string, mode: number): void {
    this.#step(`chmod ${path}`);
    this.#need(this.#follow(path)).mode = mode;
  }
  setModified(path: string, time: number): void {
    this.#step(`utime ${path}`);
    this.#need(this.#follow(path)).modified = time;
  }
  tryCreating(path: string): void {
    this.#step(`make ${path}`);
    if (this.nodes.has(path)) throw failure("EEXIST", path);
    this.#need(parentOf(path));
    this.#make(path, "file", 0o600);
    this.#step(`unmake ${path}`);
    this.nodes.delete(path);
  }
  tryWriting(path: string): void {
    this.#step(`open ${path}`);
    this.#need(this.#follow(path));
  }
  syncDirectory(path: string): void {
    this.#step(`sync ${path}`);
    this.#need(path);
  }
  tryLock(path: string): { release(): void } | undefined {
    if (this.lockError !== undefined) throw failure(this.lockError, path);
    this.#step(`lock ${path}`);
    this.#need(parentOf(path));
    if (!this.nodes.has(path)) this.#make(path, "file", 0o600);
    if (this.locked.has(path)) return undefined;
    this.locked.add(path);
    return { release: () => this.locked.delete(path) };
  }
  /** Creates a symbolic link. */
  link(path: string, target: string): void {
    this.#put(path, "link", target, 0o777);
  }
  /** Creates a FIFO. */
  fifo(path: string): void {
    this.#put(path, "fifo", "", 0o600);
  }
  /** Changes the owner of a path, and with `recursive` of everything below it; returns how many it changed. */
  chown(
    path: string,
    { uid, gid }: { readonly uid: number; readonly gid: number },
    { recursive = false } = {},
  ): number {
    const node = this.#need(path);
    let count = node.uid === uid && node.gid === gid ? 0 : 1;
    Object.assign(node, { uid, gid });
    if (!recursive) return count;
    for (const name of this.list(path)) {
      count += this.chown(`${path}/${name}`, { uid, gid }, { recursive });
    }
    return count;
  }
  /** Writes a file as another program would, without counting a step. */
  place(path: string, text: string, mode = 0o600): void {
    this.#put(path, "file", text, mode);
  }

  #make(path: string, kind: Node["kind"], mode: number): Node {
    return Object.assign(this.#put(path, kind, "", mode), this.user);
  }
  #put(path: string, kind: Node["kind"], text: string, mode: number): Node {
    const node = {
      kind,
      text,
      mode,
      uid: 0,
      gid: 0,
      inode: this.#inode++,
      modified: 1_700_000_000_000,
    };
    this.nodes.set(path, node);
    return node;
  }
  freeSpace(): number {
    return 2 ** 40;
  }
  #follow(path: string): string {
    const node = this.nodes.get(path);
    if (node?.kind !== "link") return path;
    return node.text.startsWith("/")
      ? node.text
      : `${parentOf(path)}/${node.text}`;
  }
  #need(path: string): Node {
    const node = this.nodes.get(path);
    if (node === undefined) throw failure("ENOENT", path);
    return node;
  }
  #alive(): void {
    if (this.dead) throw new Death("the process has ended");
  }
  #step(what: string): void {
    this.#alive();
    this.steps++;
    this.journal.push(what);
    const fault = this.fault(this.steps, what);
    if (fault === "death") {
      this.dead = true;
      throw new Death(what);
    }
    if (fault !== undefined) throw failure(fault.code, what);
  }
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
