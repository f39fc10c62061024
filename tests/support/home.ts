/**
 * A throw-away home with a small server in it, that shows what it was given.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";

/** A directory that goes when its test is over; `await using` removes it. */
export class Home implements AsyncDisposable {
  readonly path: string;
  /** Where the server is. */
  readonly install: string;
  /** Where config.json is. */
  readonly conf: string;
  /** The config.json. */
  readonly config: string;
  /** The file that remembers the release. */
  readonly version: string;

  constructor(path: string) {
    this.path = path;
    this.install = join(path, "mattermost");
    this.conf = join(path, "data/config");
    this.config = join(this.conf, "config.json");
    this.version = join(path, "data/VERSION");
  }

  /** Variables that lead here, so that nothing outside is touched. */
  get env(): Record<string, string> {
    return {
      HOME: this.path,
      MATTERMOST_HOME: this.path,
      MATTERMOST_LOG_DIR: join(this.path, "log"),
    };
  }

  /** Writes a file, with the directories on the way to it. */
  async write(path: string, text: string, mode = 0o644): Promise<string> {
    const whole = join(this.path, path);
    await Deno.mkdir(join(whole, ".."), { recursive: true });
    await Deno.writeTextFile(whole, text);
    await Deno.chmod(whole, mode);
    return whole;
  }

  /**
   * Installs a server: a shell script that answers `version`, and otherwise does
   * what its text says.
   */
  async installServer(
    version: string,
    script: string = SHOW,
    name = "mattermost",
  ): Promise<string> {
    return await this.write(
      `mattermost/bin/${name}`,
      `#!/bin/sh
if [ "$1" = version ]; then echo ran >>'${this.path}/marks/asked'; echo 'Version: ${version}'; exit 0; fi
${script}
`,
      0o755,
    );
  }

  /** Whether the server was asked for its release. */
  async wasAsked(): Promise<boolean> {
    return await Deno.stat(join(this.path, "marks/asked")).then(
      () => true,
      () => false,
    );
  }

  /** Every file below but the server's marks, with what tells that it was written. */
  async snapshot(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    const walk = async (directory: string): Promise<void> => {
      for await (const { name, isDirectory } of Deno.readDir(directory)) {
        const path = join(directory, name);
        if (path === join(this.path, "marks")) continue;
        const { ino, mtime, mode, uid } = await Deno.lstat(path);
        const facts = [ino, mtime?.getTime(), mode, uid].join(" ");
        if (isDirectory) {
          found[path] = [mode, uid].join(" ");
          await walk(path);
        } else {
          found[path] = `${facts} ${await Deno.readTextFile(path).catch(
            String,
          )}`;
        }
      }
    };
    await walk(this.path);
    return found;
  }

  /** Fails where a file was written, made or removed since the snapshot. */
  async assertUnchanged(
    before: Readonly<Record<string, string>>,
  ): Promise<void> {
    const now = await this.snapshot();
    const paths = new Set([...Object.keys(before), ...Object.keys(now)]);
    assert.deepEqual(
      [...paths].filter((path) => before[path] !== now[path]),
      [],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A home that every user can enter. */
export async function createHome(): Promise<Home> {
  const path = await Deno.makeTempDir({ prefix: "entrypoint-test-" });
  await Deno.chmod(path, 0o755);
  // The server may be another user.
  await Deno.mkdir(join(path, "marks"));
  await Deno.chmod(join(path, "marks"), 0o1777);
  return new Home(path);
}

/** A server that shows what it was given; {@linkcode shown} reads it. */
export const SHOW = `
echo "pid=$$"
echo "cwd=$(pwd -P)"
grep -E '^(Uid|Gid|Groups):' /proc/$$/status
echo "=== arguments"; tr '\\0' '\\n' </proc/$$/cmdline
echo "=== environment"; tr '\\0' '\\n' </proc/$$/environ
`;

/** What a server of {@linkcode SHOW} was given. */
export interface Shown {
  readonly pid: number;
  readonly cwd: string;
  readonly ids: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Reads what a server of {@linkcode SHOW} printed. */
export function shown(stdout: string): Shown {
  const [head = "", args = "", env = ""] = stdout.split(/=== \w+\n/);
  const [pid = "", cwd = "", ...ids] = head.trimEnd().split("\n");
  return {
    pid: Number(pid.replace("pid=", "")),
    cwd: cwd.replace("cwd=", ""),
    ids: ids.join("; ").replaceAll("\t", " "),
    args: args.trimEnd().split("\n"),
    env: Object.fromEntries(
      env.trimEnd().split("\n").map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    ),
  };
}
