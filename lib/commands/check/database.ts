/**
 * The database: its host name, login, encryption, privileges, encoding and clock, and the upgrade rules.
 *
 * @module
 */

import { isIP } from "node:net";
import { trySystemCall } from "../../errors.ts";
import { readNamedText } from "../../os/named_file.ts";
import { connect } from "../../database/connect.ts";
import type { DatabaseFacts, Session } from "../../database/session.ts";
import { foreignTables, ProbeError } from "../../database/session.ts";
import { remedyFor } from "../../database/reasons.ts";
import {
  addressText,
  type DataSource,
  describeHost,
  settingOf,
  withoutLogin,
} from "../../database/data_source.ts";
import { explainFailure } from "../../database/explain.ts";
import {
  ATTEMPT,
  checkRequirements,
  describeProblem,
  tryLogin,
} from "../../database/wait.ts";
import { isChecked } from "../../database/tls/policy.ts";
import type { Plan } from "../../startup/plan.ts";
import type { Permit } from "../../upgrade/verdict.ts";
import { findLostVolume } from "../../startup/lost_volume.ts";
import { storeProblems } from "../../startup/shared_store.ts";
import { readServerMigrations } from "../../startup/server_migrations.ts";
import { decideForPlan } from "../../startup/upgrade_guard.ts";
import { isServerInstalled } from "../../startup/handoff.ts";
import { askDriver } from "../../startup/verdict/ask_driver.ts";
import {
  type DatabaseFiles,
  databaseFiles,
} from "../../startup/database_files.ts";
import { certificateFinding } from "./certificate.ts";
import { moveFindings } from "./move.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { describeCause, failed, ok, warning } from "./finding.ts";

/** Milliseconds by which the clocks of the database and this host may differ. */
const CLOCK_TOLERANCE = 30_000;

/**
 * Checks the database.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkDatabase(context: CheckContext): Promise<Finding[]> {
  const { plan, system, signal } = context;
  const { source } = plan.database;
  const name = await nameFinding(source, context);
  if (name?.level === "failed") return [name];
  const found = name === undefined ? [] : [name];
  let session: Session | undefined;
  try {
    const { settings } = plan;
    const files = databaseFiles(source, { ...context, settings });
    const before = system.clock.now();
    const options = { signal, clock: system.clock, ...files };
    const result = await tryLogin(source, ATTEMPT, { ...options, connect });
    if (result instanceof ProbeError) {
      const error = await explainFailure(result, source, options);
      return [...found, loginFailure(error, source)];
    }
    session = result.session;
    const { facts } = result;
    const now = (before + system.clock.now()) / 2;
    return [
      ...found,
      ...factFindings(facts, context, { ca: files.ca, now }),
      ...(await storeProblems(plan, result)).map((problem) =>
        warning("database.configuration", problem)
      ),
      ...await upgradeFindings(facts, plan, system),
      ...volumeFindings(facts, plan, system),
      ...await moveFindings(facts, plan, session),
      ...await driverFindings(context, files),
    ];
  } catch (error) {
    if (!signal.aborted) throw error;
    const timeout = new ProbeError("timeout", "");
    return [...found, loginFailure(timeout, source)];
  } finally {
    await session?.close();
  }
}

async function nameFinding(
  source: DataSource,
  context: CheckContext,
): Promise<Finding | undefined> {
  const { alternatives = [], ...first } = source;
  const servers = [
    first,
    ...alternatives.map((each) => ({ ...first, ...each })),
  ]
    .filter(({ address, host, socket }) =>
      socket === undefined && address === undefined && isIP(host) === 0
    );
  const findings = await Promise.all(
    servers.map((server) => resolveName(server, context)),
  );
  // One server that can be found is enough.
  return findings.find(({ level }) => level === "ok") ?? findings[0];
}

async function resolveName(
  source: DataSource,
  { system }: CheckContext,
): Promise<Finding> {
  const { host } = source;
  const shown = describeHost(source);
  try {
    const addresses = await system.resolveHost(host);
    const longName = await longNameOf(host, addresses, system);
    return ok(
      "database.name",
      `${shown} resolves to ${addresses.join(", ")}${
        longName === undefined ? "" : `, as ${longName}`
      }`,
    );
  } catch (error) {
    return failed("database.name", {
      message: `${shown} does not resolve: ${describeCause(error)}`,
      remedy: `Set ${
        settingOf(source, "DB_HOST")
      } to the name of the database's container or service, and connect both containers to one network (docker network connect)`,
    });
  }
}

/** The name that a search domain of this host makes of a short one; it may be another database than expected. */
async function longNameOf(
  host: string,
  addresses: readonly string[],
  { files, resolveHost }: CheckContext["system"],
): Promise<string | undefined> {
  if (host.includes(".")) return undefined;
  const text = trySystemCall(() => readNamedText(files, "/etc/resolv.conf")) ??
    "";
  const [, domains = ""] = /^search[ \t]+(.*)$/m.exec(text) ?? [];
  for (const domain of domains.split(/\s+/).filter((each) => each !== "")) {
    const name = `${host}.${domain}`;
    const found = await resolveHost(name).catch(() => []);
    if (found.some((address) => addresses.includes(address))) return name;
  }
  return undefined;
}

