/**
 * Server certificates of every kind that drivers judge differently, with the file of authorities
 * that the client trusts.
 *
 * @module
 */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
// @ts-types="@types/node-forge"
import forge from "node-forge";

/** What a server presents, and what its client trusts; all of it in PEM. */
export interface ServedCertificate {
  /** The server's certificate, and the intermediate ones that it sends. */
  readonly certificate: string;
  /** The private key of the server. */
  readonly key: string;
  /** The file of authorities of the client. */
  readonly trusted: string;
}

/** A certificate and the key that it belongs to. */
interface Issued {
  readonly pem: string;
  readonly key: string;
  readonly subject: string;
}

/** What a certificate contains. */
interface Content {
  readonly subject: string;
  readonly issuer?: Issued;
  readonly bits?: number;
  readonly key?: string;
  /** Names of the extension subjectAltName; no extension if there are none. */
  readonly names?: readonly string[];
  /** basicConstraints: `undefined` leaves the extension out. */
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly usage?: Readonly<Record<string, boolean>>;
  readonly extendedUsage?: Readonly<Record<string, boolean>>;
  /** Days from now on which the validity begins and ends. */
  readonly days?: readonly [number, number];
  /** X.509 v1 has no extensions. */
  readonly version?: 1 | 3;
  readonly hash?: "sha256" | "sha1";
  /** The only domain that an authority may issue certificates for. */
  readonly permitted?: string;
  /** Adds a critical extension that no client knows. */
  readonly unknownExtension?: boolean;
}

const DAY = 86_400_000;
const NAMES = ["localhost", "127.0.0.1"];
const SERVER_AUTH = { serverAuth: true };
const ANY_USAGE = { "2.5.29.37.0": true };

/** Made once: keys take most of the time. */
const keys = new Map<string, { publicKey: string; privateKey: string }>();

function keyPair(name: string, bits: number) {
  const found = keys.get(name) ?? generateKeyPairSync("rsa", {
    modulusLength: bits,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  keys.set(name, found);
  return found;
}

const { asn1 } = forge;
const pki = forge.pki as typeof forge.pki & {
  /** Missing in the types. */
  getTBSCertificate(certificate: forge.pki.Certificate): forge.asn1.Asn1;
};

function issue(content: Content): Issued {
  const { subject, issuer, bits = 2048, hash = "sha256" } = content;
  const { publicKey, privateKey } = keyPair(
    content.key ?? `${subject} ${bits}`,
    bits,
  );
  const certificate = pki.createCertificate();
  const [from, until] = content.days ?? [-30, 30];
  certificate.serialNumber = "01" + randomBytes(15).toString("hex");
  certificate.validity.notBefore = new Date(Date.now() + from * DAY);
  certificate.validity.notAfter = new Date(Date.now() + until * DAY);
  certificate.publicKey = pki.publicKeyFromPem(publicKey);
  certificate.setSubject([{ name: "commonName", value: subject }]);
  certificate.setIssuer([{
    name: "commonName",
    value: issuer?.subject ?? subject,
  }]);
  if (content.version !== 1) certificate.setExtensions(extensionsOf(content));
  const oid = pki.oids[`${hash}WithRSAEncryption`] ?? "";
  certificate.signatureOid = certificate.siginfo.algorithmOid = oid;
  const body = pki.getTBSCertificate(certificate);
  // DER leaves out the version if it is 1, and node-forge does not.
  if (content.version === 1) (body.value as forge.asn1.Asn1[]).shift();
  const signature = sign(
    hash,
    new Uint8Array(forge.util.binary.raw.decode(asn1.toDer(body).getBytes())),
    issuer?.key ?? privateKey,
  );
  const whole = sequence([
    body,
    sequence([
      primitive(asn1.Type.OID, asn1.oidToDer(oid).getBytes()),
      primitive(asn1.Type.NULL, ""),
    ]),
    primitive(asn1.Type.BITSTRING, "\0" + signature.toString("latin1")),
  ]);
  const pem = forge.pem.encode({
    type: "CERTIFICATE",
    body: asn1.toDer(whole).getBytes(),
  }).replaceAll("\r", "");
  return { pem, key: privateKey, subject };
}

function sequence(value: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, value);
}

function primitive(
  type: forge.asn1.Type,
  value: string,
  of = asn1.Class.UNIVERSAL,
): forge.asn1.Asn1 {
  return asn1.create(of, type, false, value);
}

function extensionsOf(content: Content): Record<string, unknown>[] {
  const { names = [], ca, pathLength, usage, extendedUsage = {} } = content;
  const extensions: Record<string, unknown>[] = [];
  if (ca !== undefined) {
    extensions.push({
      name: "basicConstraints",
      cA: ca,
      critical: true,
      ...(pathLength === undefined ? {} : { pathLenConstraint: pathLength }),
    });
  }
  if (usage) extensions.push({ name: "keyUsage", critical: true, ...usage });
  if (Object.keys(extendedUsage).length > 0) {
    extensions.push({ name: "extKeyUsage", ...extendedUsage });
  }
  if (names.length > 0) {
    extensions.push({
      name: "subjectAltName",
      altNames: names.map((name) =>
        isIP(name) ? { type: 7, ip: name } : { type: 2, value: name }
      ),
    });
  }
  if (content.permitted !== undefined) {
    const domain = primitive(2, content.permitted, asn1.Class.CONTEXT_SPECIFIC);
    const permitted = asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [
      sequence([domain]),
    ]);
    extensions.push({
      id: "2.5.29.30",
      critical: true,
      value: asn1.toDer(sequence([permitted])).getBytes(),
    });
  }
  if (content.unknownExtension) {
    extensions.push({
      id: "1.3.6.1.4.1.99999.1",
      critical: true,
      value: asn1.toDer(primitive(asn1.Type.NULL, "")).getBytes(),
    });
  }
  return extensions;
}

