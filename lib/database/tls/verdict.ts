/**
 * Decides about the certificate of a server as Go's crypto/x509 does, which the drivers of the
 * Mattermost server use. The runtime's own TLS is stricter in some cases, and laxer in others.
 *
 * @see https://pkg.go.dev/crypto/x509#Certificate.Verify
 * @module
 */

import { Buffer } from "node:buffer";
import { constants, createPublicKey, verify } from "node:crypto";
import { isIP } from "node:net";
import {
  type Certificate,
  type NameConstraints,
  type Names,
  parseCertificate,
} from "./x509.ts";

/** Why a certificate is refused. */
export interface CertificateFault {
  /** The kind of fault. */
  readonly kind: "time" | "name" | "authority" | "purpose";
  /** What is wrong, as a predicate of "The server's certificate". */
  readonly text: string;
  /** Whether no certificate of the issuer was found at all, neither sent nor trusted. */
  readonly isIssuerMissing?: boolean;
}

/** What a certificate must prove. */
export interface CertificatePolicy {
  /** PEM texts of the certificates to trust. */
  readonly trusted: readonly string[];
  /** The host name or IP address that it must be valid for; `undefined` if the driver does not compare it. */
  readonly host: string | undefined;
  /** The time in milliseconds since the epoch. */
  readonly now: number;
}

/** OIDs of purposes in hexadecimal digits: any (2.5.29.37.0) and servers (1.3.6.1.5.5.7.3.1). */
const ANY_PURPOSE = "551d2500";
const SERVER_AUTH = "2b06010505070301";

/** Bits of the shortest RSA key with which Go verifies. */
const SHORTEST_RSA_KEY = 1024;

/** Signatures that Go checks while it builds one chain. */
const MOST_SIGNATURES = 100;

/** Algorithms of signatures that Go accepts, by the beginning of their DER; SHA-1 and MD5 are not among them. */
const ALGORITHMS: readonly (readonly [string, string | null])[] = [
  ["06092a864886f70d01010b", "sha256"],
  ["06092a864886f70d01010c", "sha384"],
  ["06092a864886f70d01010d", "sha512"],
  ["06082a8648ce3d040302", "sha256"],
  ["06082a8648ce3d040303", "sha384"],
  ["06082a8648ce3d040304", "sha512"],
  ["06032b6570", null],
];

/** RSASSA-PSS, and the OIDs of its hashes. */
const PSS = "06092a864886f70d01010a";
const PSS_HASHES: readonly (readonly [string, string])[] = [
  ["0609608648016503040201", "sha256"],
  ["0609608648016503040202", "sha384"],
  ["0609608648016503040203", "sha512"],
];

const PEM_REGEXP =
  /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;

/**
 * Finds what Go would refuse a server's certificate for.
 *
 * @param chain The server's certificate, and others that it sent, in DER.
 * @param policy What it must prove.
 * @returns The fault; `undefined` for a certificate that Go accepts.
 */
export function certificateFault(
  chain: readonly Uint8Array[],
  policy: CertificatePolicy,
): CertificateFault | undefined {
  const [leaf, ...others] = chain.flatMap((der) => parsed(der) ?? []);
  if (leaf === undefined) return purpose("is malformed");
  const { now, host } = policy;
  const fault = leafFault(leaf, now) ??
    (host === undefined ? undefined : nameFault(leaf, host));
  if (fault !== undefined) return fault;
  const roots = policy.trusted.flatMap((text) =>
    [...text.matchAll(PEM_REGEXP)].map(([, base64 = ""]) =>
      Buffer.from(base64, "base64")
    )
  );
  if (roots.some((root) => root.equals(leaf.raw))) return chainFault([leaf]);
  const search = { roots, others, now, signatures: 0, hint: undefined };
  const chains = chainsFrom([leaf], search);
  if (chains.length === 0) {
    if (search.hint !== undefined) return search.hint;
    return leaf.issuer.equals(leaf.subject)
      ? authority("was signed with its own key, and is not trusted itself")
      : { ...unknownAuthority(), isIssuerMissing: true };
  }
  const faults = chains.map(chainFault);
  return faults.includes(undefined) ? undefined : faults[0];
}

/** The search for chains from a certificate to a trusted one. */
interface Search {
  readonly roots: readonly Buffer[];
  readonly others: readonly Certificate[];
  readonly now: number;
  signatures: number;
  /** The first reason why an issuer was no use. */
  hint: CertificateFault | undefined;
}

