import assert from "node:assert/strict";
import { isIP } from "node:net";
import { parseDsn, withParameter } from "../../../lib/database/dsn.ts";
import {
  type DatabaseServer,
  type DataSource,
  DataSourceError,
} from "../../../lib/database/data_source.ts";
import { addressOf } from "../../../lib/database/connection.ts";
import type { Adapter } from "../../../lib/settings/adapter.ts";
import mysqlSources from "../../fixtures/data_sources/mysql.jsonl" with {
  type: "text",
};
import postgresSources from "../../fixtures/data_sources/postgres.jsonl" with {
  type: "text",
};
import mysql1_4_1 from "../../fixtures/data_sources/recorded/mysql-1.4.1.jsonl" with {
  type: "text",
};
import mysql1_5_0 from "../../fixtures/data_sources/recorded/mysql-1.5.0.jsonl" with {
  type: "text",
};
import mysql1_7_1 from "../../fixtures/data_sources/recorded/mysql-1.7.1.jsonl" with {
  type: "text",
};
import mysql1_8_1 from "../../fixtures/data_sources/recorded/mysql-1.8.1.jsonl" with {
  type: "text",
};
import mysql1_9_3 from "../../fixtures/data_sources/recorded/mysql-1.9.3.jsonl" with {
  type: "text",
};
import postgres1_2_0 from "../../fixtures/data_sources/recorded/postgres-1.2.0.jsonl" with {
  type: "text",
};
import postgres1_10_0 from "../../fixtures/data_sources/recorded/postgres-1.10.0.jsonl" with {
  type: "text",
};
import postgres1_10_9 from "../../fixtures/data_sources/recorded/postgres-1.10.9.jsonl" with {
  type: "text",
};
import postgres1_11_2 from "../../fixtures/data_sources/recorded/postgres-1.11.2.jsonl" with {
  type: "text",
};
import postgres1_12_3 from "../../fixtures/data_sources/recorded/postgres-1.12.3.jsonl" with {
  type: "text",
};

/** What a driver made of a data source: see tests/fixtures/data_sources/recorder. */
interface Recorded {
  readonly dsn: string;
  readonly error?: string;
  readonly dials?: string | readonly string[];
  readonly opens?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly tls?: boolean | string;
  readonly charset?: string;
  readonly startup?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly url?: string;
}

/** The user of the recording process. */
const RECORDER = "root";

const FILES: readonly (readonly [Adapter, string, string])[] = [
  ["mysql", "1.4.1", mysql1_4_1],
  ["mysql", "1.5.0", mysql1_5_0],
  ["mysql", "1.7.1", mysql1_7_1],
  ["mysql", "1.8.1", mysql1_8_1],
  ["mysql", "1.9.3", mysql1_9_3],
  ["postgres", "1.2.0", postgres1_2_0],
  ["postgres", "1.10.0", postgres1_10_0],
  ["postgres", "1.10.9", postgres1_10_9],
  ["postgres", "1.11.2", postgres1_11_2],
  ["postgres", "1.12.3", postgres1_12_3],
];

const RECORDS = FILES.map(([adapter, version, text]) => ({
  adapter,
  version,
  rows: text.trim().split("\n").map((row) => JSON.parse(row) as Recorded),
}));

/** What the driver never sends to the database in any other way, or always. */
const ALWAYS_SENT = [
  "user",
  "database",
  "client_encoding",
  "datestyle",
  "extra_float_digits",
];

/** Where the driver connects to, as it writes it. */
function dialsOf(source: DataSource): string[] {
  const servers: DatabaseServer[] = [source, ...source.alternatives ?? []];
  return servers.map((server) => {
    const address = addressOf({ ...server, adapter: source.adapter });
    if ("path" in address) return `unix ${address.path}`;
    const { host, port } = address;
    return `tcp ${
      isIP(host) === 6 || host.includes("%") ? `[${host}]` : host
    }:${port}`;
  });
}

/** Whether the driver could ever connect: it parses hosts and ports that do not exist. */
function isUsable(
  { dials = [], startup, opens }: Recorded,
  adapter: Adapter,
): boolean {
  const usable = [dials].flat().every((dial) => {
    if (dial.startsWith("unix ")) return true;
    const [, host = "", port = ""] =
      /^tcp[46]? \[?(.*?)\]?:(\+?\d*)$/.exec(dial) ?? [];
    const isName = !/[,:]/.test(host) || isIP(host.replace(/%.*$/, "")) !== 0;
    return isName && Number(port) > 0;
  });
  const isNamed = adapter === "mysql" || opens !== undefined ||
    (startup?.["user"] ?? "") !== "" && startup?.[""] === undefined;
  return usable && isNamed;
}

