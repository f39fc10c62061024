import assert from "node:assert/strict";
import type { Fault } from "../../../../lib/startup/directories/path_remedies.ts";
import { describeFault } from "../../../../lib/startup/directories/path_remedies.ts";
import type { WrittenPath } from "../../../../lib/startup/directories/written_paths.ts";
import { fakeSystem } from "../../../support/fake_system.ts";
import { MemoryFiles } from "../../../support/memory_files.ts";

const DATA: WrittenPath = {
  path: "/data",
  kind: "directory",
  purpose: "the directory of uploaded files",
  vital: true,
  temporary: false,
  provided: true,
};

const SCRATCH: WrittenPath = {
  ...DATA,
  path: "/scratch",
  purpose: "in which the server unpacks plugins and imports",
  temporary: true,
};

const ROOT_ONLY = "overlay / overlay rw 0 0\n";
const VOLUME = `${ROOT_ONLY}/dev/sdb /data ext4 rw 0 0\n`;

/** Where a path stands, and who cannot write it. */
interface Case {
  readonly written?: WrittenPath;
  readonly fault?: Partial<Fault>;
  /** Who we are, and whom the server runs as. */
  readonly uid?: number;
  readonly server?: number;
  /** Owner and mode of the path. */
  readonly owner?: number;
  readonly mode?: number;
  readonly isThere?: boolean;
  readonly mounts?: string;
  readonly uidMap?: string;
}

function remedyFor(
  {
    written = DATA,
    fault = {},
    uid = 1000,
    server = uid,
    owner = 0,
    mode = 0o755,
    isThere = true,
    mounts = ROOT_ONLY,
    uidMap = "",
  }: Case,
): { message: string; remedy: string | undefined } {
  const files = new MemoryFiles();
  if (isThere) {
    files.makeDirectory(written.path, mode);
    files.chown(written.path, { uid: owner, gid: owner });
  }
  const { message, remedy } = describeFault(
    written,
    { code: "EACCES", blame: written.path, lacks: "writing", ...fault },
    {
      identity: { uid: server, gid: server },
      system: fakeSystem({ files, uid }),
      surroundings: { mounts, uidMap, gidMap: uidMap },
    },
  );
  return { message, remedy };
}

Deno.test("prescription: a read-only root needs a volume, or a tmpfs for what may go", () => {
  const mounts = "overlay / overlay ro 0 0\n";
  assert.deepEqual(remedyFor({ mounts, fault: { code: "EROFS" } }), {
    message:
      "/data, the directory of uploaded files, cannot be written by user 1000:1000: the root file system is read-only",
    remedy:
      "docker run -v mattermost-data:/data …   # a volume, which stays when the container goes",
  });
  assert.equal(
    remedyFor({ mounts, written: SCRATCH }).remedy,
    'docker run --tmpfs /scratch …   # in Compose: tmpfs: ["/scratch"]',
  );
});

Deno.test("prescription: EROFS without a table of mounts is the root file system's", () => {
  assert.match(
    remedyFor({ mounts: "", fault: { code: "EROFS" } }).message,
    /: the root file system is read-only$/,
  );
});

Deno.test("prescription: a full disk and a used-up quota need room, whoever owns them", () => {
  for (const code of ["ENOSPC", "EDQUOT"]) {
    assert.deepEqual(remedyFor({ fault: { code, lacks: "nothing" } }), {
      message:
        "/data, the directory of uploaded files, cannot be written by user 1000:1000: the disk is full",
      remedy: "df -h /data   # make room there",
    });
  }
});

Deno.test("prescription: what a link of somebody else's leads to is not to be given away", () => {
  const files = new MemoryFiles("/data", "/etc/root");
  files.chown("/data", { uid: 2000, gid: 2000 });
  files.link("/data/config", "/etc/root");
  const { message, remedy } = describeFault(
    { ...DATA, path: "/data/config" },
    { code: "EACCES", blame: "/etc/root", lacks: "writing" },
    {
      identity: { uid: 2000, gid: 2000 },
      system: fakeSystem({ files, uid: 0 }),
      surroundings: { mounts: ROOT_ONLY, uidMap: "", gidMap: "" },
    },
  );
  assert.equal(
    message,
    "/data/config, the directory of uploaded files, cannot be written by user 2000:2000: the symbolic link /data/config leads to /etc/root, and /etc/root belongs to 0:0 with mode 0755",
  );
  assert.equal(
    remedy,
    "rm /data/config   # unless it is yours: then give user 2000:2000 what it leads to",
  );
});

