import assert from "node:assert/strict";
import { secrets } from "../../../lib/commands/secrets.ts";
import { makeSecret } from "../../../lib/config/secret.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { fakeContext } from "../../support/fake_context.ts";
import type { FakeSystem } from "../../support/fake_system.ts";
import { fakeSystem } from "../../support/fake_system.ts";
import { MemoryFiles } from "../../support/memory_files.ts";
import { resolved } from "../settings/support.ts";

const NAMES = [
  "MATTERMOST_SECRET_KEY",
  "MATTERMOST_LINK_SALT",
  "MATTERMOST_RESET_SALT",
  "MATTERMOST_INVITE_SALT",
];

const SECRET_REGEXP = /^[A-Za-z0-9]{64}$/;

function run(args: readonly string[], system: FakeSystem): string {
  assert.equal(secrets(args, fakeContext(system)), 0);
  assert.equal(system.err.text, "");
  return system.out.text;
}

function failure(args: readonly string[], system: FakeSystem): EntrypointError {
  try {
    run(args, system);
  } catch (error) {
    assert.ok(error instanceof EntrypointError);
    assert.equal(system.out.text, "");
    return error;
  }
  return assert.fail("nothing was thrown");
}

function lines(text: string): [name: string, value: string][] {
  return text.trimEnd().split("\n").map((line) => {
    const [name = "", value = ""] = line.split("=");
    return [name, value];
  });
}

Deno.test("app:secrets prints the four secrets as lines of an environment file", () => {
  const generated = lines(run([], fakeSystem()));
  assert.deepEqual(generated.map(([name]) => name), NAMES);
  assert.ok(generated.every(([, value]) => SECRET_REGEXP.test(value)));
  assert.equal(new Set(generated.map(([, value]) => value)).size, 4);
  assert.deepEqual(resolved(Object.fromEntries(generated)).problems, []);
});

Deno.test("--format json prints the four secrets as JSON", () => {
  const generated: Record<string, string> = JSON.parse(
    run(["--format", "json"], fakeSystem()),
  );
  assert.deepEqual(Object.keys(generated), NAMES);
  assert.ok(
    Object.values(generated).every((value) => SECRET_REGEXP.test(value)),
  );
});

Deno.test("--write creates files that only their owner can read, and prints no secret", () => {
  const files = new MemoryFiles("/run");
  const system = fakeSystem({ files });
  const generated = lines(run(["--write", "/run/new/secrets"], system));
  assert.deepEqual(
    generated,
    NAMES.map((name) => [
      `${name}_FILE`,
      `/run/new/secrets/${name.toLowerCase()}`,
    ]),
  );
  assert.equal(files.stat("/run/new/secrets")?.mode, 0o700);
  for (const [, path] of generated) {
    assert.equal(files.stat(path)?.mode, 0o600);
    assert.match(files.readText(path), SECRET_REGEXP);
    assert.ok(!system.out.text.includes(files.readText(path)));
  }
  const { problems } = resolved(Object.fromEntries(generated), {
    readFile: (path) => new TextEncoder().encode(files.readText(path)),
  });
  assert.deepEqual(problems, []);
});

Deno.test("--write --format json prints the names of the files as JSON", () => {
  const text = run(
    ["--write=/run", "--format=json"],
    fakeSystem({ files: new MemoryFiles("/run") }),
  );
  assert.deepEqual(
    Object.keys(JSON.parse(text)),
    NAMES.map((name) => `${name}_FILE`),
  );
});

Deno.test("an existing file is reported and kept, and no other file is created", () => {
  const files = new MemoryFiles("/run");
  files.place("/run/mattermost_invite_salt", "precious");
  const error = failure(["--write", "/run"], fakeSystem({ files }));
  assert.equal(error.code, 73);
  assert.match(error.message, /\/run\/mattermost_invite_salt already exists/);
  assert.deepEqual(files.list("/run"), ["mattermost_invite_salt"]);
  assert.equal(files.readText("/run/mattermost_invite_salt"), "precious");
});

Deno.test("a dangling link counts as an existing file", () => {
  const files = new MemoryFiles("/run");
  files.link("/run/mattermost_secret_key", "/elsewhere");
  const error = failure(["--write", "/run"], fakeSystem({ files }));
  assert.equal(error.code, 73);
  assert.deepEqual(files.list("/run"), ["mattermost_secret_key"]);
});

Deno.test("if one file cannot be written, none is left", () => {
  for (const step of ["create", "write"]) {
    for (const name of NAMES) {
      const files = new MemoryFiles("/run");
      const path = `/run/${name.toLowerCase()}`;
      files.fault = (_, what) =>
        what === `${step} ${path}` ? { code: "ENOSPC" } : undefined;
      const error = failure(["--write", "/run"], fakeSystem({ files }));
      assert.equal(error.code, 73);
      assert.equal(
        error.message,
        `${path} cannot be written by user 0:0: no space is left on the device (ENOSPC)`,
      );
      assert.deepEqual(files.list("/run"), []);
    }
  }
});

