/**
 * Has the installed server judge the configuration before it is written.
 *
 * @module
 */

import type { Handover } from "../../config/dead_end.ts";
import type { Acceptance } from "../../config/last_applied.ts";
import { isSecretPath, redact } from "../../config/redact.ts";
import type { Problem } from "../../errors.ts";
import { EntrypointError, ExitCode } from "../../errors.ts";
import { foldKey } from "../../json.ts";
import { confirmLines } from "../../mattermost/installed_release.ts";
import { variableOf } from "../../mattermost/effective_value.ts";
import { isExplicit } from "../../settings/origin.ts";
import { asReader } from "../become_user.ts";
import type { Context } from "../context.ts";
import { buildServerEnvironment } from "../handoff.ts";
import type { Plan } from "../plan.ts";
import { describeAcceptance, isAccepted } from "./accepted.ts";
import { cleanWords, pathOfVariable } from "./clean_words.ts";
import { askServer } from "./ask_server.ts";
import {
  type Culprit,
  findCulprits,
  listCandidates,
  withoutCandidates,
} from "./culprits.ts";

/** The judgement of the server, in words for the operator. */
export type Judgement =
  | {
    readonly kind: "accepted";
    /** What to remember. */
    readonly acceptance: Acceptance;
    /** The keys that are on, but were not judged. */
    readonly notJudged: readonly string[];
  }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] }
  | {
    readonly kind: "none";
    readonly problem: Problem;
    /** Whether it can be asked again when root has become the server's user. */
    readonly isPossibleLater: boolean;
  };

/** What the server has accepted; `undefined` if it has given no verdict, `later` if it has to be asked as the server's user. */
export type Remembered = Acceptance | undefined | "later";

/** Milliseconds for the search of the values that are refused. */
const SEARCH_TIME = 15_000;

/**
 * Makes sure that the server accepts the planned configuration. It is not asked if it has accepted
 * the same before, or if the release does not support the product of the database, which the
 * upgrade rules explain.
 *
 * @param plan The plan.
 * @param context The system, the log, and the signal that ends the question.
 * @returns What to remember.
 * @throws {EntrypointError} With code 78 and the values that it refuses.
 */
export async function requireAccepted(
  plan: Plan,
  context: Context,
): Promise<Remembered> {
  const { release, database: { source }, state } = plan;
  if (
    release.databases[source.adapter] === undefined ||
    isAccepted(plan, asReader(plan.settings, context.system))
  ) return state.accepted;
  const judgement = await judge(plan, context);
  switch (judgement.kind) {
    case "accepted":
      context.log.step("The server accepts the configuration");
      return judgement.acceptance;
    case "none":
      if (judgement.isPossibleLater) return "later";
      context.log.warn(judgement.problem);
      return undefined;
    case "refused":
      throw refusalError(plan, judgement.problems);
  }
}

/**
 * Asks the server if that was not possible as root.
 *
 * @param remembered What {@linkcode requireAccepted} returned to root.
 * @param plan The plan.
 * @param context The context of the server's user.
 * @returns What to remember; `undefined` if the server has given no verdict.
 * @throws {EntrypointError} With code 78 and the values that it refuses.
 */
export async function requireAcceptedLater(
  remembered: Remembered,
  plan: Plan,
  context: Context,
): Promise<Acceptance | undefined> {
  const last = remembered === "later"
    ? await requireAccepted(plan, context)
    : remembered;
  return last === "later" ? undefined : last;
}

/**
 * Reports that the server refuses the configuration.
 *
 * @param plan The plan, for the release.
 * @param problems The values that it refuses.
 * @returns The error, with code 78.
 */
export function refusalError(
  { release }: Pick<Plan, "release">,
  problems: readonly Problem[],
): EntrypointError {
  return new EntrypointError(
    `Mattermost ${release.version} refuses this configuration, and nothing was written`,
    { code: ExitCode.settings, problems },
  );
}

