import assert from "node:assert/strict";
import {
  hostId,
  MAY_ENTER,
  MAY_WRITE,
  mountOf,
  permits,
} from "../../../lib/os/permissions.ts";

Deno.test("permits() uses the bits of owner, group or others", () => {
  const facts = { uid: 2000, gid: 2000, mode: 0o731 };
  const may = (uid: number, gid: number, bits: number): boolean =>
    permits(facts, { uid, gid }, { bits });
  assert.ok(may(2000, 1, MAY_WRITE | MAY_ENTER));
  assert.ok(may(1, 2000, MAY_WRITE | MAY_ENTER));
  assert.ok(may(1, 1, MAY_ENTER));
  assert.ok(!may(1, 1, MAY_WRITE));
  assert.ok(may(0, 0, MAY_WRITE));
  // For the owner only the owner's bits count, even if others have more permissions.
  assert.ok(
    !permits({ ...facts, mode: 0o077 }, { uid: 2000, gid: 2000 }, {
      bits: MAY_WRITE,
    }),
  );
});

Deno.test("mountOf() finds the innermost and latest mount of a path", () => {
  const table = `overlay / overlay ro,relatime 0 0
/dev/sda1 /opt/mattermost/data ext4 rw 0 0
/dev/sdb1 /opt/mattermost/data ext4 ro,nosuid 0 0
/dev/sdc1 /opt/with\\040blank ext4 rw,noexec 0 0
`;
  assert.deepEqual(mountOf(table, "/opt/mattermost/data/config"), {
    path: "/opt/mattermost/data",
    readOnly: true,
    noExec: false,
  });
  assert.equal(mountOf(table, "/opt/mattermost/database")?.path, "/");
  assert.equal(mountOf(table, "/opt/with blank/x")?.path, "/opt/with blank");
  assert.equal(mountOf(table, "/opt/with blank/x")?.noExec, true);
  assert.equal(mountOf("", "/opt"), undefined);
});

Deno.test("hostId() converts ids of a user namespace", () => {
  const map =
    "         0       1000          1\n         1     100000      65536\n";
  assert.equal(hostId(map, 0), 1000);
  assert.equal(hostId(map, 2000), 101_999);
  assert.equal(hostId(map, 70_000), undefined);
  assert.equal(hostId("", 2000), 2000);
  assert.equal(hostId("0 0 4294967295\n", 2000), 2000);
});
