import assert from "node:assert/strict";
import { EntrypointError } from "../../../../lib/errors.ts";
import {
  findNoExec,
  findServerDenial,
  requireServerAccess,
} from "../../../../lib/startup/directories/server_access.ts";
import { makePlan } from "../../../../lib/startup/plan.ts";
import { INSTALL, installed, stage } from "../../../support/installation.ts";

const SERVER = `${INSTALL}/bin/mattermost`;

Deno.test("a server that its user cannot reach or execute is reported, unless the system permits it nevertheless", async () => {
  const cases = [
    [INSTALL, 0o700, `chmod a+x ${INSTALL} `],
    [SERVER, 0o700, `chmod a+rx ${SERVER} `],
  ] as const;
  for (const [path, mode, remedy] of cases) {
    for (const code of [1, 0]) {
      const files = installed();
      const { system, context } = stage({
        files,
        runChild: () => ({ code, stdout: "", stderr: "" }),
      });
      const plan = await makePlan(context);
      assert.equal(await findServerDenial(plan, system), undefined);
      files.chmod(path, mode);
      const problem = await findServerDenial(plan, system);
      assert.deepEqual(system.children.at(-1)?.command, ["test", "-x", SERVER]);
      assert.deepEqual(system.children.at(-1)?.uid, 2000);
      if (code === 0) {
        assert.equal(problem, undefined);
        continue;
      }
      assert.equal(
        problem?.message,
        `User 2000:2000 cannot execute ${SERVER}: ${path} belongs to 0:0 with mode 0700`,
      );
      assert.ok(problem?.remedy?.startsWith(remedy));
      await assert.rejects(
        requireServerAccess(plan, system),
        (error) => error instanceof EntrypointError && error.code === 126,
      );
    }
  }
});

Deno.test("a server on a file system that is mounted with noexec is reported", async () => {
  const files = installed();
  files.makeDirectory("/proc/self");
  files.place("/proc/self/mounts", `x ${INSTALL} ext4 rw,noexec 0 0\n`);
  const { system, context } = stage({ files });
  const plan = await makePlan(context);
  assert.equal(
    (await findNoExec(plan, system))?.message,
    `${SERVER} cannot be executed: the file system at ${INSTALL} is mounted with noexec`,
  );
  files.place("/proc/self/mounts", `x ${INSTALL} ext4 rw 0 0\n`);
  assert.equal(await findNoExec(plan, system), undefined);
});
