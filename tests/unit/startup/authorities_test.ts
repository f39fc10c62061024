import assert from "node:assert/strict";
// @ts-types="@types/node-forge"
import forge from "node-forge";
import type {
  Authorities,
  AuthorityLocations,
} from "../../../lib/startup/authorities.ts";
import {
  findAuthorities,
  joinBundle,
} from "../../../lib/startup/authorities.ts";
import { createAuthority } from "../../servers/certificates.ts";
import { fakeSystem } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const DIRECTORY = "/etc/mattermost/ca.d";
const SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";
const DAY = 86_400_000;

const authority = createAuthority("Private Authority");

function disk(texts: Readonly<Record<string, string>>): MemoryFiles {
  const files = new MemoryFiles(DIRECTORY, "/etc/ssl/certs", "/run/db");
  for (const [path, text] of Object.entries(texts)) files.place(path, text);
  return files;
}

function find(
  files: MemoryFiles,
  { days = 0, ...places }: Partial<AuthorityLocations> & {
    readonly days?: number;
  } = {},
): Authorities {
  return findAuthorities(fakeSystem({ files, now: Date.now() + days * DAY }), {
    directory: DIRECTORY,
    databaseFile: "",
    bundleOverride: undefined,
    ...places,
  });
}

function warningsOf(found: Authorities): string[] {
  return found.warnings.map(({ message }) => message);
}

