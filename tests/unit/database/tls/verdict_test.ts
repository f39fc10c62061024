import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type CertificateFault,
  certificateFault,
} from "../../../../lib/database/tls/verdict.ts";
import {
  CERTIFICATE_KINDS,
  type ServedCertificate,
} from "../../../servers/certificate_kinds.ts";

const PEM_REGEXP =
  /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;

function chainOf({ certificate }: ServedCertificate): Buffer[] {
  return [...certificate.matchAll(PEM_REGEXP)].map(([, text = ""]) =>
    Buffer.from(text, "base64")
  );
}

function make(kind: string): ServedCertificate {
  return CERTIFICATE_KINDS[kind]?.() ?? assert.fail(kind);
}

function faultOf(
  chain: readonly Uint8Array[],
  trusted: string,
  { host = "localhost", now = Date.now() }: {
    readonly host?: string;
    readonly now?: number;
  } = {},
): CertificateFault | undefined {
  return certificateFault(chain, { trusted: [trusted], host, now });
}

Deno.test("a certificate in which a single bit was changed is never accepted", () => {
  const served = make("issued by the trusted authority");
  const [leaf = assert.fail()] = chainOf(served);
  assert.equal(faultOf([leaf], served.trusted), undefined);
  for (let bit = 0; bit < 8 * leaf.length; bit++) {
    const changed = Buffer.from(leaf);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert(faultOf([changed], served.trusted), `bit ${bit}`);
  }
});

Deno.test("a truncated certificate, or one with more bytes, is not accepted", () => {
  const served = make("issued by the trusted authority");
  const [leaf = assert.fail()] = chainOf(served);
  for (let length = 0; length < leaf.length; length++) {
    assert(faultOf([leaf.subarray(0, length)], served.trusted));
  }
  assert(faultOf([Buffer.concat([leaf, Buffer.from([5, 0])])], served.trusted));
});

Deno.test("what the server sends is not trusted", () => {
  const served = make("issued by another authority");
  const other = make("from an intermediate authority");
  const sent = [...chainOf(served), ...chainOf(other)];
  assert.equal(faultOf(sent, served.trusted)?.kind, "authority");
  // The whole chain up to a root that is not trusted.
  const own = make("its own authority, not in the trusted file");
  const [leaf = assert.fail()] = chainOf(own);
  assert.equal(faultOf([leaf, leaf], own.trusted)?.kind, "authority");
});

Deno.test("without any trusted certificate nothing is accepted", () => {
  const served = make("issued by the trusted authority");
  assert.equal(
    faultOf(chainOf(served), "no certificate")?.isIssuerMissing,
    true,
  );
  assert.equal(faultOf([], served.trusted)?.kind, "purpose");
});

Deno.test("hosts are compared as Go compares them", () => {
  const served = make("for several hosts");
  const chain = chainOf(served);
  const matches = (host: string): boolean =>
    faultOf(chain, served.trusted, { host }) === undefined;
  for (
    const host of [
      "db.example.com",
      "DB.Example.com",
      "db.example.com.",
      "a.wild.example.com",
      "with_underscore",
      "10.0.0.2",
      "2001:db8::1",
      "2001:DB8:0:0::1",
    ]
  ) assert(matches(host), host);
  for (
    const host of [
      "example.com",
      "wild.example.com",
      "a.b.wild.example.com",
      "xdb.example.com",
      "10.0.0.3",
      "2001:db8::2",
      "",
    ]
  ) assert(!matches(host), host);
});

Deno.test("the validity is that of the time of the handshake", () => {
  const served = make("issued by the trusted authority");
  const at = (days: number): string | undefined =>
    faultOf(chainOf(served), served.trusted, {
      now: Date.now() + days * 86_400_000,
    })?.text;
  assert.match(at(31) ?? "", /^expired on \d{4}-\d\d-\d\d$/);
  assert.match(at(-31) ?? "", /^is not valid before \d{4}-\d\d-\d\d$/);
  assert.equal(at(29), undefined);
});
