/**
 * A temporary home with a small server that prints its arguments and environment.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileNamesOf } from "./release_migrations.ts";

/** A temporary directory; `await using` removes it. */
export class Home implements AsyncDisposable {
  readonly path: string;
  /** The directory of the server. */
  readonly install: string;
  /** The directory of config.json. */
  readonly conf: string;
  /** The path of config.json. */
  readonly config: string;
  /** The path of `data/VERSION`. */
  readonly version: string;

  constructor(path: string) {
    this.path = path;
    this.install = join(path, "mattermost");
    this.conf = join(path, "data/config");
    this.config = join(this.conf, "config.json");
    this.version = join(path, "data/VERSION");
  }

  /** Variables with the directories here, so that no other files are changed. */
  get env(): Record<string, string> {
    return {
      HOME: this.path,
      MATTERMOST_HOME: this.path,
      MATTERMOST_LOG_DIR: join(this.path, "log"),
      // The default is a privileged port.
      MATTERMOST_PORT: "8065",
    };
  }

  /** Writes a file, and creates its parent directories. */
  async write(path: string, text: string, mode = 0o644): Promise<string> {
    const whole = join(this.path, path);
    await Deno.mkdir(join(whole, ".."), { recursive: true });
    await Deno.writeTextFile(whole, text);
    await Deno.chmod(whole, mode);
    return whole;
  }

  /**
   * Installs a server: a shell script that prints the release for `version`, accepts every
   * configuration without the words "to be refused" when it is started on a private copy, and
   * otherwise runs the given script. It contains the names of the release's migrations.
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
case "$*" in *--config*/mattermost-entrypoint-*)
  if grep -q 'to be refused' "$2"; then
    echo 'Error: failed to load configuration: invalid config: Config.IsValid: This text is refused.' >&2
    exit 1
  fi
  echo 'Failed to ping DB' >&2
  exec sleep 60
esac
${script}
${fileNamesOf(version).map((file) => `# ${file}\n`).join("")}`,
      0o755,
    );
  }

  /** Whether `version` of the server was called. */
  async wasAsked(): Promise<boolean> {
    return await Deno.stat(join(this.path, "marks/asked")).then(
      () => true,
      () => false,
    );
  }

  /** All files except the marks of the server, with metadata that change when a file is written. */
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

  /** Fails if a file was written, created or removed since the snapshot. */
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

/** Creates a home that all users can enter. */
export async function createHome(): Promise<Home> {
  const path = await Deno.makeTempDir({ prefix: "entrypoint-test-" });
  await Deno.chmod(path, 0o755);
  // The server may run as another user.
  await Deno.mkdir(join(path, "marks"));
  await Deno.chmod(join(path, "marks"), 0o1777);
  return new Home(path);
}

/** A server that prints its process, arguments and environment; {@linkcode shown} parses that. */
export const SHOW = `
echo "pid=$$"
echo "cwd=$(pwd -P)"
grep -E '^(Uid|Gid|Groups):' /proc/$$/status
echo "=== arguments"; tr '\\0' '\\n' </proc/$$/cmdline
echo "=== environment"; tr '\\0' '\\n' </proc/$$/environ
`;

/** The output of {@linkcode SHOW}. */
export interface Shown {
  readonly pid: number;
  readonly cwd: string;
  readonly ids: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Parses the output of {@linkcode SHOW}. */
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
