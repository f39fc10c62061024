import assert from "node:assert/strict";
import type { DataSource } from "../../../lib/database/data_source.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Settings } from "../../../lib/settings/catalogue.ts";
import { databaseFiles } from "../../../lib/startup/database_files.ts";
import { createAuthority } from "../../servers/certificates.ts";
import { fakeSystem } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const SETTINGS = {
  MATTERMOST_UID: 2000,
  MATTERMOST_GID: 2000,
  MATTERMOST_HOME: "/home",
  DB_SSL_CA: "/db-ca.pem",
} as Settings;

const SOURCE: DataSource = {
  adapter: "postgres",
  host: "db",
  port: 5432,
  user: "mmuser",
  password: "hunter22",
  database: "mattermost",
  sslMode: "verify-full",
};

const pair = createAuthority().issue({ names: ["mmuser"] });
const other = createAuthority().issue({ names: ["mmuser"] });
const CLIENT = { sslcert: "/client.crt", sslkey: "/client.key" };
const OURS = { cert: pair.certificate, key: pair.key };

type Disk = Readonly<Record<string, string>>;

const CLIENT_FILES: Disk = {
  "/client.crt": pair.certificate,
  "/client.key": pair.key,
};

/** Reads the files of a data source; keys have mode 0600. */
function filesOf(
  change: Partial<DataSource>,
  disk: Disk = {},
  prepare: (files: MemoryFiles) => void = () => {},
) {
  const files = new MemoryFiles();
  for (const [path, text] of Object.entries(disk)) {
    files.place(path, text, path.endsWith(".key") ? 0o600 : 0o644);
  }
  prepare(files);
  return databaseFiles({ ...SOURCE, ...change }, {
    system: fakeSystem({ files, uid: 2000, gid: 2000, env: { HOME: "/home" } }),
    settings: SETTINGS,
    trusted: () => ["all others"],
  });
}

function refusal(run: () => unknown): EntrypointError {
  try {
    run();
  } catch (error) {
    assert(error instanceof EntrypointError);
    assert.equal(error.code, 66);
    return error;
  }
  assert.fail("It should have been refused");
}

Deno.test("the authorities for the database depend on driver, mode and file", () => {
  const disk = { "/ca.pem": "the file" };
  const sslCa = "/ca.pem";
  assert.deepEqual(filesOf({ sslMode: "disable", sslCa }, disk), {});
  assert.deepEqual(filesOf({ socket: "/run", sslCa }, disk), {});
  assert.deepEqual(filesOf({ sslMode: "require" }), {});
  assert.deepEqual(filesOf({}), { ca: ["all others"] });
  assert.deepEqual(filesOf({ sslCa }, disk), { ca: ["the file"] });
  assert.deepEqual(filesOf({ sslMode: "require", sslCa }, disk), {
    ca: ["the file"],
  });
  const mysql = { adapter: "mysql", sslCa } as const;
  assert.deepEqual(filesOf(mysql, disk), { ca: ["the file", "all others"] });
  assert.deepEqual(filesOf({ ...mysql, sslMode: "require" }, disk), {});
});

Deno.test("a file of authorities that does not exist is an error, unless the mode is require", () => {
  const gone = { sslCa: "/gone.pem" };
  assert.equal(
    refusal(() => filesOf(gone)).message,
    "The file /gone.pem of sslrootcert cannot be read: it does not exist (ENOENT)",
  );
  assert.match(
    refusal(() => filesOf({ sslCa: "/db-ca.pem" })).message,
    /^The file \/db-ca\.pem of DB_SSL_CA /,
  );
  assert.deepEqual(filesOf({ ...gone, sslMode: "require" }), {});
});

