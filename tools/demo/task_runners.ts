/**
 * The task runners that started the demo, `npx` and `deno task`. They wait for it
 * and pass signals on, but for SIGKILL: when one is gone, it was killed, and
 * whoever killed it meant the demo.
 *
 * @module
 */

/** How often they are looked for, in milliseconds. */
const PAUSE = 500;
/** `npx`, its shell, and `deno task`. */
const MOST = 3;

/** Calls `end` once, as soon as a task runner of this program is gone. */
export async function whenTaskRunnerIsGone(end: () => void): Promise<void> {
  const runners = await taskRunners();
  const timer = setInterval(async () => {
    // The children of a process that has ended get another parent.
    const ids = (await ancestors(runners.length)).map(({ pid }) => pid);
    if (runners.every((pid, index) => pid === ids[index])) return;
    clearInterval(timer);
    end();
  }, PAUSE);
}

/** A script that starts the demo in the background and ends is no task runner. */
async function taskRunners(): Promise<number[]> {
  const all = await ancestors(MOST);
  const npx = all.findIndex(({ name }) => name.startsWith("npm"));
  const task = all[0]?.name === "deno" ? 0 : -1;
  return all.slice(0, Math.max(npx, task) + 1).map(({ pid }) => pid);
}

/** The nearest first. */
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
