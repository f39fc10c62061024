import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { exists } from "../../tools/shared/cache.ts";
import {
  isRunning,
  killTree,
  run,
  signalTree,
} from "../../tools/shared/process.ts";
import { createScratch } from "../../tools/shared/scratch.ts";
import { type Need, testWith } from "../support/needs.ts";

Deno.test("remove() kills the processes with their children and removes the directory", async () => {
  const scratch = await createScratch({ prefix: "scratch-test-" });
  const { mode } = await Deno.stat(scratch.path);
  equal((mode ?? 0) & 0o777, 0o700);
  // The child is in a session of its own, as PostgreSQL's are, and keeps writing.
  const child = await scratch.launch(
    [
      ...["sh", "-c", 'setsid sh -c "$0" & echo; wait'],
      "while :; do mkdir -p a/b; echo >a/b/c; done",
    ],
    { cwd: scratch.path, stdout: "piped", stderr: "null" },
  );
  const reader = child.stdout.getReader();
  await reader.read();
  const tree = signalTree(child.pid, "SIGCONT");
  ok(tree.length >= 2, `${tree}`);

  await scratch.remove();
  const left = tree.filter(isRunning);
  left.forEach(killTree);
  deepEqual(left, []);
  ok(!await exists(scratch.path));
  equal((await child.status).signal, "SIGKILL");
  await reader.cancel();
  await scratch.remove();
});

Deno.test("a directory that cannot be created is an error", () =>
  rejects(
    createScratch({ prefix: "scratch-test-", parent: "/proc/none" }),
    /No directory can be created in \/proc\/none: mktemp: .*No such file/,
  ));

/** In its own namespace a test can choose the next process id. */
const UNSHARE = [
  ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
  ...Deno.uid() === 0 ? [] : ["--user", "--map-root-user"],
];

/** Permission to create such a namespace. */
const PROCESS_IDS: Need = {
  what:
    "a namespace for process ids (root with CAP_SYS_ADMIN, or user namespaces)",
  isMet: await run([...UNSHARE, "true"]).then(() => true, () => false),
};

testWith(
  [PROCESS_IDS],
  "another process with a reused id is not killed",
  async () => {
    await using scratch = await createScratch({ prefix: "scratch-test-" });
    const script = new URL("../../tools/shared/scratch.sh", import.meta.url);
    const text = await run([
      ...UNSHARE,
      ...["sh", "-euc"],
      `mkfifo in
    sh "$0" "$PWD/inner-" <in >out &
    watcher=$!
    exec 3>in
    sleep 60 3>&- &
    ours=$!
    echo "$ours" >&3
    sleep 0.5
    kill "$ours"
    wait "$ours" || true
    echo $((ours - 1)) >/proc/sys/kernel/ns_last_pid
    sleep 60 3>&- &
    [ $! = "$ours" ] && echo "the same id"
    exec 3>&-
    wait "$watcher"
    [ ! -e "$(cat out)" ] && kill -0 "$ours" && echo spared`,
      script.pathname,
    ], { cwd: scratch.path });
    equal(text, "the same id\nspared\n");
  },
);