Deno.test("the client's certificate and key are read", () => {
  const { client } = filesOf({ parameters: CLIENT }, CLIENT_FILES);
  assert.deepEqual(client, OURS);
  // The driver ignores a missing certificate, but not a missing key.
  const { "/client.crt": cert = "" } = CLIENT_FILES;
  assert.equal(filesOf({ parameters: CLIENT }).client, undefined);
  assert.match(
    refusal(() => filesOf({ parameters: CLIENT }, { "/client.crt": cert }))
      .message,
    /^The file \/client\.key of sslkey cannot be read/,
  );
});

Deno.test("certificate and key can be in the data source", () => {
  const parameters = {
    sslinline: "true",
    sslcert: pair.certificate,
    sslkey: pair.key,
  };
  assert.deepEqual(filesOf({ parameters, sslCa: "the text" }), {
    ca: ["the text"],
    client: OURS,
  });
  const require = {
    parameters,
    sslCa: "the text",
    sslMode: "require",
  } as const;
  assert.equal(filesOf(require).ca, undefined);
  assert.deepEqual(filesOf({ ...require, driver: "1.12.3" }).ca, ["the text"]);
});

Deno.test("the files in the server's home directory are the default", () => {
  const home = "/elsewhere/.postgresql";
  const disk = (directory: string): Disk => ({
    [`${directory}/postgresql.crt`]: pair.certificate,
    [`${directory}/postgresql.key`]: pair.key,
    [`${directory}/root.crt`]: "the root",
    "/etc/passwd": "root:x:0:0::/root:\nmm:x:2000:2000::/elsewhere:/bin/sh\n",
  });
  // Old versions ask /etc/passwd first, new ones HOME; only new ones have root.crt.
  assert.deepEqual(filesOf({ driver: "1.10.9" }, disk(home)), {
    ca: ["all others"],
    client: OURS,
  });
  assert.equal(
    filesOf({ driver: "1.12.3" }, disk(home)).client,
    undefined,
  );
  assert.deepEqual(filesOf({ driver: "1.12.3" }, disk("/home/.postgresql")), {
    ca: ["the root"],
    client: OURS,
  });
  const { "/etc/passwd": _, ...withoutUser } = disk("/home/.postgresql");
  assert.deepEqual(filesOf({ driver: "1.10.9" }, withoutUser).client, OURS);
});

Deno.test("lib/pq 1.12 has a name for the system's authorities", () => {
  const system = { sslCa: "system" };
  assert.deepEqual(filesOf({ ...system, driver: "1.12.3" }), {
    ca: ["all others"],
  });
  assert.match(
    refusal(() => filesOf({ ...system, driver: "1.10.9" })).message,
    /The file system of sslrootcert/,
  );
});

Deno.test("a key that others may read is refused, with its owner and mode", () => {
  const withMode = (mode: number, uid: number, driver?: string) => () =>
    filesOf(
      { parameters: CLIENT, ...(driver === undefined ? {} : { driver }) },
      CLIENT_FILES,
      (files) => {
        files.chmod("/client.key", mode);
        files.chown("/client.key", { uid, gid: 2000 });
      },
    );
  const error = refusal(withMode(0o640, 2000, "1.10.9"));
  assert.equal(
    error.message,
    "The key /client.key of sslkey is refused by the server's driver, since others can read it: /client.key belongs to 2000:2000 with mode 0640",
  );
  assert.equal(
    error.remedy,
    "chown 2000:2000 /client.key && chmod 600 /client.key",
  );
  assert.deepEqual(withMode(0o640, 0, "1.10.9")().client, OURS);
  refusal(withMode(0o640, 0, "1.10.4"));
  refusal(withMode(0o644, 0, "1.10.9"));
});

Deno.test("a key with a password, or of another certificate, is refused", () => {
  const withKey = (key: string) => () =>
    filesOf({ parameters: CLIENT }, { ...CLIENT_FILES, "/client.key": key });
  const encrypted = pair.key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
  assert.match(
    refusal(withKey(encrypted)).message,
    /^The key \/client\.key is encrypted with a password/,
  );
  assert.match(refusal(withKey(other.key)).message, /do not belong together/);
  assert.match(refusal(withKey("noise")).message, /do not belong together/);
});
