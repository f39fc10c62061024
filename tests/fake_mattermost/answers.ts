/**
 * What the fake Mattermost of a release prints, from what the recorded server nearest to it
 * printed.
 *
 * @module
 */

import { inRange } from "../../lib/release_range.ts";
import { latest, readTranscripts, type Transcript } from "./recorded.ts";

/** A line: its stream, its level (`always` if no setting hides it), and its text with `{names}`. */
type Line = readonly [stream: "out" | "err", level: string, text: string];

/** What one command prints. */
interface Command {
  /** Before the configuration is judged. */
  readonly before: readonly Line[];
  /** Before it looks for its database. */
  readonly start: readonly Line[];
  /** When the database cannot be reached, with `{error}` and `{source}`. */
  readonly ping: Line;
  /** When it gives up, with `{reason}`. */
  readonly refusal: readonly Line[];
  /** Whether refusals contain sentences instead of translation ids. */
  readonly isTranslated: boolean;
}

/** What a release does. */
export interface Answers {
  readonly version: string;
  readonly style: "log4go" | "zap" | "logr";
  readonly server: Command;
  readonly migrate: Command | undefined;
  /** Reasons to give up, with `{text}`, `{id}`, `{config}` and `{error}`. */
  readonly reasons: Readonly<Record<string, string>>;
  /** How often it tries to reach its database, and how many seconds it waits between. */
  readonly attempts: number;
  readonly pause: number;
  /** Its exit code when it gives up looking for the database. */
  readonly lost: number;
  /** What the MySQL driver does with a data source of PostgreSQL. */
  readonly foreign: "ping" | "fatal" | "dial" | "error";
  /** What it does with a log level that it does not know. */
  readonly level: "info" | "default" | "refuse";
  /** The line when it refuses the log level. */
  readonly levelRefusal: readonly Line[];
  readonly versionText: string;
}

/** The recorded server that stands for the releases from the first one on. */
const SERVERS: Readonly<Record<string, string>> = {
  "3.0.0": "3.6.0",
  "4.0.0": "4.10.10",
  "5.0.0": "5.9.0",
  "5.10.0": "5.20.0",
  "5.30.0": "5.37.0",
  "6.0.0": "6.3.0",
  "7.0.0": "7.8.0",
  "9.0.0": "9.5.0",
  // 10.11 was recorded with `db migrate` only; there it looks for its database as 11.6 does.
  "10.0.0": "11.6.0",
};

/** The same for `db migrate`. */
const MIGRATIONS: Readonly<Record<string, string>> = {
  "6.5.0": "6.7.0",
  "7.0.0": "7.8.0",
  "8.0.0": "8.1.0",
  "9.0.0": "9.5.0",
  "10.0.0": "10.11.0",
  "11.0.0": "11.6.0",
};

const LOAD = "failed to load configuration: ";
const CREATE =
  `${LOAD}failed to create store: unable to load on store creation: `;
const PLATFORM = "failed to initialize platform: ";

/** Why a release gives up. */
const REASONS:
  readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["<4.0.0", {
      invalid: "{text}",
      parse: "Error decoding config file={config}, err={text}",
      missing: "Error opening config file={config}, err={error}",
      i18n: 'no language found in "container_info.json"',
    }],
    [">=4.0.0 <5.10.0", {
      invalid: "Config.IsValid: {text}, ",
      missing: "LoadConfig: Error opening config file={config}, err={error}, ",
      i18n:
        "unable to load Mattermost translation files: Unable to find i18n directory",
    }],
    [">=4.0.0 <5.0.0", {
      parse: "LoadConfig: Error decoding config file={config}, err={text}, ",
    }],
    [">=5.0.0 <5.10.0", {
      parse: "LoadConfig: utils.config.load_config.decoding.panic, ",
    }],
    [">=5.10.0 <5.30.0", {
      invalid:
        `${LOAD}failed to load: invalid config: Config.IsValid: {text}, `,
      parse:
        `${LOAD}failed to load: failed to unmarshal config with env overrides: {text}`,
      missing:
        `${LOAD}failed to load: failed to open {config} for reading: {error}`,
      persist:
        `${LOAD}failed to load: failed to persist required changes after load: failed to write file: {error}`,
      i18n:
        "unable to load Mattermost translation files: Unable to find i18n directory",
    }],
    [">=5.30.0", {
      invalid: `${CREATE}invalid config: Config.IsValid: {text}`,
      parse: `${CREATE}{text}`,
      missing: `${CREATE}failed to read config file: {error}`,
      persist: `${CREATE}failed to persist: failed to write file: {error}`,
      store:
        `${LOAD}failed to create store: failed to connect to database: {error}`,
      level:
        `${PLATFORM}failed to initialize logging: {text} is not a standard level`,
      lost:
        `${PLATFORM}cannot create store: error setting up connections: failed to ping DB: {error}`,
      foreign:
        "failed to create migrator: error in initializing connection: failed to reset read timeout from datasource: {error}",
      i18n:
        'unable to load Mattermost translation files: unable to find i18n directory at "i18n"',
    }],
    [">=5.30.0 <7.0.0", {
      invalid: `${CREATE}invalid config: Config.IsValid: {text}, `,
    }],
    [">=10.0.0", {
      level:
        `${PLATFORM}failed to initialize logging: invalid config source for logging, {text} is not a standard level`,
    }],
  ];

/**
 * Collects what a release prints.
 *
 * @param version The release.
 * @returns Its answers.
 */
