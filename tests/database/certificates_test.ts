import assert from "node:assert/strict";
import type { DataSource, SslMode } from "../../lib/database/data_source.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import {
  CLIENTS,
  HOSTS,
  readVerdicts,
  type Verdict,
} from "../go_verdicts/verdicts.ts";
import {
  CERTIFICATE_KINDS,
  type ServedCertificate,
} from "../servers/certificate_kinds.ts";
import {
  presentCertificate,
  WEAK_CERTIFICATES,
} from "../servers/present_certificate.ts";
import { factsOf, products, refusalOf, startWithUser } from "./support.ts";

const VERDICTS = await readVerdicts();

/** The TLS library of the runtime does not accept such a key or extension, whatever the mode. */
const UNSUPPORTED = [
  "RSA 1024",
  "its own authority with RSA 1024",
  "with an unknown critical extension",
];

/** How our login has the parameters of each recorded client. */
function sourceFor(
  source: DataSource,
  { parameters, version }: typeof CLIENTS[number],
): DataSource {
  const modes: Readonly<Record<string, SslMode>> = {
    "tls=true": "verify-full",
    "tls=skip-verify": "require",
  };
  const [first = ""] = parameters.split("&");
  return {
    ...source,
    sslMode: modes[first] ?? first.replace("sslmode=", "") as SslMode,
    driver: version.replace(/.*@/, ""),
  };
}

/** Our reason for each of Go's errors. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/expired or is not yet valid/, "certificate time"],
  [
    /is valid for|not valid for any names|Common Name|doesn't contain any IP SANs/,
    "certificate name",
  ],
  [/incompatible key usage|unhandled critical/, "certificate purpose"],
  [
    /unknown authority|not authorized to sign|too many intermediates/,
    "certificate authority",
  ],
];

async function ourVerdict(
  source: DataSource,
  trusted: string | undefined,
): Promise<string> {
  const ca = trusted === undefined ? {} : { ca: [trusted] };
  try {
    const { tls } = await factsOf(source, ca);
    assert(tls);
    return "accepted";
  } catch {
    return (await refusalOf(source, ca.ca)).reason;
  }
}

function expectedOf(kind: string, verdict: Verdict): string {
  if (UNSUPPORTED.includes(kind)) return "tls";
  if (verdict === "accepted") return verdict;
  const found = REASONS.find(([pattern]) => pattern.test(verdict));
  assert(found, verdict);
  return found[1];
}

for (const product of products()) {
  const { name, adapter } = product;
  // MySQL has MariaDB's driver.
  if (name === "MySQL") continue;
  let server: DatabaseServer;
  let source: DataSource;

  Deno.test.beforeAll(async () => {
    ({ server, source } = await startWithUser(product, {
      tls: CERTIFICATE_KINDS["issued by the trusted authority"]?.() ??
        assert.fail(),
      settings: WEAK_CERTIFICATES[adapter],
    }));
  });
  Deno.test.afterAll(() => server.stop());

  for (const [kind, make] of Object.entries(CERTIFICATE_KINDS)) {
    Deno.test(`${name}: the verdict on a certificate is that of Go: ${kind}`, async () => {
      const served: ServedCertificate = make();
      await presentCertificate(server, served);
      const expected: Record<string, string> = {};
      const found: Record<string, string> = {};
      for (const host of HOSTS) {
        for (const client of CLIENTS) {
          if (client.driver !== adapter) continue;
          const key = `${client.name}, ${host}`;
          const isTrusting = /FILE|true/.test(client.parameters);
          expected[key] = expectedOf(kind, VERDICTS.get(kind, host, client));
          found[key] = await ourVerdict(
            { ...sourceFor(source, client), host },
            isTrusting ? served.trusted : undefined,
          );
        }
      }
      assert.deepEqual(found, expected);
    });
  }
}