const SIGNS = { keyCertSign: true, cRLSign: true };

function root(content: Partial<Content> = {}): Issued {
  return issue({ subject: "Root", ca: true, usage: SIGNS, ...content });
}

function leaf(issuer: Issued, content: Partial<Content> = {}): Issued {
  return issue({
    subject: "localhost",
    issuer,
    names: NAMES,
    extendedUsage: SERVER_AUTH,
    ...content,
  });
}

function served(
  server: Issued,
  trusted: readonly Issued[],
  sent: readonly Issued[] = [],
): ServedCertificate {
  return {
    certificate: [server, ...sent].map(({ pem }) => pem).join(""),
    key: server.key,
    trusted: trusted.map(({ pem }) => pem).join(""),
  };
}

/** A certificate that the server itself has issued, and that the client trusts. */
function own(content: Partial<Content>): ServedCertificate {
  const certificate = issue({ subject: "localhost", names: NAMES, ...content });
  return served(certificate, [certificate]);
}

function fromRoot(
  content: Partial<Content>,
  authority: Partial<Content> = {},
): ServedCertificate {
  const issuer = root(authority);
  return served(leaf(issuer, content), [issuer]);
}

function fromIntermediate(
  { content = {}, authority = {}, isSent = true, isTrusted = false }: {
    readonly content?: Partial<Content>;
    readonly authority?: Partial<Content>;
    readonly isSent?: boolean;
    readonly isTrusted?: boolean;
  },
): ServedCertificate {
  const top = root();
  const middle = issue({
    subject: "Intermediate",
    issuer: top,
    ca: true,
    usage: SIGNS,
    ...authority,
  });
  return served(
    leaf(middle, content),
    [isTrusted ? middle : top],
    isSent ? [middle] : [],
  );
}

/** The kinds; each makes a new certificate, valid for `localhost` and 127.0.0.1 unless its name says otherwise. */
export const CERTIFICATE_KINDS: Readonly<
  Record<string, () => ServedCertificate>