Deno.test("prescription: a file in the place of a directory is named", () => {
  const fault = { code: "ENOTDIR", lacks: "nothing" } as const;
  assert.deepEqual(remedyFor({ fault }), {
    message:
      "/data, the directory of uploaded files, cannot be written by user 1000:1000: /data is no directory",
    remedy: "ls -l /data   # remove it, or choose another directory",
  });
});

Deno.test("prescription: the owner changes the mode", () => {
  assert.deepEqual(remedyFor({ owner: 1000, mode: 0o500 }), {
    message:
      "/data, the directory of uploaded files, cannot be written by user 1000:1000: /data belongs to 1000:1000 with mode 0500",
    remedy: "chmod u+rwx /data",
  });
});

Deno.test("prescription: on a volume the host's directory changes its owner", () => {
  assert.equal(
    remedyFor({ mounts: VOLUME }).remedy,
    "On the host: chown -R 1000:1000 HOST_DIRECTORY   # the one that is mounted at /data",
  );
});

Deno.test("prescription: in a user namespace the host's number is named", () => {
  assert.equal(
    remedyFor({ mounts: VOLUME, uidMap: "0 100000 65536\n" }).remedy,
    "On the host: chown -R 101000:101000 HOST_DIRECTORY   # the one that is mounted at /data, since user 1000 in here is user 101000 there",
  );
  assert.match(
    remedyFor({ mounts: VOLUME, uidMap: "0 100000 1000\n" }).remedy ?? "",
    /MATTERMOST_UID=1000 has no counterpart on the host/,
  );
});

Deno.test("prescription: a volume that refuses against owner and mode needs SELinux's label", () => {
  assert.deepEqual(
    remedyFor({ mounts: VOLUME, owner: 1000, fault: { lacks: "nothing" } }),
    {
      message:
        "/data, the directory of uploaded files, cannot be written by user 1000:1000: /data refuses with EACCES, though its owner 1000:1000 and mode 0755 permit it",
      remedy:
        "docker run -v HOST_DIRECTORY:/data:Z …   # a label for SELinux; in Compose the same :Z",
    },
  );
});

Deno.test("prescription: root in the image opens the way, gives the directory away, or makes it", () => {
  const root = { uid: 0, server: 2000 };
  assert.equal(
    remedyFor({ ...root, fault: { lacks: "entering" } }).remedy,
    "chmod o+x /data   # so that the server's user gets to /data",
  );
  assert.equal(remedyFor(root).remedy, "chown -R 2000:2000 /data");
  assert.deepEqual(remedyFor({ ...root, isThere: false }), {
    message:
      "/data, the directory of uploaded files, cannot be written by user 2000:2000: /data: EACCES",
    remedy:
      "mkdir -p /data && chown 2000:2000 /data   # in the image; or mount a volume there",
  });
});

Deno.test("prescription: what may go with the container gets a tmpfs", () => {
  assert.equal(
    remedyFor({ written: SCRATCH, uid: 0, server: 2000 }).remedy,
    'docker run --tmpfs /scratch …   # in Compose: tmpfs: ["/scratch"]',
  );
});

Deno.test("prescription: who is not root takes a volume, or the user who owns the directory", () => {
  assert.equal(
    remedyFor({}).remedy,
    "Mount a volume at /data that 1000:1000 owns",
  );
  assert.equal(
    remedyFor({ isThere: false }).remedy,
    "Mount a volume at /data that 1000:1000 owns",
  );
  assert.equal(
    remedyFor({ owner: 2000 }).remedy,
    'docker run --user 2000:2000 …   # in Compose: user: "2000:2000"; or mount a volume at /data that 1000:1000 owns',
  );
});
