/**
 * What a compiled program says of its build: the commit that it was built from.
 *
 * @module
 */

import { COMMIT } from "../../lib/build.ts";

/** Facts that are known only at the build. */
export interface BuildFacts {
  /** The commit, with `-dirty` where files differ from it; `undefined` where nothing tells. */
  readonly commit: string | undefined;
}

/** Asks git in a directory; the answer is empty where it fails or is missing. */
export type Git = (directory: string, ...args: string[]) => Promise<string>;

/**
 * Finds the facts of a build.
 *
 * The image's build has no repository in its context, so the variable
 * `ENTRYPOINT_COMMIT` (a build argument of the Dockerfile) goes first.
 *
 * @param directory The project's directory.
 * @param git Asks git.
 * @returns The facts; without a commit where the directory is not the top of a repository, or git is missing.
 */
export async function buildFacts(
  directory: string,
  git: Git = askGit,
): Promise<BuildFacts> {
  const stated = Deno.env.get("ENTRYPOINT_COMMIT") ?? "";
  if (stated !== "") return { commit: stated };
  const [top, commit] =
    (await git(directory, "rev-parse", "--show-toplevel", "HEAD")).split("\n");
  // Sources that were unpacked inside of another repository are not of its commit.
  if (!commit || top !== await Deno.realPath(directory)) {
    return { commit: undefined };
  }
  const changes = await git(
    directory,
    ...["status", "--porcelain", "--untracked-files=no"],
  );
  return { commit: changes === "" ? commit : `${commit}-dirty` };
}

/**
 * Writes the facts into a bundle, at the same length, so that the places of a stack
 * trace stay right.
 *
 * @param script The text of the bundle.
 * @param facts The facts.
 * @returns The text with the facts; as it is, where there are none.
 * @throws {Error} when the place for them is not there, or too short.
 */
export function withBuildFacts(script: string, { commit }: BuildFacts): string {
  if (!script.includes(COMMIT)) {
    throw new Error(`Cannot write the commit: the bundle has no ${COMMIT}`);
  }
  if (commit === undefined) return script;
  if (commit.length > COMMIT.length || !/^[\w-]+$/.test(commit)) {
    throw new Error(`Cannot write the commit: it is ${commit}`);
  }
  return script.replaceAll(COMMIT, commit.padEnd(COMMIT.length));
}

async function askGit(directory: string, ...args: string[]): Promise<string> {
  try {
    const { code, stdout } = await new Deno.Command("git", {
      // The checkout may belong to another user.
      args: ["-C", directory, "-c", "safe.directory=*", ...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return code === 0 ? new TextDecoder().decode(stdout).trim() : "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
