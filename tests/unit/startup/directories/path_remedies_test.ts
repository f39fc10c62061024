import assert from "node:assert/strict";
import type { Denial } from "../../../../lib/startup/directories/path_remedies.ts";
import { describeDenial } from "../../../../lib/startup/directories/path_remedies.ts";
import type { WrittenPath } from "../../../../lib/startup/directories/written_paths.ts";
import { fakeSystem } from "../../../support/fake_system.ts";
import { MemoryFiles } from "../../../support/memory_files.ts";

const DATA: WrittenPath = {
  path: "/data",
  kind: "directory",
  purpose: "the directory of uploaded files",
  isRequired: true,
  temporary: false,
  preparedByRoot: true,
  isInstalled: false,
};

const SCRATCH: WrittenPath = {
  ...DATA,
  path: "/scratch",
  purpose: "the directory of temporary files",
  temporary: true,
};

const ROOT_ONLY = "overlay / overlay rw 0 0\n";
const VOLUME = `${ROOT_ONLY}/dev/sdb /data ext4 rw 0 0\n`;

/** A path, and the user who cannot write to it. */
interface Case {
  readonly written?: WrittenPath;
  readonly denial?: Partial<Denial>;
  /** The user of this process, and the user of the server. */
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
    denial = {},
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
  const { message, remedy } = describeDenial(
    written,
    { code: "EACCES", path: written.path, lacks: "writing", ...denial },
    {
      identity: { uid: server, gid: server },
      system: fakeSystem({ files, uid }),
      kernel: { mounts, uidMap, gidMap: uidMap },
    },
  );
  return { message, remedy };
}

Deno.test("a read-only root file system needs a volume, or a tmpfs for temporary files", () => {
  const mounts = "overlay / overlay ro 0 0\n";
  assert.deepEqual(remedyFor({ mounts, denial: { code: "EROFS" } }), {
    message:
      "User 1000:1000 cannot write to /data, the directory of uploaded files: the root file system is read-only",
    remedy:
      "docker run -v mattermost-data:/data …   # a volume keeps its files when the container is removed",
  });
  assert.equal(
    remedyFor({ mounts, written: SCRATCH }).remedy,
    'docker run --tmpfs /scratch …   # in Compose: tmpfs: ["/scratch"]',
  );
});

Deno.test("without a table of mounts, EROFS means the root file system", () => {
  assert.match(
    remedyFor({ mounts: "", denial: { code: "EROFS" } }).message,
    /: the root file system is read-only$/,
  );
});

Deno.test("a full disk and a used-up quota need room, whatever the owner", () => {
  for (
    const [code, reason, command] of [
      ["ENOSPC", "no space is left on the device", "df -h /data; df -i /data"],
      ["EDQUOT", "the disk quota is used up", "du -sh /data"],
    ] as const
  ) {
    const { message, remedy } = remedyFor({ denial: { code, lacks: "none" } });
    assert.equal(
      message,
      `User 1000:1000 cannot write to /data, the directory of uploaded files: ${reason} (${code})`,
    );
    assert.ok(remedy?.includes(`start again: ${command} `));
  }
});

Deno.test("the remedy for a link that somebody else made does not give away its target", () => {
  const files = new MemoryFiles("/data", "/etc/root");
  files.chown("/data", { uid: 2000, gid: 2000 });
  files.link("/data/config", "/etc/root");
  const { message, remedy } = describeDenial(
    { ...DATA, path: "/data/config" },
    { code: "EACCES", path: "/etc/root", lacks: "writing" },
    {
      identity: { uid: 2000, gid: 2000 },
      system: fakeSystem({ files, uid: 0 }),
      kernel: { mounts: ROOT_ONLY, uidMap: "", gidMap: "" },
    },
  );
  assert.equal(
    message,
    "User 2000:2000 cannot write to /data/config, the directory of uploaded files: the symbolic link /data/config leads to /etc/root, and /etc/root belongs to 0:0 with mode 0755",
  );
  assert.equal(
    remedy,
    "rm /data/config   # or, if you made the link, give its target to user 2000:2000",
  );
});

Deno.test("a file in the place of a directory is reported", () => {
  const denial = { code: "ENOTDIR", lacks: "none" } as const;
  assert.deepEqual(remedyFor({ denial }), {
    message:
      "User 1000:1000 cannot write to /data, the directory of uploaded files: /data is not a directory",
    remedy: "ls -l /data   # remove it, or choose another directory",
  });
});

