/**
 * `app:check`: a preflight report. It runs anywhere, with or without a server,
 * and changes nothing.
 *
 * @module
 */

import type { Authorities } from "../startup/authorities.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { readArguments, readSeconds } from "./arguments.ts";
import { checkCluster } from "./check/cluster.ts";
import { checkDatabase } from "./check/database.ts";
import { checkDirectories } from "./check/directories.ts";
import type { Check, CheckWorld, Finding } from "./check/finding.ts";
import { failed, fromError, ok, warning } from "./check/finding.ts";
import { checkGitlab } from "./check/gitlab.ts";
import { checkMail } from "./check/mail.ts";
import { checkPush } from "./check/push.ts";
import { ASSUMED_RELEASE, checkRelease } from "./check/release.ts";
import { reportJson, reportText } from "./check/report.ts";
import type { Report } from "./check/report.ts";
import { checkS3 } from "./check/s3.ts";
import { checkSecrets } from "./check/secrets.ts";
import { checkSettings } from "./check/settings.ts";
import { checkSite } from "./check/site.ts";
import type { Context } from "../startup/context.ts";
import { once } from "../startup/once.ts";
import { makePlan, type Plan } from "../startup/plan.ts";

/** The checks in the order of the report; all run at the same time. */
const CHECKS: Readonly<Record<string, Check>> = {
  "settings.release": checkRelease,
  settings: checkSettings,
  secrets: checkSecrets,
  database: checkDatabase,
  directories: checkDirectories,
  site: checkSite,
  mail: checkMail,
  gitlab: checkGitlab,
  push: checkPush,
  s3: checkS3,
  cluster: checkCluster,
};

/** Seconds that all checks together may take, unless `--timeout` says otherwise. */
const DEFAULT_TIMEOUT = 10;

/** Milliseconds kept for the report, so that the whole stays within its time. */
const RESERVE = 200;

/**
 * Checks everything that a start depends on.
 *
 * @param args `--json`, `--timeout S`.
 * @param context The world.
 * @returns 0 if nothing failed, 1 if something did, and the cause's own code if the settings cannot be resolved.
 * @throws {EntrypointError} With code 64 for wrong arguments.
 */
export async function check(
  args: readonly string[],
  context: Context,
): Promise<number> {
  const { json, timeout = String(DEFAULT_TIMEOUT) } = readArguments(args, {
    command: "app:check",
    flags: ["json"],
    values: ["timeout"],
  });
  const { system } = context;
  const seconds = readSeconds(timeout, "app:check");
  const deadline = system.clock.elapsed() + 1000 * seconds - RESERVE;
  const { report, code } = await runChecks(context, deadline);
  const { isTerminal } = system.out;
  const style = {
    aligned: isTerminal,
    colours: isTerminal && (system.env["NO_COLOR"] ?? "") === "",
  };
  system.out.write(
    json ? reportJson(report) : reportText(report, style),
  );
  return code;
}

async function runChecks(
  context: Context,
  deadline: number,
): Promise<{ readonly report: Report; readonly code: number }> {
  let plan: Plan;
  try {
    plan = await makePlan(context, { assume: ASSUMED_RELEASE });
  } catch (error) {
    if (!(error instanceof EntrypointError)) throw error;
    const subject = error.code === ExitCode.badConfig
      ? "settings.config"
      : "settings.values";
    const findings = fromError(subject, error);
    return { report: { release: undefined, findings }, code: error.code };
  }
  const left = Math.max(100, deadline - context.system.clock.elapsed());
  const authorities = plan.authorities();
  const world: CheckWorld = {
    plan,
    system: context.system,
    signal: context.signal,
    trusted: once(() => authorities.trusted()),
  };
  const [release = [], ...groups] = await Promise.all(
    Object.entries(CHECKS).map(([subject, check]) =>
      runCheck(check, { world, subject, milliseconds: left })
    ),
  );
  const findings = [
    ...release,
    ...authorityFindings(authorities),
    ...groups.flat(),
  ];
  const isBad = findings.some(({ level }) => level === "failed");
  return {
    report: { release: plan.release.version, findings },
    code: isBad ? ExitCode.failure : ExitCode.ok,
  };
}

function authorityFindings(
  { problems, warnings, added }: Authorities,
): Finding[] {
  const all = [
    ...problems.map((problem) => failed("authorities", problem)),
    ...warnings.map((problem) => warning("authorities", problem)),
  ];
  return all.length > 0 || added === 0 ? all : [
    ok(
      "authorities",
      `Certificates of your own that are trusted besides the system's: ${added}`,
    ),
  ];
}

interface CheckRun {
  readonly world: CheckWorld;
  readonly subject: string;
  readonly milliseconds: number;
}

/** A check that does not end in time, or that the system stops, is a finding too. */
async function runCheck(
  check: Check,
  { world, subject, milliseconds }: CheckRun,
): Promise<readonly Finding[]> {
  const { clock } = world.system;
  const late = new AbortController();
  const done = new AbortController();
  const signal = AbortSignal.any([world.signal, late.signal]);
  const alarm = clock.sleep(milliseconds, done.signal)
    .then(async () => {
      late.abort(new DOMException("no answer in time", "TimeoutError"));
      // Those that listen to the signal say it better themselves.
      await clock.sleep(RESERVE / 2, done.signal);
      const seconds = Math.round(milliseconds / 100) / 10;
      return [failed(subject, { message: `No result within ${seconds} s` })];
    });
  try {
    return await Promise.race([check({ ...world, signal }), alarm]);
  } catch (error) {
    if (!(error instanceof EntrypointError)) throw error;
    return fromError(subject, error);
  } finally {
    alarm.catch(() => {});
    done.abort();
  }
}