/** The certificate of an authority that another one issued. */
function intermediate(name: string, issuer: string): string {
  const { privateKey, publicKey } = forge.pki.rsa.generateKeyPair(512);
  const certificate = forge.pki.createCertificate();
  certificate.serialNumber = "01";
  certificate.publicKey = publicKey;
  certificate.validity.notBefore = new Date(Date.now() - DAY);
  certificate.validity.notAfter = new Date(Date.now() + 365 * DAY);
  certificate.setSubject([{ name: "commonName", value: name }]);
  certificate.setIssuer([{ name: "commonName", value: issuer }]);
  certificate.setExtensions([{ name: "basicConstraints", cA: true }]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

Deno.test("without added certificates the system's bundle is trusted, and the server needs no other", () => {
  const found = find(disk({ [SYSTEM_BUNDLE]: "the system's" }));
  assert.deepEqual(
    [found.needsBundle, found.added, found.problems, found.warnings],
    [false, 0, [], []],
  );
  assert.deepEqual(found.trusted(), ["the system's"]);
});

Deno.test("if neither the system nor the operator has a bundle, the authorities of the runtime are trusted", () => {
  assert.equal(find(disk({})).trusted(), undefined);
});

Deno.test("added certificates follow those of the system", () => {
  const found = find(disk({
    [SYSTEM_BUNDLE]: "the system's",
    [`${DIRECTORY}/private.crt`]: authority.certificate,
    [`${DIRECTORY}/README`]: "not a certificate, and not read",
  }));
  assert.deepEqual([found.needsBundle, found.added], [true, 1]);
  assert.deepEqual(found.problems, []);
  assert.deepEqual(found.warnings, []);
  assert.deepEqual(found.trusted(), [
    "the system's",
    authority.certificate.trim(),
  ]);
});

Deno.test("the file of DB_SSL_CA is added too, and a duplicate counts once", () => {
  const found = find(
    disk({
      [`${DIRECTORY}/private.crt`]: authority.certificate,
      "/run/db/ca.pem": authority.certificate + authority.certificate,
    }),
    { databaseFile: "/run/db/ca.pem" },
  );
  assert.deepEqual([found.added, found.trusted()?.length], [1, 1]);
});

Deno.test("SSL_CERT_FILE replaces all other certificates, with a warning about those that it leaves out", () => {
  const found = find(
    disk({
      "/whole.pem": "all of them",
      [`${DIRECTORY}/private.crt`]: authority.certificate,
    }),
    { bundleOverride: "/whole.pem" },
  );
  assert.equal(found.needsBundle, false);
  assert.deepEqual(found.trusted(), ["all of them"]);
  assert.deepEqual(warningsOf(found), [
    `SSL_CERT_FILE is set, so the server trusts only the certificates in /whole.pem and ignores those in ${DIRECTORY}`,
  ]);
});

Deno.test("an SSL_CERT_FILE that cannot be read is left to the server", () => {
  const found = find(disk({}), { bundleOverride: "/nowhere.pem" });
  assert.equal(found.trusted(), undefined);
  assert.deepEqual(found.problems, []);
});

Deno.test("a file without a valid certificate is reported with what it holds instead", () => {
  const { key } = authority.issue();
  const found = find(disk({
    [`${DIRECTORY}/empty.crt`]: "",
    [`${DIRECTORY}/key.crt`]: key,
    [`${DIRECTORY}/noise.crt`]: "noise",
    [`${DIRECTORY}/torn.crt`]: authority.certificate.replace(
      /\n[^-\n]{64}/,
      "",
    ),
  }));
  assert.deepEqual(
    found.problems.map(({ message }) => message),
    [
      `${DIRECTORY}/key.crt holds a private key but no certificate`,
      `${DIRECTORY}/noise.crt holds no certificate in PEM format`,
      `${DIRECTORY}/torn.crt holds a damaged certificate`,
    ],
  );
  assert.ok(!JSON.stringify(found).includes(key.slice(100, 140)));
});

Deno.test("a file that cannot be read is reported with its variable and a remedy for the error code", () => {
  const missing = find(disk({}), { databaseFile: "/run/db/ca.pem" });
  assert.deepEqual(missing.problems, [{
    subject: "",
    message:
      "The file /run/db/ca.pem of DB_SSL_CA cannot be read: it does not exist (ENOENT)",
    remedy: "Mount the certificates at /run/db/ca.pem, or correct DB_SSL_CA",
  }]);

  const files = disk({ [`${DIRECTORY}/private.crt`]: authority.certificate });
  files.read = (path) => {
    throw Object.assign(new Error(path), { code: "EACCES" });
  };
  const [closed] = find(files).problems;
  assert.equal(
    closed?.message,
    `The file ${DIRECTORY}/private.crt of MATTERMOST_CA_DIR cannot be read: permission denied (EACCES)`,
  );
  assert.match(closed?.remedy ?? "", /^On the host: chmod a\+r /);
});

Deno.test("a MATTERMOST_CA_DIR that is not a directory or cannot be read is reported", () => {
  for (
    const [code, message] of [
      [
        "ENOTDIR",
        `MATTERMOST_CA_DIR must name a directory: ${DIRECTORY} is not one`,
      ],
      [
        "EACCES",
        `The file ${DIRECTORY} of MATTERMOST_CA_DIR cannot be read: permission denied (EACCES)`,
      ],
    ]
  ) {
    const files = disk({});
    files.list = (path) => {
      throw Object.assign(new Error(path), { code });
    };
    const found = find(files);
    assert.deepEqual(
      found.problems.map(({ message }) => message),
      [message],
    );
    assert.equal(found.added, 0);
  }
});

Deno.test("a warning tells that a certificate expires soon, has expired or is not valid yet", () => {
  const files = disk({ [`${DIRECTORY}/a.crt`]: authority.certificate });
  const warnings = (days: number): string =>
    warningsOf(find(files, { days })).join("\n");
  assert.equal(warnings(0), "");
  assert.match(
    warnings(15),
    /The certificate of Private Authority in .*\/a\.crt expires on \d{4}-\d\d-\d\d$/,
  );
  assert.match(
    warnings(31),
    /The certificate of Private Authority in \S+ expired on /,
  );
  assert.match(
    warnings(-31),
    /The certificate of Private Authority in \S+ is not valid before /,
  );
});

Deno.test("a warning tells that a server's certificate verifies no other", () => {
  const { certificate } = authority.issue({ names: ["db.example.com"] });
  const found = find(disk({ [`${DIRECTORY}/leaf.crt`]: certificate }));
  assert.deepEqual(warningsOf(found), [
    `The certificate of db.example.com in ${DIRECTORY}/leaf.crt belongs to a server, not to an authority: no other certificate can be verified with it`,
  ]);
});

Deno.test("a warning tells that an issuer is missing, until its certificate is added", () => {
  const pem = intermediate("Issuing Authority", "Private Authority");
  const path = `${DIRECTORY}/i.crt`;
  const alone = find(disk({
    [path]: pem,
    [SYSTEM_BUNDLE]:
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  }));
  assert.deepEqual(warningsOf(alone), [
    `The certificate of Issuing Authority in ${path} was issued by CN=Private Authority, whose own certificate is missing`,
  ]);
  for (const place of [`${DIRECTORY}/root.crt`, SYSTEM_BUNDLE]) {
    const both = find(disk({ [path]: pem, [place]: authority.certificate }));
    assert.deepEqual(both.warnings, [], place);
  }
});

Deno.test("the file for the database may hold the database's own certificate, or an authority without its issuer", () => {
  const databaseFile = "/run/db/ca.pem";
  const { certificate } = authority.issue({ names: ["db.example.com"] });
  for (const pem of [certificate, intermediate("Issuing", "Root")]) {
    const { warnings } = find(disk({ [databaseFile]: pem }), { databaseFile });
    assert.deepEqual(warnings, []);
  }
});

Deno.test("in a bundle each text starts on a new line", () => {
  assert.equal(joinBundle(["a\n\n", "b", "c\n"]), "a\nb\nc\n");
});