function chainsFrom(
  chain: readonly Certificate[],
  search: Search,
): readonly (readonly Certificate[])[] {
  const child = chain.at(-1);
  if (child === undefined) return [];
  const chains: (readonly Certificate[])[] = [];
  const consider = (issuer: Certificate, isRoot: boolean): void => {
    search.signatures += 1;
    if (search.signatures > MOST_SIGNATURES || isIn(chain, issuer)) return;
    const fault = signatureFault(child, issuer) ??
      issuerFault(issuer, { isRoot, below: chain.length - 1, now: search.now });
    if (fault !== undefined) {
      search.hint ??= fault;
      return;
    }
    const longer = [...chain, issuer];
    chains.push(...isRoot ? [longer] : chainsFrom(longer, search));
  };
  for (const root of search.roots) {
    // Parsing each certificate of a whole bundle would take several milliseconds.
    const issuer = root.includes(child.issuer) ? parsed(root) : undefined;
    if (issuer?.subject.equals(child.issuer)) consider(issuer, true);
  }
  for (const other of search.others) {
    if (other.subject.equals(child.issuer)) consider(other, false);
  }
  return chains;
}

function isIn(
  chain: readonly Certificate[],
  { raw, subject, publicKey }: Certificate,
): boolean {
  return chain.some((each) =>
    each.raw.equals(raw) ||
    each.subject.equals(subject) && each.publicKey.equals(publicKey)
  );
}

/** Checks whether a certificate may issue another one, and has signed it. */
function signatureFault(
  child: Certificate,
  issuer: Certificate,
): CertificateFault | undefined {
  const { version, isAuthority, maySign } = issuer;
  if (isAuthority === false || version === 3 && isAuthority === undefined) {
    return authority(
      "was issued with a certificate that does not belong to an authority",
    );
  }
  if (maySign === false) {
    return authority(
      "was issued by an authority whose key may not sign certificates",
    );
  }
  if (!isKnown(child.algorithm)) {
    return authority(
      "is signed with an algorithm that Go refuses, such as SHA-1",
    );
  }
  return isSignedBy(child, issuer) ? undefined : unknownAuthority();
}

function isKnown(algorithm: string): boolean {
  return algorithm.startsWith(PSS) ||
    ALGORITHMS.some(([oid]) => algorithm.startsWith(oid));
}

function isSignedBy(child: Certificate, issuer: Certificate): boolean {
  const { algorithm, signed, signature } = child;
  try {
    const key = createPublicKey({
      key: issuer.publicKey,
      format: "der",
      type: "spki",
    });
    const { modulusLength = SHORTEST_RSA_KEY } = key.asymmetricKeyDetails ?? {};
    if (modulusLength < SHORTEST_RSA_KEY) return false;
    const found = ALGORITHMS.find(([oid]) => algorithm.startsWith(oid));
    if (found !== undefined) return verify(found[1], signed, key, signature);
    if (!algorithm.startsWith(PSS)) return false;
    const hash = PSS_HASHES.find(([oid]) => algorithm.includes(oid))?.[1];
    return hash !== undefined && verify(hash, signed, {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_AUTO,
    }, signature);
  } catch {
    // A key or an algorithm that cannot be used.
    return false;
  }
}

function leafFault(
  leaf: Certificate,
  now: number,
): CertificateFault | undefined {
  return leaf.hasUnknownExtension
    ? unknownExtension()
    : timeFault("", leaf, now);
}

function issuerFault(
  issuer: Certificate,
  { isRoot, below, now }: {
    readonly isRoot: boolean;
    /** The number of intermediate authorities between it and the server. */
    readonly below: number;
    readonly now: number;
  },
): CertificateFault | undefined {
  if (issuer.hasUnknownExtension) return unknownExtension();
  const late = timeFault("was issued by an authority that ", issuer, now);
  if (late !== undefined) return late;
  if (!isRoot && issuer.isAuthority !== true) {
    return authority(
      "was issued with a certificate that does not belong to an authority",
    );
  }
  return below > (issuer.pathLength ?? Infinity)
    ? authority("has more intermediate authorities than its root permits")
    : undefined;
}

function timeFault(
  prefix: string,
  { notBefore, notAfter }: Pick<Certificate, "notBefore" | "notAfter">,
  now: number,
): CertificateFault | undefined {
  const date = (time: number): string =>
    new Date(time).toISOString().slice(0, 10);
  if (now > notAfter) {
    return { kind: "time", text: `${prefix}expired on ${date(notAfter)}` };
  }
  return now < notBefore
    ? {
      kind: "time",
      text: `${prefix}is not valid before ${date(notBefore)}`,
    }
    : undefined;
}