Deno.test("a failure while the files are removed hides neither the first error nor the others", () => {
  const files = new MemoryFiles("/run");
  files.fault = (_, what) =>
    what.includes("invite_salt") || what.startsWith("remove /run/s/matter") &&
        what.includes("secret_key")
      ? { code: "ENOSPC" }
      : undefined;
  const error = failure(["--write", "/run/s"], fakeSystem({ files }));
  assert.match(error.message, /invite_salt cannot be written .*ENOSPC/);
  assert.deepEqual(files.list("/run/s"), ["mattermost_secret_key"]);
});

Deno.test("a directory that cannot be flushed is no failure", () => {
  const files = new MemoryFiles("/run");
  files.fault = (_, what) =>
    what.startsWith("sync ") ? { code: "EINVAL" } : undefined;
  run(["--write", "/run/s"], fakeSystem({ files }));
  assert.equal(files.list("/run/s").length, 4);
});

Deno.test("a file that another process creates meanwhile is not overwritten", () => {
  const files = new MemoryFiles("/run");
  files.fault = (_, what) => {
    if (what === "create /run/mattermost_link_salt") {
      files.place("/run/mattermost_link_salt", "precious");
    }
    return undefined;
  };
  const error = failure(["--write", "/run"], fakeSystem({ files }));
  assert.equal(error.code, 73);
  assert.match(error.message, /mattermost_link_salt already exists/);
  assert.deepEqual(files.list("/run"), ["mattermost_link_salt"]);
  assert.equal(files.readText("/run/mattermost_link_salt"), "precious");
});

Deno.test("a directory that cannot be created ends with code 73", () => {
  const reasons = {
    EROFS: "the file system is read-only (EROFS)",
    EEXIST: "something else has this name (EEXIST)",
  };
  for (const [code, reason] of Object.entries(reasons)) {
    const files = new MemoryFiles();
    files.fault = () => ({ code });
    const error = failure(["--write", "/run"], fakeSystem({ files }));
    assert.equal(error.code, 73);
    assert.equal(
      error.message,
      `/run cannot be written by user 0:0: ${reason}`,
    );
  }
});

Deno.test("a wrong format or option is a usage error", () => {
  const format = failure(["--format", "jsn"], fakeSystem());
  assert.equal(format.code, 64);
  assert.equal(format.remedy, "Did you mean json?");
  const option = failure(["--wirte", "/run"], fakeSystem());
  assert.equal(option.code, 64);
  assert.equal(option.remedy, "Did you mean --write?");
  assert.equal(failure(["/run"], fakeSystem()).code, 64);
  assert.equal(failure(["--write"], fakeSystem()).code, 64);
});

Deno.test("makeSecret() uses every letter and digit equally often", () => {
  // Each byte comes once, so a modulo over all of them would make eight characters too frequent.
  let next = 0;
  const random = (length: number): Uint8Array =>
    Uint8Array.from({ length }, () => next++ % 256);
  const counts = new Map<string, number>();
  for (let generated = 0; generated < 248; generated++) {
    for (const character of makeSecret(random)) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
  }
  assert.equal(counts.size, 62);
  const frequencies = [...counts.values()];
  assert.equal(frequencies.reduce((sum, count) => sum + count), 248 * 64);
  assert.ok(Math.max(...frequencies) - Math.min(...frequencies) <= 1);
});

Deno.test("root writes as the server's user where other users can change names", () => {
  for (const directory of ["/theirs", "/theirs/new", "/open"]) {
    const files = new MemoryFiles("/theirs", "/open", "/roots");
    files.chown("/theirs", { uid: 2000, gid: 2000 });
    files.chmod("/open", 0o777);
    const system = fakeSystem({ files });
    run(["--write", directory], system);
    assert.deepEqual(system.identities, [{ uid: 2000, gid: 2000 }]);
    const secret = files.stat(`${directory}/mattermost_secret_key`);
    assert.equal(secret?.uid, 2000);
    const stuck = fakeSystem({ files, missingCapabilities: ["SETUID"] });
    const error = failure(["--write", directory], stuck);
    assert.match(error.message, /lacks CAP_SETUID/);
  }
  const system = fakeSystem({ files: new MemoryFiles("/roots") });
  run(["--write", "/roots/new"], system);
  assert.deepEqual(system.identities, []);
  const files = new MemoryFiles("/theirs", "/roots");
  files.chown("/theirs", { uid: 2000, gid: 2000 });
  files.link("/theirs/link", "/roots");
  const linked = fakeSystem({ files });
  run(["--write", "/theirs/link/../../roots/new"], linked);
  assert.deepEqual(linked.identities, [{ uid: 2000, gid: 2000 }]);
});