Deno.test("if the server's user owns the directory, the remedy changes the mode", () => {
  assert.deepEqual(remedyFor({ owner: 1000, mode: 0o500 }), {
    message:
      "User 1000:1000 cannot write to /data, the directory of uploaded files: /data belongs to 1000:1000 with mode 0500",
    remedy: "chmod u+rwx /data",
  });
});

Deno.test("on a volume the remedy changes the owner of the host's directory", () => {
  assert.equal(
    remedyFor({ mounts: VOLUME }).remedy,
    "On the host: chown -R 1000:1000 HOST_DIRECTORY   # the one that is mounted at /data",
  );
});

Deno.test("in a user namespace the remedy has the user id of the host", () => {
  assert.equal(
    remedyFor({ mounts: VOLUME, uidMap: "0 100000 65536\n" }).remedy,
    "On the host: chown -R 101000:101000 HOST_DIRECTORY   # the one that is mounted at /data; user 1000 of the container is user 101000 of the host",
  );
  assert.match(
    remedyFor({ mounts: VOLUME, uidMap: "0 100000 1000\n" }).remedy ?? "",
    /MATTERMOST_UID=1000 has no counterpart on the host/,
  );
});

Deno.test("a volume that denies access although owner and mode permit it needs an SELinux label", () => {
  assert.deepEqual(
    remedyFor({ mounts: VOLUME, owner: 1000, denial: { lacks: "none" } }),
    {
      message:
        "User 1000:1000 cannot write to /data, the directory of uploaded files: the system denies access with EACCES, although /data belongs to 1000:1000 with mode 0755",
      remedy:
        "docker run -v HOST_DIRECTORY:/data:Z …   # :Z sets the SELinux label, in Compose too",
    },
  );
});

Deno.test("for root in the image the remedy opens the parent directory, gives the directory, or creates it", () => {
  const root = { uid: 0, server: 2000 };
  assert.equal(
    remedyFor({ ...root, denial: { lacks: "entering" } }).remedy,
    "chmod o+x /data   # so that the server's user can reach /data",
  );
  assert.equal(remedyFor(root).remedy, "chown -R 2000:2000 /data");
  assert.deepEqual(remedyFor({ ...root, isThere: false }), {
    message:
      "User 2000:2000 cannot write to /data, the directory of uploaded files: /data cannot be examined (EACCES)",
    remedy:
      "mkdir -p /data && chown 2000:2000 /data   # in the image; or mount a volume there",
  });
});

Deno.test("a temporary directory gets a tmpfs", () => {
  assert.equal(
    remedyFor({ written: SCRATCH, uid: 0, server: 2000 }).remedy,
    'docker run --tmpfs /scratch …   # in Compose: tmpfs: ["/scratch"]',
  );
});

Deno.test("without root the remedy is a volume, or the user who owns the directory", () => {
  assert.equal(
    remedyFor({}).remedy,
    "Mount a volume at /data that belongs to 1000:1000",
  );
  assert.equal(
    remedyFor({ isThere: false }).remedy,
    "Mount a volume at /data that belongs to 1000:1000",
  );
  assert.equal(
    remedyFor({ owner: 2000 }).remedy,
    'docker run --user 2000:2000 …   # in Compose: user: "2000:2000"; or mount a volume at /data that belongs to 1000:1000',
  );
});

Deno.test("where nobody can change owners, the remedy is to run as the owner", () => {
  const files = new MemoryFiles("/data");
  files.chown("/data", { uid: 1_000_640_007, gid: 0 });
  const { remedy } = describeDenial(
    DATA,
    { code: "EACCES", path: "/data", lacks: "writing" },
    {
      identity: { uid: 1_000_650_000, gid: 0 },
      system: { files, startedAs: 1_000_650_000 },
      kernel: { mounts: "x /data nfs rw 0 0", uidMap: "", gidMap: "" },
    },
  );
  assert.equal(
    remedy,
    "securityContext: {runAsUser: 1000640007}   # the owner of the volume; on OpenShift first: oc annotate namespace NAME openshift.io/sa.scc.uid-range=1000640000/10000 --overwrite; or once as that owner: chmod -R g=u /data",
  );
});
