/**
 * The task runners that started the demo, `npx` and `deno task`. They wait for the demo and
 * forward all signals but SIGKILL. So when one of them has ended, it was killed, and the demo
 * ends too.
 *
 * @module
 */

/** How often they are checked, in milliseconds. */
const INTERVAL = 500;
/** At most `npx`, its shell, and `deno task`. */
const MAX_COUNT = 3;

/** Calls `end` once, when a task runner of this program has ended. */
export async function whenTaskRunnerIsGone(end: () => void): Promise<void> {
  const runners = await taskRunners();
  const timer = setInterval(async () => {
    // When a process ends, its children get another parent.
    const ids = (await ancestors(runners.length)).map(({ pid }) => pid);
    if (runners.every((pid, index) => pid === ids[index])) return;
    clearInterval(timer);
    end();
  }, INTERVAL);
}

/** A shell that starts the demo in the background does not count: it may end before the demo. */
async function taskRunners(): Promise<number[]> {
  const all = await ancestors(MAX_COUNT);
  const npx = all.findIndex(({ name }) => name.startsWith("npm"));
  const task = all[0]?.name === "deno" ? 0 : -1;
  return all.slice(0, Math.max(npx, task) + 1).map(({ pid }) => pid);
}

/** Returns the nearest ancestor first. */
async function ancestors(
  count: number,
): Promise<{ pid: number; name: string }[]> {
  const found = [];
  for (let pid = Deno.ppid; pid > 0 && found.length < count;) {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    const [, name = "", parent = ""] = /\((.*)\) \S (\d+)/s.exec(stat) ?? [];
    found.push({ pid, name });
    pid = Number(parent);
  }
  return found;
}