export async function answersOf(version: string): Promise<Answers> {
  const transcripts = await readTranscripts();
  const style = inRange(version, "<4.0.0")
    ? "log4go"
    : inRange(version, "<6.0.0")
    ? "zap"
    : "logr";
  const find = (table: typeof SERVERS, names: readonly string[]): string => {
    const release = table[latest(Object.keys(table), version)] ?? "";
    return names.flatMap((name) =>
      transcripts.find((item) => item.release === release && item.name === name)
        ?.output ?? []
    )[0] ?? "";
  };
  const command = (
    table: typeof SERVERS,
    good: readonly string[],
    bad: readonly string[],
    isTranslated: boolean,
  ): Command => {
    const lines = linesOf(find(table, good), version);
    const place = lines.findIndex(([, , text]) =>
      text.includes("Failed to ping DB")
    );
    const start = lines.slice(0, place)
      .filter(([, , text]) => !text.includes("Hub is starting"));
    const [ping] = lines.slice(place);
    if (ping === undefined) throw new Error(`No record for ${version}`);
    const isWarning = ([, level, text]: Line): boolean =>
      table === MIGRATIONS && level === "always" &&
      text.includes('"level":"warn"');
    return {
      before: start.filter(isWarning),
      start: start.filter((line) => !isWarning(line)),
      ping,
      refusal: refusalOf(find(table, bad), version)
        .filter((line) => !isWarning(line)),
      isTranslated,
    };
  };
  const isOld = inRange(version, "<4.0.0");
  const isPatient = inRange(version, "<10.0.0");
  return {
    version,
    style,
    server: command(
      SERVERS,
      ["server-good-until-failed", "server-good"],
      ["server-bad", "server-read-only-directory"],
      inRange(version, "<5.0.0 || >=9.0.0"),
    ),
    migrate: inRange(version, "<6.5.0") ? undefined : command(
      MIGRATIONS,
      ["dry-run-good", "migrate-good"],
      ["dry-run-bad", "migrate-bad"],
      false,
    ),
    reasons: Object.assign(
      {},
      ...REASONS.filter(([range]) => inRange(version, range))
        .map(([, reasons]) => reasons),
    ),
    attempts: isOld ? 1 : isPatient ? 18 : 5,
    pause: isOld ? 1 : isPatient ? 10 : 2,
    lost: isPatient ? 102 : 1,
    foreign: inRange(version, "<6.0.0")
      ? "ping"
      : inRange(version, "<7.0.0")
      ? "fatal"
      : isPatient
      ? "dial"
      : "error",
    level: inRange(version, "<6.0.0")
      ? "info"
      : inRange(version, "<7.0.0")
      ? "default"
      : "refuse",
    levelRefusal: inRange(version, "<7.0.0")
      ? []
      : refusalOf(find(SERVERS, ["server-log-level-unknown"]), version),
    versionText: versionText(transcripts, version),
  };
}

function versionText(
  transcripts: readonly Transcript[],
  version: string,
): string {
  const recorded = transcripts.findLast(({ name }) => name === "version");
  return `${
    recorded?.output.trim().replaceAll(recorded.release, version) ?? ""
  }\n`;
}

/** Turns recorded output into lines with names for what differs from start to start. */
function linesOf(output: string, version: string): readonly Line[] {
  return output.split("\n")
    .filter((text, index, all) => text !== "" || index < all.length - 1)
    .map((text) =>
      line(
        text
          .replace(/\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC/, "{time}")
          .replace(/\d\d:\d\d:\d\d UTC \d{4}\/\d\d\/\d\d/, "{clock}")
          .replace(/("ts":)[\d.]+/, "$1{ts}")
          .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} Z/, "{timestamp}")
          .replaceAll("/INSTALL", "{install}")
          .replaceAll("/CONF/config/config.json", "{config}")
          .replaceAll(
            "dial unix /nonexistent/.s.PGSQL.5432: connect: no such file or directory",
            "{error}",
          )
          .replace(
            /(dataSource"?:"\\"|dataSource":"|dataSource\S*=")[^"\\]*(\\u0026[^"\\]*)*/,
            "$1{source}",
          )
          .replace(
            /\b\d+\.\d+\.\d+ \([^)]*\)/,
            `${version} (${version}/x/x/none)`,
          )
          .replace(
            /("(?:current_version|build_number)":")[^"]*/g,
            `$1${version}`,
          ),
        version,
      )
    );
}

/** Turns a recorded refusal into lines with `{reason}`. */
function refusalOf(output: string, version: string): readonly Line[] {
  const [, reason = ""] =
    /(?:^Error: |configuration file: {2})([^]*?)\n(?:Usage:|$)/m
      .exec(output) ?? [];
  return linesOf(
    output.replaceAll(reason, "{reason}")
      .replaceAll(JSON.stringify(reason).slice(1, -1), "{reason}"),
    version,
  );
}

/** The recorded output does not tell the streams apart; the server's source does. */
function line(text: string, version: string): Line {
  const isZap = inRange(version, ">=4.0.0 <6.0.0");
  if (inRange(version, "<4.0.0")) {
    const level = /\[(INFO|WARN|EROR|CRIT)\]/.exec(text)?.[1] ?? "";
    const levels: Readonly<Record<string, string>> = {
      INFO: "info",
      WARN: "warn",
      EROR: "error",
      CRIT: "fatal",
    };
    return [
      "out",
      text.includes("{clock}") ? "always" : levels[level] ?? "always",
      text,
    ];
  }
  const level = /^(?:\{.*?"level":"|\S\[\d+m)(\w+)/.exec(text)?.[1];
  if (level === undefined) return ["err", "always", text];
  // Before the log is configured: fmt.Printf up to 5.9, later os.Stderr.
  if (!/"ts":|"timestamp":|^.\[\d+m/.test(text)) {
    return [inRange(version, "<5.10.0") ? "out" : "err", "always", text];
  }
  return [isZap ? "err" : "out", level, text];
}
