/**
 * The database: found, reached, encrypted as asked, good enough for this release.
 *
 * @module
 */

import { isIP } from "node:net";
import { connect } from "../../database/connect.ts";
import type { DatabaseFacts, Session } from "../../database/session.ts";
import { ProbeError } from "../../database/session.ts";
import { remedyFor } from "../../database/reasons.ts";
import type { DataSource } from "../../database/data_source.ts";
import { describe, judge } from "../../database/wait.ts";
import type { Plan } from "../../startup/plan.ts";
import { decideForPlan } from "../../startup/upgrade_guard.ts";
import { databaseAuthorities } from "../../startup/open_database.ts";
import { certificateFinding } from "./certificate.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { failed, ok, reasonOf, warning } from "./finding.ts";

/** Milliseconds that the database's clock may differ. */
const CLOCK_TOLERANCE = 30_000;

/**
 * Checks the database.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkDatabase(world: CheckWorld): Promise<Finding[]> {
  const { plan, system, signal } = world;
  const { source } = plan.database;
  const name = await nameFinding(source, world);
  if (name?.level === "failed") return [name];
  const found = name === undefined ? [] : [name];
  let session: Session | undefined;
  try {
    const ca = databaseAuthorities(source, world);
    const asked = system.clock.now();
    session = await connect(source, {
      signal,
      ...(ca === undefined ? {} : { ca }),
    });
    const facts = await session.facts();
    const now = (asked + system.clock.now()) / 2;
    return [...found, ...factFindings(facts, world, now)];
  } catch (error) {
    if (signal.aborted) {
      const late = new ProbeError("timeout", "");
      return [...found, loginFailure(late, source)];
    }
    if (!(error instanceof ProbeError)) throw error;
    return [...found, loginFailure(error, source)];
  } finally {
    await session?.close();
  }
}

async function nameFinding(
  { host, socket }: DataSource,
  { system }: CheckWorld,
): Promise<Finding | undefined> {
  if (socket !== undefined || isIP(host) !== 0) return undefined;
  try {
    const addresses = await system.resolveHost(host);
    return ok("database.name", `${host} is ${addresses.join(", ")}`);
  } catch (error) {
    return failed("database.name", {
      message: `DB_HOST=${host}: ${reasonOf(error)}`,
      remedy:
        "In Docker it is the name of the database's container or service, on a network that both share (docker network inspect)",
    });
  }
}

function loginFailure(error: ProbeError, source: DataSource): Finding {
  return failed("database.login", {
    message: describe(error, source),
    remedy: remedyFor(error.reason, source),
  });
}

function factFindings(
  facts: DatabaseFacts,
  { plan, system }: CheckWorld,
  now: number,
): Finding[] {
  const { source } = plan.database;
  const where = source.socket ?? `${source.host}:${source.port}`;
  const refusal = judge(facts);
  return [
    ok(
      "database.login",
      `${facts.product} ${facts.version} at ${where} lets ${source.user} into ${source.database}`,
    ),
    ...tlsFindings(facts, source, system.clock.now()),
    refusal === undefined
      ? ok("database.rights", `${source.user} may create tables and write`)
      : failed("database.rights", {
        message: describe(refusal, source),
        remedy: remedyFor(refusal.reason, source),
      }),
    encodingFinding(facts),
    clockFinding(facts.serverTime - now),
    ...upgradeFindings(facts, plan, system),
  ];
}

function tlsFindings(
  { tls }: DatabaseFacts,
  source: DataSource,
  now: number,
): Finding[] {
  if (tls === false) {
    return [
      ok(
        "database.tls",
        source.socket === undefined
          ? "The connection is not encrypted (DB_SSL_MODE=disable)"
          : "The connection is a unix socket and needs no encryption",
      ),
    ];
  }
  const { protocol, certificateExpires } = tls;
  const isChecked = source.sslMode.startsWith("verify-");
  const proof = isChecked
    ? "the certificate is checked"
    : `the certificate is not checked (DB_SSL_MODE=${source.sslMode})`;
  const encrypted = protocol === undefined ? "" : ` with ${protocol}`;
  return [
    ok("database.tls", `The connection is encrypted${encrypted}, ${proof}`),
    ...certificateFinding("database.certificate", {
      what: "The database's certificate",
      expires: certificateExpires,
      now,
    }).map((finding): Finding =>
      // Nobody looks at it.
      finding.level === "failed" && !isChecked
        ? { ...finding, level: "warning" }
        : finding
    ),
  ];
}

/** PostgreSQL's name of UTF-8, and what MySQL calls the whole of it. */
const FULL_UNICODE = ["utf8", "utf8mb4"];

function encodingFinding(
  { product, encoding, collation }: DatabaseFacts,
): Finding {
  const isFull = product === "PostgreSQL"
    ? encoding.toLowerCase() === FULL_UNICODE[0]
    : encoding.toLowerCase() === FULL_UNICODE[1];
  const message = `Text is kept as ${encoding}, sorted by ${collation}`;
  if (isFull) return ok("database.encoding", message);
  return warning("database.encoding", {
    message: `${message}: some characters, such as emoji, cannot be kept`,
    remedy: product === "PostgreSQL"
      ? "Make the database with ENCODING 'UTF8' TEMPLATE template0, and restore a dump into it"
      : "ALTER DATABASE … CHARACTER SET utf8mb4; before the first start",
  });
}

function clockFinding(difference: number): Finding {
  const seconds = Math.round(Math.abs(difference) / 1000);
  if (Math.abs(difference) <= CLOCK_TOLERANCE) {
    return ok("database.clock", "The database's clock agrees with this one");
  }
  return warning("database.clock", {
    message: `The database's clock is ${seconds} s ${
      difference > 0 ? "ahead of" : "behind"
    } this one`,
    remedy: "Let both machines follow a time server: timedatectl set-ntp true",
  });
}

function upgradeFindings(
  facts: DatabaseFacts,
  plan: Plan,
  system: CheckWorld["system"],
): Finding[] {
  const decision = decideForPlan(plan, facts, system);
  const notices = decision.notices.map((message) =>
    warning("database.upgrade", { message })
  );
  if (!decision.allowed) {
    return [failed("database.upgrade", decision.problem), ...notices];
  }
  return [ok("database.upgrade", PERMITS[decision.kind]), ...notices];
}

const PERMITS = {
  new: "The database is empty: the first start fills it",
  same: "The tables are those of this release",
  upgrade: "The next start upgrades the tables: back the database up before",
  "migrate-3.0":
    "The next start carries out the migration to 3.0, which cannot be undone",
  forced:
    "A refusal of the upgrade rules is overridden by MATTERMOST_FORCE_UPGRADE",
} as const;