> = {
  "issued by the trusted authority": () => fromRoot({}),
  "issued by another authority": () =>
    served(leaf(root({ subject: "Other" })), [root()]),
  "issued by another authority of the same name": () =>
    served(leaf(root({ key: "impostor" })), [root()]),
  "for another name": () => fromRoot({ names: ["elsewhere.example"] }),
  "for the name only": () => fromRoot({ names: ["localhost"] }),
  "for the address only": () => fromRoot({ names: ["127.0.0.1"] }),
  "for several hosts": () =>
    fromRoot({
      names: [
        "db.example.com",
        "*.wild.example.com",
        "with_underscore",
        "10.0.0.2",
        "2001:db8::1",
      ],
    }),
  "for the name in capitals": () => fromRoot({ names: ["LOCALHOST"] }),
  "only a common name": () => fromRoot({ names: [] }),
  "its own authority (openssl req -x509)": () => own({ ca: true }),
  "its own authority, only a common name": () => own({ ca: true, names: [] }),
  "its own authority, for another name": () =>
    own({ ca: true, names: ["elsewhere.example"] }),
  "its own authority, expired": () => own({ ca: true, days: [-30, -1] }),
  "its own authority, for clients": () =>
    own({ ca: true, extendedUsage: { clientAuth: true } }),
  "its own authority, not in the trusted file": () => ({
    ...own({ ca: true }),
    trusted: root().pem,
  }),
  "its own authority, another one of the same name trusted": () => ({
    ...own({ ca: true }),
    trusted: own({ ca: true, key: "impostor" }).trusted,
  }),
  "self-signed, no authority": () => own({ ca: false }),
  "self-signed without constraints": () => own({}),
  "self-signed X.509 v1": () => own({ version: 1 }),
  "X.509 v1 from the authority": () => fromRoot({ version: 1 }),
  "from an X.509 v1 authority": () => fromRoot({}, { version: 1 }),
  "the trusted file holds the certificate, not its issuer": () => {
    const certificate = leaf(root());
    return served(certificate, [certificate]);
  },
  "the trusted file holds the certificate, which is expired": () => {
    const certificate = leaf(root(), { days: [-30, -1] });
    return served(certificate, [certificate]);
  },
  "an authority as a server": () => fromRoot({ ca: true }),
  "RSA 1024": () => fromRoot({ bits: 1024 }),
  "from an authority with RSA 1024": () => fromRoot({}, { bits: 1024 }),
  "its own authority with RSA 1024": () => own({ ca: true, bits: 1024 }),
  "signed with SHA-1": () => fromRoot({ hash: "sha1" }),
  "its own authority, signed with SHA-1": () => own({ ca: true, hash: "sha1" }),
  expired: () => fromRoot({ days: [-30, -1] }),
  "not yet valid": () => fromRoot({ days: [1, 30] }),
  "from an expired authority": () => fromRoot({}, { days: [-30, -1] }),
  "for clients": () => fromRoot({ extendedUsage: { clientAuth: true } }),
  "for any purpose": () => fromRoot({ extendedUsage: ANY_USAGE }),
  "without a purpose": () => fromRoot({ extendedUsage: {} }),
  "from an authority for clients": () =>
    fromRoot({}, { extendedUsage: { clientAuth: true } }),
  "from an authority for servers": () =>
    fromRoot({}, { extendedUsage: SERVER_AUTH }),
  "from an authority that may not sign certificates": () =>
    fromRoot({}, { usage: { digitalSignature: true } }),
  "from a certificate that is no authority": () => fromRoot({}, { ca: false }),
  "from a certificate without constraints": () =>
    served(leaf(withoutConstraints()), [withoutConstraints()]),
  "from an intermediate authority": () => fromIntermediate({}),
  "from an intermediate authority that is not sent": () =>
    fromIntermediate({ isSent: false }),
  "from an intermediate authority that is trusted": () =>
    fromIntermediate({ isSent: false, isTrusted: true }),
  "from an intermediate that is no authority": () =>
    fromIntermediate({ authority: { ca: false } }),
  "from an intermediate of X.509 v1": () =>
    fromIntermediate({ authority: { version: 1 } }),
  "from an expired intermediate authority": () =>
    fromIntermediate({ authority: { days: [-30, -1] } }),
  "below a path length of 0": () => {
    const top = root({ pathLength: 0 });
    const middle = issue({
      subject: "Intermediate",
      issuer: top,
      ca: true,
      usage: SIGNS,
    });
    return served(leaf(middle), [top], [middle]);
  },
  "within the permitted domain": () =>
    fromRoot({ names: ["localhost"] }, { permitted: "localhost" }),
  "outside of the permitted domain": () =>
    fromRoot({ names: ["localhost"] }, { permitted: "elsewhere.example" }),
  "with an unknown critical extension": () =>
    fromRoot({ unknownExtension: true }),
};

function withoutConstraints(): Issued {
  return issue({ subject: "Root" });
}
