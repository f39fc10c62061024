/**
 * Runs files of tests, each in its own `deno test`, as many at once as there are processors, and
 * lists the ignored tests with the reasons at the end. `deno test --parallel` has one process,
 * whose umask, environment and signals some tests change. If a test needs something that this
 * machine does not have, its name ends with the reason (tests/support/needs.ts).
 *
 *     deno run -A tools/test.ts [OPTIONS OF deno test] FILE|DIRECTORY…
 *
 * The run fails if a test was ignored without a reason, and with `TEST_EVERYTHING=1` if any
 * test was ignored. Files that start database servers are ignored if this machine cannot
 * start database servers. `DENO_JOBS` is another number of files at once.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { DATABASES } from "../tests/support/needs.ts";

const ROOT = join(import.meta.dirname ?? ".", "..");
/** The module that every file with a database server imports, directly or not. */
const SERVERS = join(ROOT, "tools/shared/database_server.ts");

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { options, files: chosen } = await readArguments(args);
  const left = DATABASES.isMet ? [] : await filesWithDatabases();
  const files = chosen.filter((file) => !left.includes(file));
  const { failed, reports } = await runFiles(files, options);
  // In the report, tests that a filter excludes look like ignored tests.
  const ignored: Ignored = options.some((arg) => arg.startsWith("--filter"))
    ? new Map()
    : ignoredTests(reports);
  for (const line of summary(ignored)) console.log(line);
  if (left.length > 0) {
    const title = `Ignored: ${left.length} files (needs ${DATABASES.what})`;
    console.log([title, ...left].join("\n  "));
  }
  console.log([`Failed files: ${failed.length}`, ...failed].join("\n  "));
  const isForbidden = Deno.env.get("TEST_EVERYTHING") === "1"
    ? ignored.size + left.length > 0
    : ignored.has(undefined);
  return failed.length > 0 || isForbidden ? 1 : 0;
}

/** Separates options from files, and replaces directories by their files. */
async function readArguments(
  args: readonly string[],
): Promise<{ options: string[]; files: string[] }> {
  const options: string[] = [];
  const files: string[] = [];
  for (const arg of args) {
    const isDirectory = await Deno.stat(arg).then(
      (info) => info.isDirectory,
      () => false,
    );
    if (isDirectory) files.push(...await testFiles(resolve(arg)));
    else if (arg.endsWith("_test.ts")) files.push(resolve(arg));
    else options.push(arg);
  }
  if (files.length === 0) throw new Error("Name files of tests");
  return { options, files };
}

/** Runs the files, and prints the output of each when it ends; of a single one at once. */
async function runFiles(
  files: readonly string[],
  options: readonly string[],
): Promise<{ failed: string[]; reports: string }> {
  const directory = await Deno.makeTempDir({ prefix: "tests-" });
  const queue = [...files.entries()];
  const running = new Set<Deno.ChildProcess>();
  const failed: string[] = [];
  let reports = "";
  // Forward signals and wait, so that the tests can clean up.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      queue.length = 0;
      failed.push(`the tests were ended by ${signal}`);
      for (const tests of running) tests.kill(signal);
    });
  }
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, file] = next;
      const log = join(directory, `${index}.log`);
      const report = join(directory, `${index}.xml`);
      const command = ["test", `--junit-path=${report}`, ...options, file];
      const tests = new Deno.Command("sh", {
        args: [
          "-c",
          files.length === 1 ? 'exec "$@"' : 'exec "$@" >"$0" 2>&1',
          ...[log, Deno.execPath(), ...command],
        ],
      }).spawn();
      running.add(tests);
      const { success } = await tests.status;
      running.delete(tests);
      if (files.length > 1) console.log(await Deno.readTextFile(log));
      if (!success) failed.push(file);
      reports += await Deno.readTextFile(report).catch(() => "");
    }
  };
  try {
    const jobs = Number(Deno.env.get("DENO_JOBS")) ||
      navigator.hardwareConcurrency;
    await Promise.all(Array.from({ length: jobs }, work));
    return { failed, reports };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function testFiles(directory: string): Promise<string[]> {
  const found = await output(["find", directory, "-name", "*_test.ts"]);
  return found.trim().split("\n").sort();
}

async function filesWithDatabases(): Promise<string[]> {
  const files = (await testFiles(join(ROOT, "tests")))
    .filter((file) => !file.includes("/unit/"));
  const uses = await Promise.all(files.map(async (file) => {
    const graph = await output([Deno.execPath(), "info", "--json", file]);
    const { modules } = JSON.parse(graph);
    return modules.some(({ local }: { local?: string }) => local === SERVERS);
  }));
  return files.filter((_, index) => uses[index]);
}

async function output([program = "", ...args]: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout);
}

/** Names of the ignored tests by their reason; `undefined` if a name has none. */
type Ignored = ReadonlyMap<string | undefined, readonly string[]>;

/** Finds the ignored tests in a report of `deno test --junit-path`. */
function ignoredTests(report: string): Ignored {
  const cases = report.matchAll(
    /<testcase name="([^"]*)"[^>]*>\s*<skipped\s*\/>/g,
  );
  const names = [...cases].map(([, name = ""]) => unescapeXml(name));
  return Map.groupBy(names, (name) => / \(needs (.+)\)$/.exec(name)?.[1]);
}

/** Lists the ignored tests for the terminal. */
function summary(ignored: Ignored): string[] {
  return [...ignored].flatMap(([need, names]) => {
    const count = names.length === 1 ? "1 test" : `${names.length} tests`;
    return need === undefined
      ? [`Ignored without a reason: ${count}`, ...names.map((n) => `  ${n}`)]
      : [`Ignored: ${count} (needs ${need})`];
  });
}

function unescapeXml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" },
  };
  return text.replace(
    /&(#?\w+);/g,
    (whole, name: string) =>
      name.startsWith("#")
        ? String.fromCodePoint(Number(name.slice(1).replace(/^x/, "0x")))
        : names[name] ?? whole,
  );
}