/** What the driver of the installed server says about the login, which only it knows for sure. */
async function driverFindings(
  context: CheckContext,
  files: DatabaseFiles,
): Promise<Finding[]> {
  const { plan, system } = context;
  const { release, database: { source } } = plan;
  if (
    !isServerInstalled(plan, system) ||
    release.databases[source.adapter] === undefined
  ) return [];
  const id = "database.driver";
  const answer = await askDriver(plan, context, files);
  switch (answer.kind) {
    case "in":
      return [
        ok(id, "The database accepts the login of the server's own driver"),
      ];
    case "out":
      return [
        failed(id, {
          message:
            `The server's own driver does not get in, although the entrypoint does: ${answer.error}`,
          remedy:
            "Remove from the data source what the driver does not accept, or set DB_HOST, DB_NAME, DB_USER and DB_PASS instead of it",
        }),
      ];
    case "none":
      return [
        ok(
          id,
          `The server's own driver was not tried on the database, because ${answer.reason}`,
        ),
      ];
  }
}

function loginFailure(error: ProbeError, source: DataSource): Finding {
  return failed("database.login", {
    message: describeProblem(error, source),
    remedy: remedyFor(error, source),
  });
}

function factFindings(
  facts: DatabaseFacts,
  { plan, system }: CheckContext,
  { ca, now }: {
    readonly ca: readonly string[] | undefined;
    readonly now: number;
  },
): Finding[] {
  const source = withoutLogin(plan.database.source);
  const where = addressText(source);
  const refusal = checkRequirements(facts);
  return [
    ok(
      "database.login",
      `${facts.product} ${facts.version} at ${where} accepts logins from ${source.user} to the database ${source.database}`,
    ),
    ...tlsFindings(facts, source, { ca, now: system.clock.now() }),
    refusal === undefined
      ? ok(
        "database.rights",
        `The user ${source.user} may create tables and write data`,
      )
      : failed("database.rights", {
        message: describeProblem(refusal, source),
        remedy: remedyFor(refusal, source),
      }),
    ...ownerFindings(facts, source),
    encodingFinding(facts),
    clockFinding(facts.serverTime - now),
  ];
}

/** Migrations change tables, which only their owner may. */
function ownerFindings(
  { place, schema }: DatabaseFacts,
  source: DataSource,
): Finding[] {
  // Without the privilege to write it is a failure already.
  if (place?.owner === undefined || !schema.installed || !place.mayWrite) {
    return [];
  }
  const error = foreignTables(place.owner);
  return [
    warning("database.rights", {
      message: `${
        describeProblem(error, source)
      }, so the next migration would fail`,
      remedy: remedyFor(error, source),
    }),
  ];
}

