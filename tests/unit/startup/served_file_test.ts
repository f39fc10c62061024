import assert from "node:assert/strict";
import { readServedFile } from "../../../lib/startup/served_file.ts";
import type { Settings } from "../../../lib/settings/catalogue.ts";
import { fakeSystem } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";

const SETTINGS = { MATTERMOST_UID: 2000, MATTERMOST_GID: 2000 } as Settings;
const PATH = "/certificates/ca.pem";

/** Reads as root, where the kernel refuses what the server's user may not read. */
function read(
  files: MemoryFiles,
  { code = "EACCES", groups = [], settings = SETTINGS }: {
    readonly code?: string;
    readonly groups?: readonly number[];
    readonly settings?: Settings;
  } = {},
): string {
  const system = fakeSystem({ files });
  system.supplementaryGroups = () => groups;
  system.filesFor = () => {
    const refusing = new MemoryFiles();
    refusing.read = () => {
      throw Object.assign(new Error("refused"), { code });
    };
    return refusing;
  };
  return readServedFile(PATH, "DB_SSL_CA", { settings, system });
}

function disk(mode: number): MemoryFiles {
  const files = new MemoryFiles("/certificates");
  files.place(PATH, "text", mode);
  return files;
}

Deno.test("a file that the server's user may not read is refused with file, owner and mode", () => {
  assert.throws(() => read(disk(0o640)), {
    code: 66,
    message:
      "The file /certificates/ca.pem of DB_SSL_CA cannot be read by user 2000:2000 of the server: /certificates/ca.pem belongs to 0:0 with mode 0640",
    remedy: "chmod a+r /certificates/ca.pem",
  });
  const closed = disk(0o644);
  closed.chmod("/certificates", 0o700);
  assert.throws(() => read(closed), {
    message: /: \/certificates belongs to 0:0 with mode 0700$/,
    remedy: "chmod a+x /certificates",
  });
});

Deno.test("root that cannot take the rights of the server's user decides by owner, groups and mode", () => {
  const files = disk(0o640);
  files.chown(PATH, { uid: 0, gid: 3000 });
  const code = "EPERM";
  assert.equal(read(files, { code, groups: [3000] }), "text");
  assert.throws(() => read(files, { code }), { code: 66 });
});

Deno.test("with MATTERMOST_UID=0 root reads everything", () => {
  const settings = { MATTERMOST_UID: 0, MATTERMOST_GID: 0 } as Settings;
  assert.equal(read(disk(0o600), { settings }), "text");
});

Deno.test("another user than root, and root for a file that all can read, read it", () => {
  const files = disk(0o644);
  for (const uid of [0, 1234]) {
    const system = fakeSystem({ files, uid });
    const options = { settings: SETTINGS, system };
    assert.equal(readServedFile(PATH, "DB_SSL_CA", options), "text");
  }
});
