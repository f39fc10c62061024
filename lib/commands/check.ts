/**
 * `app:check`: a report on everything that a start depends on. It needs no installed
 * server, and changes nothing.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import type { Authorities } from "../startup/authorities.ts";
import { DEFAULT_RELEASE } from "../default_release.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { installedProgram } from "../mattermost/installed_release.ts";
import { unexpectedSystemError } from "../system_errors.ts";
import { readArguments, readSeconds } from "./arguments.ts";
import { checkCluster } from "./check/cluster.ts";
import { checkDatabase } from "./check/database.ts";
import { checkDirectories } from "./check/directories.ts";
import type { Check, CheckContext, Finding } from "./check/finding.ts";
import { failed, findingsFromError, ok, warning } from "./check/finding.ts";
import { checkGitlab } from "./check/gitlab.ts";
import { checkMail } from "./check/mail.ts";
import { checkPort } from "./check/port.ts";
import { checkPush } from "./check/push.ts";
import { checkRelease } from "./check/release.ts";
import { reportJson, reportText } from "./check/report.ts";
import type { Report } from "./check/report.ts";
import { checkS3 } from "./check/s3.ts";
import { checkSecrets } from "./check/secrets.ts";
import { checkSettings, checkVerdict } from "./check/settings.ts";
import { checkSite } from "./check/site.ts";
import { checkVariables } from "./check/variables.ts";
import type { Context } from "../startup/context.ts";
import { once } from "../startup/once.ts";
import { makePlan, type Plan } from "../startup/plan.ts";

/** The checks in the order of the report. They run concurrently. */
const CHECKS: Readonly<Record<string, Check>> = {
  "settings.release": checkRelease,
  settings: checkSettings,
  "settings.variables": checkVariables,
  "settings.verdict": checkVerdict,
  secrets: checkSecrets,
  database: checkDatabase,
  directories: checkDirectories,
  port: checkPort,
  site: checkSite,
  mail: checkMail,
  gitlab: checkGitlab,
  push: checkPush,
  s3: checkS3,
  cluster: checkCluster,
};

/** Seconds that all checks together may take without `--timeout`. */
const DEFAULT_TIMEOUT = 10;

/** Milliseconds of the timeout that are kept for ending the checks and printing the report. */
const RESERVE = 200;

/** Milliseconds that the checks get even if loading the settings has used up the timeout. */
const SHORTEST_CHECK = 100;

/**
 * Runs all checks and prints the report.
 *
 * @param args `--json`, `--timeout SECONDS`, `--for DIRECTORY`.
 * @param context The system to check, and the signal that ends the checks.
 * @returns 0 if no check failed, 1 if one did; if the settings cannot be loaded, the exit code that a start would have.
 * @throws {EntrypointError} With code 64 for wrong arguments.
 */
