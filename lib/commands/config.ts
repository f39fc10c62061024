/**
 * `app:config`: prints the config.json that the next start would write, the values
 * that it would change, the source of each value, or all as variables. It connects to no database,
 * unless the configuration is there.
 * Three options change something: `--restore` restores a copy of config.json, `--to-database` and
 * `--to-file` move the configuration.
 *
 * @module
 */

import { redactText } from "../config/redact.ts";
import { lockConfig, requireRegularSidecars } from "../config/lock.ts";
import { requireCopy, restoreCopy } from "../config/restore.ts";
import { EntrypointError, ExitCode } from "../errors.ts";
import { confirmRelease } from "../mattermost/installed_release.ts";
import { resolve } from "../settings/resolve.ts";
import { readArguments } from "./arguments.ts";
import type { Context } from "../startup/context.ts";
import {
  differences,
  differencesText,
  explain,
  explanationText,
} from "./explain.ts";
import {
  asReader,
  changeOfUserProblem,
  requireChangeOfUser,
} from "../startup/become_user.ts";
import { giveAndBecomeServerUser } from "../startup/directories/prepare_directories.ts";
import {
  loadSettingsWithConfig,
  type Plan,
  planConfig,
} from "../startup/plan.ts";
import { isServerInstalled } from "../startup/handoff.ts";
import { pathsOf, placeOf } from "../startup/paths.ts";
import { judge, refusalError } from "../startup/verdict/judge.ts";
import { ACTIVATE_EARLIER } from "../startup/config_store.ts";
import { sourcesOf } from "../startup/setting_sources.ts";
import { printable } from "../printable.ts";

/**
 * Prints or restores config.json.
 *
 * @param args `--show-secrets`, `--explain`, `--diff`, `--json`, `--export` with `--format` and `--write`, or `--restore [N]`, `--to-database`, `--to-file`.
 * @param context The system with the settings and config.json.
 * @returns 0; with `--diff`, 1 if the next start would change a value.
 * @throws {EntrypointError} Whatever would end a start before it connects to the database.
 */
export async function config(
  args: readonly string[],
  context: Context,
): Promise<number> {
  const { _: [number = "1"], ...values } = readArguments(args, {
    command: "app:config",
    flags: [
      "show-secrets",
      "explain",
      "diff",
      "json",
      "restore",
      "to-database",
      "to-file",
      "export",
    ],
    values: ["format", "write"],
    positionals: args.includes("--restore") ? 1 : 0,
  });
  requireOneOption(values);
  if (values.restore) return await restore(number, context);
  if (values["to-database"] || values["to-file"]) {
    const { moveToDatabase, moveToFile } = await import("./move_config.ts");
    return await (values["to-file"] ? moveToFile : moveToDatabase)(context);
  }
  const { system, log } = context;
  const loaded = await loadSettingsWithConfig(context);
  // The next start would refuse a server of another release.
  await confirmRelease(loaded.release, loaded.installation, system);
  const plan = await planConfig(loaded, context, {});
  plan.warnings.forEach((warning) => log.warn(warning));
  const problem = changeOfUserProblem(plan.settings, system);
  if (problem !== undefined) log.warn(problem);
  if (values.export) {
    return (await import("./export.ts")).exportConfig(plan, values, context);
  }
  const options = { showSecrets: values["show-secrets"] };
  const write = (text: string): void => system.out.write(printable(text));
  if (values.explain) {
    const entries = explain(plan, options);
    write(values.json ? json({ settings: entries }) : explanationText(entries));
    return ExitCode.ok;
  }
  if (values.diff) {
    const changes = differences(plan, options);
    write(values.json ? json({ changes }) : differencesText(changes));
    await requireVerdict(plan, context);
    return changes.length === 0 ? ExitCode.ok : ExitCode.failure;
  }
  write(shownConfig(plan, options.showSecrets));
  return ExitCode.ok;
}

/** The options of which each excludes the others. */
const EXCLUSIVE = [
  ["explain", "diff", "restore", "to-database", "to-file", "export"],
  ["export", "show-secrets"],
  ["json", "format"],
] as const;

function requireOneOption(
  values: Readonly<
    Partial<Record<typeof EXCLUSIVE[number][number] | "write", unknown>>
  >,
): void {
  for (const options of EXCLUSIVE) {
    const [first, second] = options.filter((name) => values[name]);
    if (second === undefined) continue;
    throw new EntrypointError(
      `app:config accepts --${first} or --${second}, but not both`,
      { code: ExitCode.usage, remedy: `Remove --${second}` },
    );
  }
  const lone = (["format", "write"] as const).find((name) => values[name]);
  if (lone === undefined || values.export) return;
  throw new EntrypointError(
    `The option --${lone} of app:config needs --export`,
    {
      code: ExitCode.usage,
      remedy: "mattermost-entrypoint app:config --export",
    },
  );
}

/** Has the installed server judge what the next start would write. */
async function requireVerdict(plan: Plan, context: Context): Promise<void> {
  if (!isServerInstalled(plan, context.system)) return;
  const judgement = await judge(plan, context);
  if (judgement.kind === "none") context.log.warn(judgement.problem);
  if (judgement.kind === "refused") {
    throw refusalError(plan, judgement.problems);
  }
}

function shownConfig({ merged, wanted }: Plan, showSecrets: boolean): string {
  const secrets = wanted.filter(({ secret }) => secret).map(({ path }) => path);
  const text = showSecrets ? merged.text : redactText(merged.text, secrets);
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** Reads the settings only, since a damaged config.json is the reason to restore a copy. */
async function restore(
  number: string,
  context: Context,
): Promise<number> {
  if (!/^[1-9]\d*$/.test(number)) {
    throw new EntrypointError(
      `The value of --restore must be the number of a copy, where 1 is the newest: it is ${
        JSON.stringify(number)
      }`,
      {
        code: ExitCode.usage,
        remedy: "mattermost-entrypoint app:config --restore 1",
      },
    );
  }
  const { settings } = resolve(sourcesOf(context.system));
  if (settings.MATTERMOST_CONFIG_STORE === "database") {
    throw new EntrypointError(
      "app:config --restore restores a copy of config.json, but the configuration is in the database",
      {
        code: ExitCode.usage,
        remedy: ACTIVATE_EARLIER,
      },
    );
  }
  requireChangeOfUser(settings, context.system);
  const reader = asReader(settings, context.system);
  const found = placeOf(settings, reader);
  requireRegularSidecars(reader, found);
  requireCopy(reader, found, Number(number));
  const { data, conf, config } = pathsOf(settings);
  const own = [data, conf].filter((path) => reader.files.exists(path));
  const directories = { own, installed: [], config };
  const { system, log } = await giveAndBecomeServerUser(
    directories,
    settings,
    context,
  );
  const place = placeOf(settings, system);
  const lock = await lockConfig(system, place, context.signal);
  try {
    const options = { number: Number(number), lock };
    for (const line of restoreCopy(system, place, options)) log.info(line);
  } finally {
    lock.release();
  }
  return ExitCode.ok;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
