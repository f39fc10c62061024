/**
 * Asks the installed server whether its own driver gets into the database: it is started with the
 * true data source and a parameter that no database has, so the database refuses the login after
 * it has accepted the password, and nothing is executed.
 *
 * A pooler that ignores unknown parameters would let the server in, and it would migrate the
 * database. So the entrypoint's own driver logs in first, without and with the parameter, and
 * the server is asked only if the database itself refuses the second login for the parameter.
 *
 * @module
 */

import { connect } from "../../database/connect.ts";
import type { DataSource } from "../../database/data_source.ts";
import { withParameter } from "../../database/dsn.ts";
import { ProbeError, UNKNOWN_PARAMETER_CODES } from "../../database/session.ts";
import type { DatabaseFiles } from "../database_files.ts";
import type { Context } from "../context.ts";
import { effectiveText } from "../effective_config.ts";
import { buildServerEnvironment } from "../handoff.ts";
import type { Plan } from "../plan.ts";
import { askServer } from "./ask_server.ts";
import { cleanWords } from "./clean_words.ts";

/** What the driver of the server met with. */
export type DriverAnswer =
  | { readonly kind: "in" }
  /** The words of the driver, without secrets. */
  | { readonly kind: "out"; readonly error: string }
  /** Why the server was not asked, or what it said instead; follows "because". */
  | { readonly kind: "none"; readonly reason: string };

/** The words with which the databases refuse the parameter. */
const REFUSED_PARAMETER_REGEXP =
  /unrecognized configuration parameter|Error 1193\b/;

/**
 * Asks the server. The entrypoint's own driver must have got in before.
 *
 * @param plan The plan.
 * @param context The system, and the signal that ends the question.
 * @param files The authorities for the database, and the certificate of the client.
 * @returns The answer.
 */
export async function askDriver(
  plan: Plan,
  context: Pick<Context, "system" | "signal">,
  files: DatabaseFiles,
): Promise<DriverAnswer> {
  const { system, signal } = context;
  const { source } = plan.database;
  const name = `entrypoint_${
    Array.from(system.random(8), (byte) => "abcdefghijklmnop"[byte % 16]).join(
      "",
    )
  }`;
  const reason = await reasonNotToAsk(source, {
    signal,
    unknownParameter: name,
    ...files,
  });
  if (reason !== undefined) return { kind: "none", reason };
  const dsn = effectiveText(plan, "SqlSettings.DataSource");
  const { verdict, databaseError } = await askServer(
    { text: plan.merged.text, env: buildServerEnvironment(plan, system) },
    plan,
    context,
    withParameter(source.adapter, dsn, name),
  );
  if (databaseError === undefined) {
    const words = verdict.kind === "none"
      ? verdict.reason
      : "it refuses the configuration";
    return { kind: "none", reason: cleanWords(words, plan) };
  }
  return REFUSED_PARAMETER_REGEXP.test(databaseError)
    ? { kind: "in" }
    : { kind: "out", error: cleanWords(databaseError, plan) };
}

async function reasonNotToAsk(
  source: DataSource,
  options: Parameters<typeof connect>[1],
): Promise<string | undefined> {
  try {
    const session = await connect(source, options);
    await session.close();
    return "the database, or a pooler in front of it, accepts a parameter that does not exist, so the server would get in and migrate it";
  } catch (error) {
    if (!(error instanceof ProbeError)) throw error;
    return UNKNOWN_PARAMETER_CODES.includes(error.code ?? "")
      ? undefined
      : `a pooler in front of the database refuses unknown parameters by itself: ${error.message}`;
  }
}