export async function check(
  args: readonly string[],
  context: Context,
): Promise<number> {
  const options = readArguments(args, {
    command: "app:check",
    flags: ["json"],
    values: ["timeout", "for"],
  });
  const { json, timeout = String(DEFAULT_TIMEOUT), for: directory } = options;
  const { system } = context;
  const seconds = readSeconds(timeout, "app:check");
  const deadline = system.clock.elapsed() + 1000 * seconds - RESERVE;
  const { report, code } = directory === undefined
    ? await runChecks(context, deadline)
    : await rehearse(directory, context, deadline);
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

/** The report, and the exit code. */
interface Outcome {
  readonly report: Report;
  readonly code: number;
}

/** Runs the checks as if another server were installed, before an upgrade to it. */
async function rehearse(
  directory: string,
  context: Context,
  deadline: number,
): Promise<Outcome> {
  const { system } = context;
  if (
    !isAbsolute(directory) ||
    installedProgram(directory, system.files) === undefined
  ) {
    throw new EntrypointError(
      `The directory of --for must be the absolute path of an unpacked Mattermost, with its server in bin/: it is ${
        JSON.stringify(directory)
      }`,
      {
        code: ExitCode.usage,
        remedy:
          `tar -xzf mattermost-team-RELEASE-linux-amd64.tar.gz -C /tmp && mattermost-entrypoint app:check --for /tmp/mattermost`,
      },
    );
  }
  const { MATTERMOST_VERSION: _, ...env } = system.env;
  const rehearsed: Context = {
    ...context,
    system: {
      ...system,
      env: { ...env, MATTERMOST_INSTALL_DIR: directory },
    },
  };
  const { report, code } = await runChecks(rehearsed, deadline, (plan) => ({
    ...plan,
    // The image gives these to the server's user when it is built.
    release: { ...plan.release, writableDirectories: [] },
  }));
  const { release } = report;
  if (release === undefined) return { report, code };
  const subject = ok(
    "settings.release",
    `The server in ${directory}, Mattermost ${release}, is checked with the present settings, config.json and database`,
  );
  return { report: { release, findings: [subject, ...report.findings] }, code };
}

async function runChecks(
  context: Context,
  deadline: number,
  change: (plan: Plan) => Plan = (plan) => plan,
): Promise<Outcome> {
  let plan: Plan;
  try {
    plan = change(
      await makePlan(context, {
        assume: DEFAULT_RELEASE,
        reportsVariables: true,
      }),
    );
  } catch (error) {
    const known = unexpectedSystemError(error);
    if (!(known instanceof EntrypointError)) throw error;
    const subject = known.code === ExitCode.badConfig
      ? "settings.config"
      : "settings.values";
    const findings = findingsFromError(subject, known);
    return { report: { release: undefined, findings }, code: known.code };
  }
  const left = Math.max(
    SHORTEST_CHECK,
    deadline - context.system.clock.elapsed(),
  );
  const authorities = plan.authorities();
  const checkContext: CheckContext = {
    plan,
    system: context.system,
    signal: context.signal,
    trusted: once(() => authorities.trusted()),
  };
  const [release = [], ...groups] = await Promise.all(
    Object.entries(CHECKS).map(([subject, check]) =>
      runCheck(check, { context: checkContext, subject, milliseconds: left })
    ),
  );
  const findings = [
    ...release,
    ...authorityFindings(authorities),
    ...groups.flat(),
  ];
  const hasFailed = findings.some(({ level }) => level === "failed");
  return {
    report: { release: plan.release.version, findings },
    code: hasFailed ? ExitCode.failure : ExitCode.ok,
  };
}

function authorityFindings(
  { problems, warnings, added }: Authorities,
): Finding[] {
  const findings = [
    ...problems.map((problem) => failed("authorities", problem)),
    ...warnings.map((problem) => warning("authorities", problem)),
  ];
  return findings.length > 0 || added === 0 ? findings : [
    ok(
      "authorities",
      `The server will trust the system's certificate authorities and ${added} of your own`,
    ),
  ];
}

interface CheckRun {
  readonly context: CheckContext;
  readonly subject: string;
  readonly milliseconds: number;
}

/** Runs one check. A timeout and an {@linkcode EntrypointError} become findings. */
async function runCheck(
  check: Check,
  { context, subject, milliseconds }: CheckRun,
): Promise<readonly Finding[]> {
  const { clock } = context.system;
  const expired = new AbortController();
  const done = new AbortController();
  const signal = AbortSignal.any([context.signal, expired.signal]);
  const seconds = Math.round(milliseconds / 100) / 10;
  const late = [failed(subject, {
    message: `The check did not finish within ${seconds} s`,
    remedy: "mattermost-entrypoint app:check --timeout 60",
  })];
  const timeout = clock.sleep(milliseconds, done.signal)
    .then(async () => {
      expired.abort(new DOMException("no answer in time", "TimeoutError"));
      // A check that uses the signal has time to report which service did not answer.
      await clock.sleep(RESERVE / 2, done.signal);
      return late;
    });
  try {
    return await Promise.race([check({ ...context, signal }), timeout]);
  } catch (error) {
    if (expired.signal.aborted && error === expired.signal.reason) return late;
    const known = unexpectedSystemError(error);
    if (!(known instanceof EntrypointError)) throw error;
    return findingsFromError(subject, known);
  } finally {
    timeout.catch(() => {});
    done.abort();
  }
}
