/**
 * Reads X.509 certificates (RFC 5280): what Go's crypto/x509 looks at, and nothing else.
 *
 * Neither node:crypto nor the runtime's TLS reports critical extensions, path lengths or name
 * constraints, on which Go's verdict depends.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** An element of DER. */
interface Element {
  /** The identifier octet. */
  readonly tag: number;
  /** The content. */
  readonly content: Buffer;
  /** Identifier, length and content. */
  readonly raw: Buffer;
}

/** Names that an authority may or may not issue certificates for (RFC 5280, section 4.2.1.10). */
export interface NameConstraints {
  /** Names that are permitted, if there are any of their kind. */
  readonly permitted: Names;
  /** Names that are excluded. */
  readonly excluded: Names;
}

/** Names of the two kinds that databases have. */
export interface Names {
  /** DNS names. */
  readonly dns: readonly string[];
  /** IP addresses; in constraints, addresses with their masks. */
  readonly ip: readonly Buffer[];
}

/** A certificate. */
export interface Certificate {
  /** The whole certificate in DER. */
  readonly raw: Buffer;
  /** The part that is signed. */
  readonly signed: Buffer;
  /** The algorithm of the signature: its OID in hexadecimal digits, and its parameters in DER. */
  readonly algorithm: string;
  /** The signature. */
  readonly signature: Buffer;
  /** 1 or 3. */
  readonly version: number;
  /** The name of the issuer in DER. */
  readonly issuer: Buffer;
  /** The name of the owner in DER. */
  readonly subject: Buffer;
  /** The begin of the validity in milliseconds since the epoch. */
  readonly notBefore: number;
  /** The end of the validity in milliseconds since the epoch. */
  readonly notAfter: number;
  /** The public key in DER (SubjectPublicKeyInfo). */
  readonly publicKey: Buffer;
  /** Whether there is a critical extension that Go does not handle. */
  readonly hasUnknownExtension: boolean;
  /** basicConstraints: whether it is an authority; `undefined` without the extension. */
  readonly isAuthority?: boolean;
  /** The number of intermediate authorities that may follow. */
  readonly pathLength?: number;
  /** keyUsage: whether it may sign certificates; `undefined` without the extension. */
  readonly maySign?: boolean;
  /** extKeyUsage: OIDs in hexadecimal digits; none without the extension. */
  readonly purposes: readonly string[];
  /** subjectAltName. */
  readonly names: Names;
  /** nameConstraints. */
  readonly constraints?: NameConstraints;
}

const SEQUENCE = 0x30;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTC_TIME = 0x17;
/** `[0]`, `[1]` and `[3]`, constructed: version, subtrees, extensions. */
const CONTEXT_0 = 0xa0;
const CONTEXT_1 = 0xa1;
const CONTEXT_3 = 0xa3;
/** `[2]` and `[7]` of GeneralName: a DNS name and an IP address. */
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

/** The extensions below `id-ce` (2.5.29), by their last number. */
const ID_CE = "551d";
const SUBJECT_ALT_NAME = "551d11";
const BASIC_CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const NAME_CONSTRAINTS = "551d1e";
const EXTENDED_KEY_USAGE = "551d25";

/** All that Go handles, by their last number: the key identifiers, policies and revocation lists too. */
const HANDLED = new Set(
  [14, 15, 17, 19, 30, 31, 32, 33, 35, 36, 37, 54].map((id) =>
    ID_CE + id.toString(16).padStart(2, "0")
  ),
);

