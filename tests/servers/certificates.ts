/**
 * Makes certificates for tests of TLS: a private CA and server certificates. It does not use
 * the command `openssl`, which may not be installed.
 *
 * @module
 */

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP } from "node:net";
// @ts-types="@types/node-forge"
import forge from "node-forge";

/** A certificate and its private key, both in PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** Options of a certificate. */
export interface CertificateOptions {
  /** Host names and IP addresses; by default `localhost` and 127.0.0.1. */
  readonly names?: readonly string[];
  /** Whether it expired yesterday instead of expiring in a month. */
  readonly expired?: boolean;
  /** Whether it is for a client instead of a server. */
  readonly isClient?: boolean;
}

/** A certificate authority. */
export interface Authority {
  /** Its own certificate in PEM. */
  readonly certificate: string;
  /** Issues a certificate. */
  readonly issue: (options?: CertificateOptions) => KeyPair;
}

/** A day in milliseconds. */
const DAY = 86_400_000;

/** The kinds of names in a certificate (RFC 5280, section 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/** Makes a new authority. */
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
    issue(
      {
        names = ["localhost", "127.0.0.1"],
        expired = false,
        isClient = false,
      } = {},
    ) {
      const issued = draft(names[0] ?? "", expired);
      issued.setExtensions([
        {
          name: "extKeyUsage",
          ...(isClient ? { clientAuth: true } : { serverAuth: true }),
        },
        { name: "subjectAltName", altNames: names.map(alternativeName) },
      ]);
      return sign(issued, generateKeys());
    },
  };
}

interface Keys {
  readonly publicKey: forge.pki.rsa.PublicKey;
  readonly privateKey: forge.pki.rsa.PrivateKey;
  /** The private key in PEM. */
  readonly key: string;
}

/** With node:crypto, which is ten times as fast as node-forge. */
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

/** An unsigned certificate, valid for a month before and after now, or until yesterday. */
function draft(name: string, expired = false): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  // A positive number without leading zeros, which some servers refuse.
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