/** Checks purposes and names of a whole chain. */
function chainFault(
  chain: readonly Certificate[],
): CertificateFault | undefined {
  const isForServers = chain.every(({ purposes }) =>
    purposes.length === 0 || purposes.includes(ANY_PURPOSE) ||
    purposes.includes(SERVER_AUTH)
  );
  if (!isForServers) {
    return purpose("is not for servers (extended key usage)");
  }
  const isPermitted = chain.every(({ constraints }, index) =>
    constraints === undefined ||
    chain.slice(0, index).every(({ names }) => permits(constraints, names))
  );
  return isPermitted ? undefined : authority(
    "has a name that its authority may not issue certificates for",
  );
}

function permits(
  { permitted, excluded }: NameConstraints,
  names: Names,
): boolean {
  const isPermitted = <T>(
    name: T,
    allowed: readonly T[],
    denied: readonly T[],
    isWithin: (name: T, constraint: T) => boolean,
  ): boolean =>
    !denied.some((each) => isWithin(name, each)) &&
    (allowed.length === 0 || allowed.some((each) => isWithin(name, each)));
  return names.dns.every((name) =>
    isPermitted(name, permitted.dns, excluded.dns, isInDomain)
  ) &&
    names.ip.every((address) =>
      isPermitted(address, permitted.ip, excluded.ip, isInNetwork)
    );
}

function isInDomain(name: string, constraint: string): boolean {
  const domain = constraint.toLowerCase();
  const host = name.toLowerCase();
  return domain === "" || host === domain ||
    host.endsWith(domain.startsWith(".") ? domain : `.${domain}`);
}

/** A constraint has the address and then the mask. */
function isInNetwork(address: Buffer, constraint: Buffer): boolean {
  const { length } = address;
  return constraint.length === 2 * length &&
    address.every((byte, at) => {
      const mask = constraint[length + at] ?? 0;
      return (byte & mask) === ((constraint[at] ?? 0) & mask);
    });
}

function nameFault(
  { names }: Certificate,
  host: string,
): CertificateFault | undefined {
  const all = [...names.dns, ...names.ip.map(addressText)];
  if (all.length === 0) {
    return {
      kind: "name",
      text:
        "names no host in its subjectAltName, and its common name is not used",
    };
  }
  const isNamed = isIP(host) === 0
    ? names.dns.some((name) => isHost(name, host))
    : names.ip.map(addressText).includes(addressText(addressBytes(host)));
  return isNamed
    ? undefined
    : { kind: "name", text: `is for ${all.join(", ")}, not for ${host}` };
}

/** Compares a name, which may begin with a wildcard for one label, with a host. */
function isHost(name: string, host: string): boolean {
  const pattern = name.toLowerCase();
  const wanted = host.toLowerCase();
  const isName = /^(?:\*|[a-z0-9_][a-z0-9_-]*)(?:\.[a-z0-9_][a-z0-9_-]*)*$/;
  const plain = wanted.replace(/\.$/, "");
  if (!isName.test(pattern) || pattern === "*" || !isName.test(plain)) {
    return pattern === wanted;
  }
  return pattern.startsWith("*.")
    ? pattern.slice(1) === plain.slice(plain.indexOf(".")) &&
      plain.includes(".")
    : pattern === plain;
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes addresses in their shortest form, with all of IPv4 in hexadecimal digits.
  const short = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname
    .slice(1, -1);
  const [head = "", tail] = short.split("::");
  const groups = (text: string): string[] => text === "" ? [] : text.split(":");
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const zeros = Array(8 - first.length - last.length).fill("0");
  const bytes = Buffer.alloc(16);
  [...first, ...zeros, ...last].forEach((group, at) =>
    bytes.writeUInt16BE(parseInt(group, 16), 2 * at)
  );
  return bytes;
}

function addressText(address: Buffer): string {
  return address.length === 4
    ? [...address].join(".")
    : address.toString("hex").match(/.{4}/g)?.join(":") ?? "";
}

function parsed(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der);
  } catch {
    return undefined;
  }
}

function unknownAuthority(): CertificateFault {
  return authority("was issued by an authority that is not trusted");
}

function unknownExtension(): CertificateFault {
  return purpose("has a critical extension that Go does not know");
}

function authority(text: string): CertificateFault {
  return { kind: "authority", text };
}

function purpose(text: string): CertificateFault {
  return { kind: "purpose", text };
}