function meaningOf(row: Recorded, adapter: Adapter): Record<string, unknown> {
  const dials = [row.dials ?? []].flat()
    .map((dial) =>
      dial.replace(/^tcp[46] /, "tcp ").replace(" :", " localhost:")
        .replace(/:\+?0*(?=\d+$)/, ":").replace(/\[([^:\]%]*)\]/, "$1")
    );
  if (adapter === "mysql") {
    const mode = {
      true: "verify-full",
      "skip-verify": "require",
      preferred: "prefer",
    }[String(row.tls)];
    return {
      dials,
      user: row.user ?? "",
      password: row.password ?? "",
      database: row.database ?? "",
      sslMode: mode ?? "disable",
      encoding: row.charset,
      sessionParameters: row.variables ?? {},
    };
  }
  if (row.opens !== undefined) return { dials };
  const startup = row.startup ?? {};
  return {
    dials,
    user: startup["user"],
    password: row.password ?? "",
    database: startup["database"] || startup["user"],
    encrypts: row.tls === true,
    sessionParameters: Object.fromEntries(
      Object.entries(startup).filter(([name]) => !ALWAYS_SENT.includes(name)),
    ),
  };
}

function sameMeaning(
  source: DataSource,
  row: Recorded,
): Record<string, unknown> {
  const { user, password, database, sslMode, encoding, adapter } = source;
  const dials = dialsOf(source);
  if (row.opens !== undefined) return { dials };
  const { sessionParameters = {} } = source;
  return {
    dials,
    user,
    password,
    database,
    ...(adapter === "mysql"
      ? { sslMode, encoding }
      : { encrypts: sslMode !== "disable" && sslMode !== "allow" }),
    sessionParameters,
  };
}

Deno.test("every data source is recorded with every version", () => {
  const sources = { mysql: mysqlSources, postgres: postgresSources };
  for (const { adapter, rows } of RECORDS) {
    const expected = sources[adapter].trim().split("\n");
    assert.deepEqual(
      rows.map(({ dsn }) => dsn),
      expected.map((line) => JSON.parse(line)),
    );
  }
});

for (const { adapter, version, rows } of RECORDS) {
  Deno.test(`parseDsn() accepts, refuses and means what ${adapter} driver ${version} does`, () => {
    const wrong: unknown[] = [];
    for (const row of rows) {
      const accepts = row.error === undefined && isUsable(row, adapter);
      try {
        const source = parseDsn(adapter, row.dsn, {
          versions: [version],
          user: () => RECORDER,
        });
        if (!accepts) wrong.push([row, "is accepted", dialsOf(source)]);
        else {
          const [actual, expected] = [
            sameMeaning(source, row),
            meaningOf(row, adapter),
          ];
          try {
            assert.deepEqual(actual, expected);
          } catch {
            wrong.push([row.dsn, { actual, expected }]);
          }
        }
      } catch (error) {
        assert(error instanceof DataSourceError, String(error));
        if (accepts) wrong.push([row, "is refused", error.message]);
      }
    }
    assert.deepEqual(wrong, []);
  });
}

Deno.test("withParameter() adds a parameter that each driver passes on, and changes nothing else", () => {
  for (const { adapter, version, rows } of RECORDS) {
    const user = (): string => RECORDER;
    const read = (dsn: string): DataSource =>
      parseDsn(adapter, dsn, { versions: [version], user });
    for (const row of rows) {
      // MySQL's driver has a default for an empty text, which Mattermost does not accept.
      const accepts = row.error === undefined && isUsable(row, adapter) &&
        row.dsn !== "";
      if (!accepts) continue;
      const { parameters, sessionParameters, ...rest } = read(
        withParameter(adapter, row.dsn, "probe_a"),
      );
      const expected = read(row.dsn);
      assert.equal(sessionParameters?.["probe_a"], "1", row.dsn);
      const { probe_a: _, ...others } = parameters ?? {};
      const { probe_a: __, ...session } = sessionParameters ?? {};
      assert.deepEqual(
        { parameters: {}, sessionParameters: {}, ...expected },
        { ...rest, parameters: others, sessionParameters: session },
      );
    }
  }
});

Deno.test("parseDsn() refuses the keywords and values that the server cannot parse as a URL", () => {
  const rows = RECORDS.filter(({ adapter, version }) =>
    adapter === "postgres" && version === "1.10.9"
  ).flatMap(({ rows }) => rows).filter(({ error, dsn }) =>
    error === undefined && !dsn.startsWith("postgres")
  );
  assert(rows.some(({ url }) => url !== undefined));
  for (const { dsn, url } of rows) {
    const message = (release: string): string => {
      try {
        parseDsn("postgres", dsn, {
          release,
          versions: ["1.10.9"],
          user: () => RECORDER,
        });
        return "";
      } catch (error) {
        return String(error);
      }
    };
    const isRefused = message("6.7.0").includes(
      "because it parses the list as a URL too",
    );
    if (isRefused || message("6.6.0") === "") {
      assert.equal(isRefused, url !== undefined, dsn);
    }
    assert.doesNotMatch(message("6.6.0"), /parses the list/);
  }
});
