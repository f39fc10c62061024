import assert from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { checkPorts, requirePorts } from "../../../lib/startup/ports.ts";
import type { World } from "../../support/fake_system.ts";
import { ENOUGH, stage } from "../../support/installation.ts";

const USER = { uid: 2000, gid: 2000 };

async function problemsOf(
  env: Readonly<Record<string, string>>,
  world: World = {},
): Promise<readonly string[]> {
  const { context, system } = stage({
    ...USER,
    ...world,
    env: { ...ENOUGH, ...env },
  });
  const plan = await makePlan(context);
  const { problems } = await checkPorts(plan, system);
  return problems.map(({ message, remedy }) => `${message} → ${remedy}`);
}

const PRIVILEGED =
  "User 2000:2000 may not listen on port 80, which is a privileged port here (ServiceSettings.ListenAddress), and the server would end as soon as it had opened the database → MATTERMOST_PORT=8065   # and publish that port; or docker run --sysctl net.ipv4.ip_unprivileged_port_start=0 …";

Deno.test("a port that the user may not listen on is refused, and others are not", async () => {
  assert.deepEqual(await problemsOf({}), []);
  const ports = { 80: "EACCES", 8065: "EADDRINUSE" };
  assert.deepEqual(await problemsOf({}, { ports }), [PRIVILEGED]);
  assert.deepEqual(
    await problemsOf({ MATTERMOST_PORT: "8065" }, { ports }),
    [
      "Another program listens on port 8065 already (ServiceSettings.ListenAddress), and the server would end as soon as it had opened the database → ss -ltnp 'sport = :8065'   # end that program, or set another port: MATTERMOST_PORT=8065",
    ],
  );
  assert.deepEqual(
    await problemsOf({ MATTERMOST_PORT: "9000" }, { ports }),
    [],
  );
});

Deno.test("the port is that of the server's own variable", async () => {
  const ports = { 443: "EACCES" };
  const variable = { MM_SERVICESETTINGS_LISTENADDRESS: ":443" };
  const [problem = ""] = await problemsOf(variable, { ports });
  assert.match(problem, /port 443.* → MM_SERVICESETTINGS_LISTENADDRESS=:8065 /);
  for (const text of ["80", ":0", ":odd", "127.0.0.1:http"]) {
    const env = { MM_SERVICESETTINGS_LISTENADDRESS: text };
    assert.deepEqual(await problemsOf(env, { ports }), []);
  }
});

Deno.test("an address that the machine does not have is refused", async () => {
  const [problem = ""] = await problemsOf({
    MM_SERVICESETTINGS_LISTENADDRESS: "192.0.2.1:8065",
  }, { ports: { 8065: "EADDRNOTAVAIL" } });
  assert.match(
    problem,
    /listen on 192\.0\.2\.1, which is no address .* → MM_SERVICESETTINGS_LISTENADDRESS=:8065 /,
  );
});

Deno.test("releases that keep running without listening are named", async () => {
  const [problem = ""] = await problemsOf(
    { MATTERMOST_VERSION: "3.6.0" },
    { ports: { 80: "EACCES" } },
  );
  assert.match(
    problem,
    /and Mattermost 3\.6\.0 would keep running without answering/,
  );
});

Deno.test("with Forward80To443, port 80 is tried too", async () => {
  const env = { MM_SERVICESETTINGS_FORWARD80TO443: "true" };
  const [wrong = ""] = await problemsOf(env);
  assert.match(wrong, /listens on port 80 instead of 443, and would not start/);
  const both = { ...env, MATTERMOST_PORT: "443" };
  assert.deepEqual(await problemsOf(both), []);
  const [problem = "", ...none] = await problemsOf(both, {
    ports: { 80: "EADDRINUSE" },
  });
  assert.match(problem, /port 80 .*would not redirect HTTP to HTTPS/);
  assert.deepEqual(none, []);
});

Deno.test("root calculates what the server's user may do, unless that is root", async () => {
  const world: World = {
    uid: 0,
    gid: 0,
    runChild: ({ command: [program, path] }) => {
      assert.equal(program, "cat");
      assert.equal(path, "/proc/sys/net/ipv4/ip_unprivileged_port_start");
      return { code: 0, stdout: "1024\n", stderr: "" };
    },
  };
  assert.deepEqual(await problemsOf({}, world), [PRIVILEGED]);
  assert.deepEqual(await problemsOf({ MATTERMOST_PORT: "1024" }, world), []);
  assert.deepEqual(await problemsOf({ MATTERMOST_UID: "0" }, world), []);
  assert.deepEqual(
    await problemsOf({}, {
      ...world,
      runChild: () => ({ code: 1, stdout: "", stderr: "" }),
    }),
    [],
  );
});

Deno.test("a server with capabilities of its own may use any port", async () => {
  const world = { ports: { 80: "EACCES" }, hasCapabilities: true };
  assert.deepEqual(await problemsOf({}, world), []);
});

Deno.test("requirePorts() refuses with code 78", async () => {
  const { context } = stage({ ...USER, ports: { 80: "EADDRINUSE" } });
  const plan = await makePlan(context);
  await assert.rejects(
    requirePorts(plan, context),
    (error) =>
      error instanceof EntrypointError && error.code === 78 &&
      error.problems.length === 1,
  );
});
