/**
 * Certificates for tests of TLS: a private authority and servers that it vouches
 * for, without the `openssl` command, which a machine with Node may lack.
 *
 * @module
 */

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP } from "node:net";
// @ts-types="@types/node-forge"
import forge from "node-forge";

/** A certificate and its private key, as PEM texts. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** What a server's certificate says. */
export interface CertificateOptions {
  /** The host names and IP addresses; `localhost` and 127.0.0.1 when not given. */
  readonly names?: readonly string[];
  /** Whether it ended yesterday instead of ending in a month. */
  readonly expired?: boolean;
}

/** An authority that clients can be told to trust. */
export interface Authority {
  /** Its own certificate, as a PEM text. */
  readonly certificate: string;
  /** Makes a server's certificate that this authority vouches for. */
  readonly issue: (options?: CertificateOptions) => KeyPair;
}

/** A day in milliseconds. */
const DAY = 86_400_000;

/** The kinds of names in a certificate (RFC 5280, section 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/** A new authority that nobody trusts yet. */
export function createAuthority(name = "Test Authority"): Authority {
  const keys = generateKeys();
  const sign = (
    certificate: forge.pki.Certificate,
    { publicKey, key }: Keys,
  ): KeyPair => {
    certificate.publicKey = publicKey;
    certificate.setIssuer(commonName(name));
    certificate.sign(keys.privateKey, forge.md.sha256.create());
    return { certificate: forge.pki.certificateToPem(certificate), key };
  };
  const own = draft(name);
  own.setExtensions([
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, critical: true },
  ]);
  return {
    certificate: sign(own, keys).certificate,
    issue({ names = ["localhost", "127.0.0.1"], expired = false } = {}) {
      const issued = draft(names[0] ?? "", expired);
      issued.setExtensions([
        { name: "extKeyUsage", serverAuth: true },
        { name: "subjectAltName", altNames: names.map(alternativeName) },
      ]);
      return sign(issued, generateKeys());
    },
  };
}

interface Keys {
  readonly publicKey: forge.pki.rsa.PublicKey;
  readonly privateKey: forge.pki.rsa.PrivateKey;
  /** The private key, as a PEM text. */
  readonly key: string;
}

/** Through node:crypto, which takes a tenth of forge's own time. */
function generateKeys(): Keys {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return {
    publicKey: forge.pki.publicKeyFromPem(publicKey),
    privateKey: forge.pki.privateKeyFromPem(privateKey),
    key: privateKey,
  };
}

/** An unsigned certificate from a month ago to a month ahead, or to yesterday. */
function draft(name: string, expired = false): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  // A positive number without zeros before it, which a server refuses as padding.
  certificate.serialNumber = "01" + randomBytes(15).toString("hex");
  certificate.validity.notBefore = new Date(Date.now() - 30 * DAY);
  certificate.validity.notAfter = new Date(
    Date.now() + (expired ? -1 : 30) * DAY,
  );
  certificate.setSubject(commonName(name));
  return certificate;
}

function commonName(value: string): forge.pki.CertificateField[] {
  return [{ name: "commonName", value }];
}

function alternativeName(name: string): Record<string, string | number> {
  return isIP(name)
    ? { type: IP_ADDRESS, ip: name }
    : { type: DNS_NAME, value: name };
}