function tlsFindings(
  { tls }: DatabaseFacts,
  source: DataSource,
  { ca, now }: {
    readonly ca: readonly string[] | undefined;
    readonly now: number;
  },
): Finding[] {
  if (tls === false) {
    return [
      ok(
        "database.tls",
        source.socket === undefined
          ? "The connection is not encrypted (DB_SSL_MODE=disable)"
          : "The connection uses a unix socket, which needs no encryption",
      ),
    ];
  }
  const { protocol, certificateExpires } = tls;
  const isVerified = isChecked(source, ca);
  const verification = isVerified
    ? "the certificate is verified"
    : `the certificate is not verified (DB_SSL_MODE=${source.sslMode})`;
  const encrypted = protocol === undefined ? "" : ` with ${protocol}`;
  return [
    ok(
      "database.tls",
      `The connection is encrypted${encrypted}, and ${verification}`,
    ),
    ...certificateFinding("database.certificate", {
      what: "The database's certificate",
      expires: certificateExpires,
      now,
    }).map((finding): Finding =>
      // The server does not verify it, so an expired one does not stop a start.
      finding.level === "failed" && !isVerified
        ? { ...finding, level: "warning" }
        : finding
    ),
  ];
}

/**
 * The encodings that store all of Unicode.
 *
 * MySQL's `utf8` stores at most three bytes per character:
 * <https://dev.mysql.com/doc/refman/8.4/en/charset-unicode-utf8mb3.html>.
 */
const UNICODE = { PostgreSQL: "utf8", MySQL: "utf8mb4", MariaDB: "utf8mb4" };

function encodingFinding(
  { product, encoding, collation }: DatabaseFacts,
): Finding {
  if (encoding.toLowerCase() === UNICODE[product]) {
    return ok(
      "database.encoding",
      `The database has the encoding ${encoding} and the collation ${collation}`,
    );
  }
  return warning("database.encoding", {
    message:
      `The database has the encoding ${encoding}, which cannot store every character, such as emoji`,
    remedy: product === "PostgreSQL"
      ? "Create the database with ENCODING 'UTF8' TEMPLATE template0, and restore a dump into it"
      : "ALTER DATABASE … CHARACTER SET utf8mb4;   -- before the first start",
  });
}

function clockFinding(difference: number): Finding {
  const seconds = Math.round(Math.abs(difference) / 1000);
  if (Math.abs(difference) <= CLOCK_TOLERANCE) {
    return ok(
      "database.clock",
      "The clock of the database agrees with the clock of this host",
    );
  }
  return warning("database.clock", {
    message: `The clock of the database is ${seconds} s ${
      difference > 0 ? "ahead of" : "behind"
    } the clock of this host`,
    remedy: "timedatectl set-ntp true   # on both hosts",
  });
}

async function upgradeFindings(
  facts: DatabaseFacts,
  plan: Plan,
  system: CheckContext["system"],
): Promise<Finding[]> {
  const migrations = await readServerMigrations(plan, system);
  const decision = decideForPlan(plan, { facts, migrations }, system);
  const notices = decision.notices.map((message) =>
    warning("database.upgrade", { message })
  );
  if (!decision.allowed) {
    return [failed("database.upgrade", decision.problem), ...notices];
  }
  return [ok("database.upgrade", describePermit(decision)), ...notices];
}

function volumeFindings(
  { schema }: DatabaseFacts,
  plan: Plan,
  system: CheckContext["system"],
): Finding[] {
  const lost = findLostVolume(plan, schema, system);
  return lost === undefined ? [] : [warning("database.volume", lost)];
}

function describePermit({ kind, pending }: Permit): string {
  switch (kind) {
    case "new":
      return "The database is empty, and the first start creates its tables";
    case "same":
      return "The database has the tables of this release";
    case "upgrade":
      return pending === undefined
        ? "The next start may migrate the database: back it up before"
        : `The next start brings ${pending} migration${
          pending === 1 ? "" : "s"
        }: back the database up before`;
    case "migrate-3.0":
      return "The next start runs the migration to 3.0, which cannot be undone: back the database up before";
    case "forced":
      return "MATTERMOST_FORCE_UPGRADE=true overrides a refusal of the upgrade rules";
  }
}
