import assert from "node:assert/strict";
import {
  becomeServerUser,
  requireChangeOfUser,
} from "../../../lib/startup/become_user.ts";
import type { Settings } from "../../../lib/settings/catalogue.ts";
import { stage } from "../../support/installation.ts";

/** The identities that the program takes, and its user and group afterwards. */
function become(
  start: { readonly uid: number; readonly gid: number },
  settings: Pick<Settings, "MATTERMOST_UID" | "MATTERMOST_GID">,
): unknown {
  const { system, context } = stage({ ...start, env: {} });
  const taken: unknown[] = [];
  system.becomeUser = (identity) => void taken.push(identity);
  const { uid, gid } = becomeServerUser(settings as Settings, context).system;
  return { taken, uid, gid };
}

Deno.test("root becomes the server's user", () => {
  const server = { uid: 2000, gid: 2001 };
  assert.deepEqual(
    become({ uid: 0, gid: 0 }, { MATTERMOST_UID: 2000, MATTERMOST_GID: 2001 }),
    { taken: [server], ...server },
  );
});

Deno.test("root takes another group even if it stays root", () => {
  assert.deepEqual(
    become({ uid: 0, gid: 0 }, { MATTERMOST_UID: 0, MATTERMOST_GID: 7 }),
    { taken: [{ uid: 0, gid: 7 }], uid: 0, gid: 7 },
  );
});

Deno.test("a process that runs as the server's user already takes no identity", () => {
  for (const self of [{ uid: 0, gid: 0 }, { uid: 1234, gid: 99 }]) {
    assert.deepEqual(
      become(self, { MATTERMOST_UID: 0, MATTERMOST_GID: 0 }),
      { taken: [], ...self },
    );
  }
});

Deno.test("a capability that root lacks is named, unless it stays the user that it is", () => {
  const settings = { MATTERMOST_UID: 2000, MATTERMOST_GID: 2000 } as Settings;
  const require = (uid: number, gid: number): void =>
    requireChangeOfUser(settings, {
      uid,
      gid,
      missingCapabilities: () => ["SETGID", "SETUID"],
    });
  assert.throws(() => require(0, 0), {
    code: 126,
    message:
      "Root cannot become the user 2000:2000 of the server: it lacks CAP_SETGID and CAP_SETUID, or the container maps no such user",
  });
  require(1234, 99);
});