/**
 * Asks the server.
 *
 * @param plan The plan.
 * @param context The system, and the signal that ends the question.
 * @returns The judgement.
 * @throws {EntrypointError} With code 78 if the server is another release than the stated one.
 */
export async function judge(
  plan: Plan,
  context: Pick<Context, "system" | "signal">,
): Promise<Judgement> {
  const { system } = context;
  const handover: Handover = {
    text: plan.merged.text,
    env: buildServerEnvironment(plan, system),
  };
  const answer = await askServer(handover, plan, context);
  confirmLines(plan.release, plan.installation, answer.lines);
  const { verdict, notJudged } = answer;
  const clean = (text: string): string => cleanWords(text, plan);
  switch (verdict.kind) {
    case "accepted":
      return {
        kind: "accepted",
        acceptance: describeAcceptance(
          plan,
          answer,
          asReader(plan.settings, system),
        ),
        notJudged,
      };
    case "none":
      return {
        kind: "none",
        isPossibleLater: answer.isPossibleLater ?? false,
        problem: {
          subject: "",
          message:
            `The installed server did not say whether it accepts the configuration: ${
              clean(verdict.reason)
            }`,
          remedy:
            "mattermost-entrypoint app:check   # asks it again; the server's own log will say more",
        },
      };
    case "refused": {
      const candidates = listCandidates(
        handover,
        plan.shipped,
        Object.keys(plan.serverVariables.values),
      );
      const signal = AbortSignal.any([
        context.signal,
        system.clock.timeout(SEARCH_TIME),
      ]);
      const culprits = await findCulprits(
        verdict.sentence,
        candidates,
        async (without) => {
          const changed = withoutCandidates(handover, without);
          return (await askServer(changed, plan, { system, signal })).verdict;
        },
        signal,
      );
      return {
        kind: "refused",
        problems: culprits.map((culprit) =>
          describeCulprit(
            { ...culprit, sentence: clean(culprit.sentence) },
            plan,
          )
        ),
      };
    }
  }
}

function describeCulprit(
  { sentence, candidate }: Culprit,
  { release: { version }, wanted, store }: Plan,
): Problem {
  if (candidate === undefined) {
    return {
      subject: "",
      message: `Mattermost ${version} refuses the configuration: ${sentence}`,
    };
  }
  const { variable, path, value, fallback } = candidate;
  const secrets = wanted.filter(({ secret }) => secret).map(({ path }) => path);
  const shown = (path: string): string =>
    typeof value === "object" && value !== null
      ? "an object or a list"
      : JSON.stringify(redact(value, { path, secrets }));
  if (variable !== undefined) {
    const state = shown(pathOfVariable(variable));
    return {
      subject: variable,
      message:
        `Mattermost ${version} refuses ${variable}, which is ${state}: ${sentence}`,
      remedy:
        `Remove ${variable}, or set it to a value that the server accepts`,
    };
  }
  const state = shown(path);
  const other = fallback === undefined || isSecretPath(path, secrets)
    ? "a value that the server accepts"
    : `a value that the server accepts, such as its default, ${
      JSON.stringify(fallback)
    }`;
  const assignment = wanted.find((each) =>
    foldKey(each.path) === foldKey(path)
  );
  const setting = assignment !== undefined && isExplicit(assignment.origin)
    ? assignment.variables[0]
    : undefined;
  return setting === undefined
    ? {
      subject: path,
      message:
        `Mattermost ${version} refuses ${path}, which is ${state} in ${store.name}: ${sentence}`,
      remedy: store.kind === "file"
        ? `Set ${path} in ${store.name} to ${other}`
        : `Set ${
          variableOf(path)
        } to ${other}; it takes precedence over ${store.name}`,
    }
    : {
      subject: setting,
      message:
        `Mattermost ${version} refuses ${path}, which is ${state} because of ${setting}: ${sentence}`,
      remedy: `Remove ${setting}, or set it so that ${path} is ${other}`,
    };
}
