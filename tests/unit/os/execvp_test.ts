import assert from "node:assert/strict";
import {
  type Attempt,
  candidates,
  continuesSearch,
  describeErrno,
  Errno,
  execFailure,
} from "../../../lib/os/execvp.ts";

function attempt(path: string, rest: Partial<Attempt> = {}): Attempt {
  return {
    path,
    errno: Errno.ENOENT,
    exists: false,
    isDirectory: false,
    ...rest,
  };
}

Deno.test("candidates() does not search for a command with a slash", () => {
  assert.deepEqual(candidates("/bin/sh", "/usr/bin"), ["/bin/sh"]);
  assert.deepEqual(candidates("bin/x", "/usr/bin"), ["bin/x"]);
});

Deno.test("candidates() searches PATH in order, and an empty element is the working directory", () => {
  assert.deepEqual(candidates("x", "/a::/b:"), ["/a/x", "./x", "/b/x", "./x"]);
});

Deno.test("candidates() searches the default directories of glibc if there is no PATH", () => {
  assert.deepEqual(candidates("x"), ["/bin/x", "/usr/bin/x"]);
});

Deno.test("candidates() finds nothing for an empty command", () => {
  assert.deepEqual(candidates("", "/bin"), []);
});

Deno.test("continuesSearch() continues after a missing or forbidden file, and stops at a broken program", () => {
  const tried = (errno: number): boolean =>
    continuesSearch(attempt("/x", { errno }));
  assert.deepEqual(
    [Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES].map(tried),
    [true, true, true],
  );
  assert.deepEqual(
    [Errno.ENOEXEC, Errno.E2BIG, Errno.EPERM].map(tried),
    [false, false, false],
  );
});

Deno.test("execFailure() lists all files that were tried", () => {
  const error = execFailure("x", [attempt("/a/x"), attempt("/b/x")]);
  assert.equal(error.code, 127);
  assert.match(error.message, /"x" in PATH, tried: \/a\/x, \/b\/x$/);
});

Deno.test("execFailure() reports if nothing was tried", () => {
  const error = execFailure("", []);
  assert.equal(error.code, 127);
  assert.match(error.message, /tried: nothing$/);
});

Deno.test("execFailure() lists the directory of a path that does not exist as remedy", () => {
  const error = execFailure("/opt/x", [attempt("/opt/x")]);
  assert.equal(error.code, 127);
  assert.equal(error.remedy, "ls -l /opt");
  const quoted = execFailure("/My Apps/x", [attempt("/My Apps/x")]);
  assert.equal(quoted.remedy, "ls -l '/My Apps'");
});

Deno.test("execFailure() reports a forbidden file rather than missing ones", () => {
  const refused = { errno: Errno.EACCES, exists: true };
  const error = execFailure("x", [
    attempt("/a/x"),
    attempt("/b/x", refused),
    attempt("/c/x"),
  ]);
  assert.equal(error.code, 126);
  assert.equal(error.message, "Cannot execute /b/x: permission denied");
  assert.equal(error.remedy, "chmod +x /b/x");
});

Deno.test("execFailure() looks for another reason if the mode permits to execute the file", () => {
  const refused = { errno: Errno.EACCES, exists: true };
  const error = execFailure("/x", [attempt("/x", { ...refused, mode: 0o755 })]);
  assert.match(error.message, /mounted with noexec, or the interpreter/);
  assert.match(error.remedy ?? "", /^findmnt -T \/x /);
  const closed = execFailure("/x", [
    attempt("/x", { ...refused, mode: 0o750 }),
  ]);
  assert.equal(closed.message, "Cannot execute /x: permission denied");
});

Deno.test("execFailure() distinguishes a missing interpreter from a missing file", () => {
  const error = execFailure("/x", [attempt("/x", { exists: true })]);
  assert.equal(error.code, 126);
  assert.match(error.message, /interpreter/);
});

Deno.test("execFailure() has a remedy for every errno", () => {
  for (const errno of Object.values(Errno)) {
    const error = execFailure("/x", [attempt("/x", { errno, exists: true })]);
    assert.equal(error.code, 126);
    assert.ok(error.remedy);
  }
});

Deno.test("describeErrno() shows the number of an unknown errno", () => {
  assert.equal(describeErrno(5), "system error 5");
});
