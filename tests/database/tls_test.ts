import assert from "node:assert/strict";
import type { Reason } from "../../lib/database/reasons.ts";
import type { DataSource, SslMode } from "../../lib/database/data_source.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { createAuthority } from "../servers/certificates.ts";
import { WEAK_CERTIFICATES } from "../servers/present_certificate.ts";
import { factsOf, products, refusalOf, startWithUser } from "./support.ts";

const authority = createAuthority();
const otherAuthority = createAuthority("Other");
const ours = [authority.certificate];
const theirs = [otherAuthority.certificate];
const UNKNOWN = "certificate authority";

type Outcome = "plain" | "encrypted" | Reason;

/** The outcome of each mode for a server with the right name, one with another name, and one without TLS. */
const EXPECTED: Readonly<
  Record<
    "postgres" | "mysql",
    readonly [
      SslMode,
      readonly string[] | undefined,
      Outcome,
      Outcome,
      Outcome,
    ][]
  >
> = {
  postgres: [
    ["disable", undefined, "plain", "plain", "plain"],
    ["allow", undefined, "plain", "plain", "plain"],
    ["prefer", undefined, "encrypted", "encrypted", "plain"],
    ["prefer", theirs, "plain", "plain", "plain"],
    ["require", undefined, "encrypted", "encrypted", "no TLS"],
    ["require", ours, "encrypted", "encrypted", "no TLS"],
    ["require", theirs, UNKNOWN, UNKNOWN, "no TLS"],
    ["verify-ca", ours, "encrypted", "encrypted", "no TLS"],
    ["verify-ca", theirs, UNKNOWN, UNKNOWN, "no TLS"],
    ["verify-full", ours, "encrypted", "certificate name", "no TLS"],
    ["verify-full", undefined, UNKNOWN, "certificate name", "no TLS"],
  ],
  mysql: [
    ["disable", undefined, "plain", "plain", "plain"],
    ["prefer", undefined, "encrypted", "encrypted", "plain"],
    ["require", undefined, "encrypted", "encrypted", "no TLS"],
    ["require", theirs, "encrypted", "encrypted", "no TLS"],
    ["verify-ca", ours, "encrypted", "certificate name", "no TLS"],
    ["verify-full", ours, "encrypted", "certificate name", "no TLS"],
    ["verify-full", theirs, UNKNOWN, "certificate name", "no TLS"],
    ["verify-full", undefined, UNKNOWN, "certificate name", "no TLS"],
  ],
};

async function outcomeOf(
  source: DataSource,
  ca: readonly string[] | undefined,
): Promise<Outcome> {
  try {
    return (await factsOf(source, ca === undefined ? {} : { ca })).tls
      ? "encrypted"
      : "plain";
  } catch {
    return (await refusalOf(source, ca)).reason;
  }
}

for (const product of products()) {
  const { name, adapter } = product;
  const servers: { server: DatabaseServer; source: DataSource }[] = [];

  Deno.test.beforeAll(async () => {
    const withoutTls = name === "MySQL"
      ? { settings: { "tls-version": "" } }
      : {};
    servers.push(
      ...await Promise.all([
        startWithUser(product, { tls: authority.issue() }),
        startWithUser(product, {
          tls: authority.issue({ names: ["elsewhere.example"] }),
        }),
        startWithUser(product, withoutTls),
      ]),
    );
  });
  Deno.test.afterAll(async () => {
    await Promise.all(servers.map(({ server }) => server.stop()));
  });

  for (const [sslMode, ca, ...expected] of EXPECTED[adapter]) {
    const trust = ca === undefined
      ? "no authority"
      : ca === ours
      ? "the right authority"
      : "another authority";
    Deno.test(`${name}: ${sslMode} with ${trust} checks what the server's own driver checks`, async () => {
      for (const host of ["127.0.0.1", "localhost"]) {
        const outcomes = [];
        for (const { source } of servers) {
          outcomes.push(await outcomeOf({ ...source, host, sslMode }, ca));
        }
        assert.deepEqual(outcomes, expected, host);
      }
    });
  }

  Deno.test(`${name}: the facts include the expiry of the certificate`, async () => {
    const [first] = servers;
    assert(first);
    const { tls } = await factsOf({ ...first.source, sslMode: "require" });
    assert(tls && tls.certificateExpires);
    const days = (tls.certificateExpires - Date.now()) / 86_400_000;
    assert(days > 28 && days < 32, String(days));
  });

  // MySQL 9 does not have older versions.
  if (name === "MySQL") continue;
  Deno.test(`${name}: a server without TLS 1.2 is refused, as by Go`, async () => {
    const { server, source } = await startWithUser(product, {
      tls: authority.issue(),
      settings: {
        ...WEAK_CERTIFICATES[adapter],
        ...adapter === "postgres"
          ? { ssl_max_protocol_version: "TLSv1.1" }
          : { "tls-version": "TLSv1.1" },
      },
    });
    await using _ = server;
    for (const sslMode of ["require", "verify-full"] as const) {
      const error = await refusalOf({ ...source, sslMode }, ours);
      assert.equal(error.reason, "tls");
      assert.match(error.message, /does not support TLS 1\.2 or later/);
    }
  });
}