/**
 * Parses a certificate.
 *
 * @param der The certificate in DER.
 * @returns The certificate.
 * @throws {SyntaxError} If it is malformed.
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const raw = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  const [outer, ...more] = elementsOf(raw);
  if (more.length > 0) malformed();
  const [body, algorithm, signature] = elementsOf(contentOf(outer, SEQUENCE));
  const parts = elementsOf(contentOf(body, SEQUENCE));
  const version = parts[0]?.tag === CONTEXT_0
    ? numberOf(elementsOf(parts.shift()?.content ?? raw)[0]) + 1
    : 1;
  const [, inner, issuer, validity, subject, publicKey] = parts;
  if (!required(inner).raw.equals(required(algorithm).raw)) malformed();
  const [notBefore, notAfter] = elementsOf(contentOf(validity, SEQUENCE));
  const extensions = parts.find(({ tag }) => tag === CONTEXT_3);
  return {
    raw: required(outer).raw,
    signed: required(body).raw,
    algorithm: required(algorithm).content.toString("hex"),
    signature: signatureOf(contentOf(signature, BIT_STRING)),
    version,
    issuer: required(issuer).raw,
    subject: required(subject).raw,
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    publicKey: required(publicKey).raw,
    ...extensionsOf(extensions),
  };
}

type Extensions = Pick<
  Certificate,
  | "hasUnknownExtension"
  | "isAuthority"
  | "pathLength"
  | "maySign"
  | "purposes"
  | "names"
  | "constraints"
>;

function extensionsOf(extensions: Element | undefined): Extensions {
  let found: Extensions = {
    hasUnknownExtension: false,
    purposes: [],
    names: { dns: [], ip: [] },
  };
  if (extensions === undefined) return found;
  const [list] = elementsOf(extensions.content);
  for (const extension of elementsOf(contentOf(list, SEQUENCE))) {
    const parts = elementsOf(extension.content);
    const id = required(parts[0]).content.toString("hex");
    const isCritical = parts[1]?.tag === BOOLEAN && parts[1].content[0] !== 0;
    const value = required(parts.at(-1)).content;
    const read = readExtension(id, value);
    const isUnknown = isCritical &&
      (!HANDLED.has(id) || read?.hasUnknownExtension === true);
    found = {
      ...found,
      ...read,
      hasUnknownExtension: found.hasUnknownExtension || isUnknown,
    };
  }
  return found;
}

function readExtension(
  id: string,
  value: Buffer,
): Partial<Extensions> | undefined {
  const [element] = elementsOf(value);
  const { content } = required(element);
  switch (id) {
    case BASIC_CONSTRAINTS: {
      const parts = elementsOf(content);
      const isAuthority = parts[0]?.tag === BOOLEAN &&
        parts[0].content[0] !== 0;
      const length = parts.find(({ tag }) => tag === INTEGER);
      return {
        isAuthority,
        ...(length === undefined ? {} : { pathLength: numberOf(length) }),
      };
    }
    case KEY_USAGE:
      // keyCertSign is bit 5, counted from the highest one of the byte after the unused bits.
      return { maySign: ((content[1] ?? 0) & 0x04) !== 0 };
    case EXTENDED_KEY_USAGE:
      return {
        purposes: elementsOf(content).map((each) =>
          each.content.toString("hex")
        ),
      };
    case SUBJECT_ALT_NAME: {
      const all = elementsOf(content);
      return {
        names: namesOf(all),
        // Go parses four kinds of names: mail addresses, DNS names, URIs and addresses.
        hasUnknownExtension: !all.some(({ tag }) =>
          [0x81, DNS_NAME, 0x86, IP_ADDRESS].includes(tag)
        ),
      };
    }
    case NAME_CONSTRAINTS: {
      const subtrees = elementsOf(content);
      const within = (wanted: number): Names =>
        namesOf(
          subtrees.filter(({ tag }) => tag === wanted).flatMap((each) =>
            elementsOf(each.content).flatMap((subtree) =>
              elementsOf(subtree.content).slice(0, 1)
            )
          ),
        );
      return {
        constraints: {
          permitted: within(CONTEXT_0),
          excluded: within(CONTEXT_1),
        },
      };
    }
    default:
      return undefined;
  }
}

function namesOf(names: readonly Element[]): Names {
  const of = (wanted: number): Buffer[] =>
    names.filter(({ tag }) => tag === wanted).map(({ content }) => content);
  return {
    dns: of(DNS_NAME).map((name) => name.toString("latin1")),
    ip: of(IP_ADDRESS),
  };
}

/** The first byte of a BIT STRING counts its unused bits, which a signature does not have. */
function signatureOf(bits: Buffer): Buffer {
  return bits[0] === 0 ? bits.subarray(1) : malformed();
}

function elementsOf(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let start = 0; start < bytes.length;) {
    const tag = bytes[start] ?? 0;
    let at = start + 2;
    let length = bytes[start + 1] ?? malformed();
    if (length >= 0x80) {
      const size = length - 0x80;
      if (size < 1 || size > 4 || at + size > bytes.length) malformed();
      length = bytes.readUIntBE(at, size);
      at += size;
    }
    const end = at + length;
    if (end > bytes.length) malformed();
    elements.push({
      tag,
      content: bytes.subarray(at, end),
      raw: bytes.subarray(start, end),
    });
    start = end;
  }
  return elements;
}

function required(element: Element | undefined): Element {
  return element ?? malformed();
}

function contentOf(element: Element | undefined, tag: number): Buffer {
  return element?.tag === tag ? element.content : malformed();
}

function numberOf(element: Element | undefined): number {
  const content = contentOf(element, INTEGER);
  if (content.length < 1 || content.length > 6) malformed();
  return content.readUIntBE(0, content.length);
}

/** `YYMMDDHHMMSSZ`, in which years from 50 on are in the last century, or `YYYYMMDDHHMMSSZ`. */
function timeOf(element: Element | undefined): number {
  const { tag, content } = required(element);
  const text = content.toString("latin1");
  const full = tag === UTC_TIME
    ? `${Number(text.slice(0, 2)) < 50 ? 20 : 19}${text}`
    : text;
  const time = Date.parse(
    full.replace(
      /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
      "$1-$2-$3T$4:$5:$6Z",
    ),
  );
  return Number.isNaN(time) ? malformed() : time;
}

function malformed(): never {
  throw new SyntaxError("The certificate is malformed");
}
