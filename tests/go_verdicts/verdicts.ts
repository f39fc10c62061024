/**
 * What Go's drivers say about the kinds of certificates, as recorded by record.ts.
 *
 * @module
 */

import { join } from "node:path";

/** The recorded verdicts: one line for each kind and host, one column for each client. */
export const VERDICTS_FILE = join(import.meta.dirname ?? ".", "verdicts.tsv");

/** The hosts by which the server is addressed. */
export const HOSTS = ["localhost", "127.0.0.1"];

/** A driver with the parameters of its data source. */
export interface Client {
  /** The name of its column. */
  readonly name: string;
  readonly driver: "postgres" | "mysql";
  /** The Go module and its version. */
  readonly version: string;
  readonly parameters: string;
}

const PQ_MODES = {
  require: "sslmode=require",
  "require with sslrootcert": "sslmode=require&sslrootcert=FILE",
  "verify-ca": "sslmode=verify-ca&sslrootcert=FILE",
  "verify-full": "sslmode=verify-full&sslrootcert=FILE",
};

/** The drivers: both generations of lib/pq, and go-sql-driver. */
export const CLIENTS: readonly Client[] = [
  ...["1.10.9", "1.12.3"].flatMap((version) =>
    Object.entries(PQ_MODES).map(([mode, parameters]): Client => ({
      name: `lib/pq ${version} ${mode}`,
      driver: "postgres",
      version: `github.com/lib/pq@${version}`,
      parameters,
    }))
  ),
  ...["true", "skip-verify"].map((tls): Client => ({
    name: `go-sql-driver 1.9.3 tls=${tls}`,
    driver: "mysql",
    version: "github.com/go-sql-driver/mysql@1.9.3",
    parameters: `tls=${tls}`,
  })),
];

/** `accepted`, or the error of the driver. */
export type Verdict = string;

/** The recorded verdicts. */
export interface Verdicts {
  /** Returns the verdict of a client; throws if it was not recorded. */
  readonly get: (kind: string, host: string, client: Client) => Verdict;
}

/** Reads the recorded verdicts. */
export async function readVerdicts(): Promise<Verdicts> {
  const text = await Deno.readTextFile(VERDICTS_FILE);
  const [header = [], ...rows] = text.trimEnd().split("\n")
    .map((line) => line.split("\t"));
  return {
    get(kind, host, { name }) {
      const row = rows.find((row) => row[0] === kind && row[1] === host);
      const verdict = row?.[header.indexOf(name)];
      if (verdict === undefined) {
        throw new Error(`Not recorded: ${kind}, ${host}, ${name}`);
      }
      return verdict;
    },
  };
}
