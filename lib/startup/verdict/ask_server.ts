/**
 * Asks the installed server whether it accepts a configuration: it is started on a private copy
 * whose database does not exist, and killed as soon as the verdict is known.
 *
 * @module
 */

import { type DeadEnd, deadEnd, type Handover } from "../../config/dead_end.ts";
import { errorCode, trySystemCall } from "../../errors.ts";
import { serverCommand } from "../../mattermost/releases.ts";
import {
  readDatabaseError,
  readVerdict,
  translate,
  type Verdict,
  verdictWatch,
} from "../../mattermost/verdict.ts";
import { readNamedText } from "../../os/named_file.ts";
import { isOnlyRoots } from "../../os/permissions.ts";
import type { Identity, System } from "../../os/system.ts";
import { asReader, serverIdentity } from "../become_user.ts";
import type { Context } from "../context.ts";
import { resolveForRoot } from "../directories/unsafe_links.ts";
import type { LoadedSettings } from "../load_settings.ts";

/** The answer of the server. */
export interface Answer {
  /** Whether root could not make the copy for the server's user, who may be able to make it. */
  readonly isPossibleLater?: boolean;
  /** The verdict, with its ids replaced by sentences. */
  readonly verdict: Verdict;
  /** With which error it did not get into its database; `undefined` if it did not say so. */
  readonly databaseError: string | undefined;
  /** What the server printed. */
  readonly lines: readonly string[];
  /** The keys that were switched off, with what belongs to them. */
  readonly notJudged: readonly string[];
  /** The copy as the server has rewritten it; `undefined` if it cannot be read. */
  readonly rewritten: string | undefined;
  /** The keys of the copy that were replaced for the question. */
  readonly replaced: readonly string[];
}

/** Milliseconds after which the server is killed. With a throttled processor it is slow. */
const LIMIT = 60_000;

const NO_DIRECTORY = "there is no directory for a private copy of config.json";

/** The beginning of the name of the directory with the copy. */
const PREFIX = "mattermost-entrypoint-";

/** Milliseconds after which a directory was left by a start that was killed. */
const STALE_AFTER = 2 * LIMIT;

/** The bit of a directory in which only the owner of a file can rename or remove it (sticky bit, chmod(1)). */
const STICKY = 0o1000;

/**
 * Asks the server.
 *
 * @param handover What the server would get.
 * @param loaded The release, the paths and the database.
 * @param context The system, and the signal that ends the question.
 * @param dataSource A data source to use instead of one that leads nowhere.
 * @returns The answer.
 * @throws The reason of the signal.
 */
export async function askServer(
  handover: Handover,
  loaded: LoadedSettings,
  { system, signal }: Pick<Context, "system" | "signal">,
  dataSource?: string,
): Promise<Answer> {
  const { paths, release, settings, database: { source } } = loaded;
  const none = (reason: string): Answer => ({
    verdict: { kind: "none", reason },
    databaseError: undefined,
    lines: [],
    notJudged: [],
    rewritten: undefined,
    replaced: [],
  });
  let copy: DeadEnd | undefined;
  const directory = makeDirectory(
    (directory) => {
      copy = deadEnd(handover, {
        directory,
        adapter: source.adapter,
        ...(dataSource === undefined ? {} : { dataSource }),
      });
      return copy.text;
    },
    loaded,
    system,
  );
  if (directory === undefined || copy === undefined) {
    return {
      ...none(NO_DIRECTORY),
      isPossibleLater: ownerOf(loaded, system) !== undefined,
    };
  }
  const config = `${directory}/config.json`;
  const command = serverCommand(release, { home: paths.install, config });
  try {
    const observation = await system.watchChild({
      command,
      env: copy.env,
      cwd: paths.install,
      isEnough: verdictWatch(),
      signal: AbortSignal.any([signal, system.clock.timeout(LIMIT)]),
      ...(system.uid === 0 ? serverIdentity(settings, system) : {}),
    });
    signal.throwIfAborted();
    const { files } = asReader(settings, system);
    const found = trySystemCall(() => files.read(config, { follow: false }));
    return {
      verdict: inSentences(readVerdict(observation), loaded, system),
      databaseError: readDatabaseError(observation),
      lines: observation.lines,
      notJudged: copy.notJudged,
      rewritten: found?.bytes && new TextDecoder().decode(found.bytes),
      replaced: copy.replaced,
    };
  } catch (error) {
    signal.throwIfAborted();
    const code = errorCode(error);
    if (code === undefined) throw error;
    return none(`${command[0]} cannot be executed (${code})`);
  } finally {
    trySystemCall(() =>
      system.files.removeDirectory(directory, ownerOf(loaded, system))
    );
  }
}

function inSentences(
  verdict: Verdict,
  { paths }: LoadedSettings,
  { files }: Pick<System, "files">,
): Verdict {
  if (verdict.kind !== "refused") return verdict;
  const sentence = translate(
    verdict.sentence,
    () =>
      trySystemCall(() =>
        readNamedText(files, `${paths.install}/i18n/en.json`)
      ),
  );
  return { ...verdict, sentence };
}

/** The user to whom root must give the copy. */
function ownerOf(
  { settings }: Pick<LoadedSettings, "settings">,
  system: System,
): Identity | undefined {
  const user = serverIdentity(settings, system);
  return user.uid === system.uid ? undefined : user;
}

/** Makes the directory for the copy; `undefined` if no directory for temporary files can be used. */
function makeDirectory(
  text: (directory: string) => string,
  loaded: LoadedSettings,
  system: System,
): string | undefined {
  const { files, env, clock } = system;
  const owner = ownerOf(loaded, system);
  const parents = [env["TMPDIR"] || "/tmp", "/tmp", "/var/tmp", "/run"];
  for (
    const name of owner === undefined
      ? [...parents, loaded.paths.conf]
      : parents
  ) {
    // Where somebody else can change names, root could be made to write elsewhere.
    const parent = owner === undefined
      ? name
      : trySystemCall(() => resolveForRoot(name, files).path);
    if (parent === undefined) continue;
    const facts = trySystemCall(() => files.stat(parent));
    if (facts === undefined || !facts.isDirectory) continue;
    const isPrivate = isOnlyRoots(facts) ||
      facts.uid === 0 && (facts.mode & STICKY) !== 0;
    if (owner !== undefined && !isPrivate) continue;
    const directory = trySystemCall(() => {
      removeStale(parent, system, clock.now() - STALE_AFTER);
      return files.makePrivateDirectory({
        prefix: `${parent}/${PREFIX}`,
        file: { name: "config.json", text },
        ...(owner === undefined ? {} : { owner }),
      });
    });
    if (directory !== undefined) return directory;
  }
  return undefined;
}

/** Removes what starts that were killed have left. */
function removeStale(
  parent: string,
  { files, uid }: Pick<System, "files" | "uid">,
  limit: number,
): void {
  for (const name of files.list(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = `${parent}/${name}`;
    trySystemCall(() => {
      const facts = files.lstat(path);
      if (facts?.isDirectory && facts.modified < limit) {
        files.removeDirectory(path, facts.uid === uid ? undefined : facts);
      }
    });
  }
}
