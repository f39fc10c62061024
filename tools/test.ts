/**
 * Runs `deno test`, and sums up at the end which tests were ignored and why: a test
 * that needs something that this machine does not have says so behind its name
 * (tests/support/needs.ts).
 *
 *     deno run -A tools/test.ts [OPTIONS OF deno test]
 *
 * A test that is ignored without a reason fails the run, and with `TEST_EVERYTHING=1`
 * any that is ignored. Files that start database servers are ignored as a whole where
 * none can be started.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { DATABASES } from "../tests/support/needs.ts";

const ROOT = join(import.meta.dirname ?? ".", "..");
/** What every file that starts a database server depends on. */
const SERVERS = join(ROOT, "tools/shared/database_server.ts");

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const report = await Deno.makeTempFile({ prefix: "tests-", suffix: ".xml" });
  const files = DATABASES.isMet ? [] : await filesWithDatabases();
  const chosen = files.length === 0 ? args : await withoutFiles(args, files);
  try {
    const tests = new Deno.Command(Deno.execPath(), {
      args: ["test", `--junit-path=${report}`, ...chosen],
    }).spawn();
    // Ends only when the tests have cleaned up behind themselves.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => tests.kill(signal));
    }
    const { code } = await tests.status;
    // The report does not tell what is ignored from what a filter leaves out.
    const ignored: Ignored = args.some((arg) => arg.startsWith("--filter"))
      ? new Map()
      : ignoredTests(await Deno.readTextFile(report));
    for (const line of summary(ignored)) console.log(line);
    if (files.length > 0) {
      console.log(
        [
          `Ignored: ${files.length} files, for want of ${DATABASES.what}`,
          ...files,
        ]
          .join("\n  "),
      );
    }
    const mustNotBe = Deno.env.get("TEST_EVERYTHING") === "1"
      ? ignored.size + files.length > 0
      : ignored.has(undefined);
    return code === 0 && mustNotBe ? 1 : code;
  } finally {
    await Deno.remove(report);
  }
}

/** Files instead of directories: of several, `--ignore` of Deno 2.9.6 minds only the first. */
async function withoutFiles(
  args: readonly string[],
  files: readonly string[],
): Promise<string[]> {
  const chosen = await Promise.all(args.map(async (arg) => {
    const isDirectory = await Deno.stat(arg).then(
      (info) => info.isDirectory,
      () => false,
    );
    return isDirectory ? await testFiles(resolve(arg)) : [arg];
  }));
  return chosen.flat().filter((arg) => !files.includes(resolve(arg)));
}

async function testFiles(directory: string): Promise<string[]> {
  const found = await output(["find", directory, "-name", "*_test.ts"]);
  return found.trim().split("\n").sort();
}

async function filesWithDatabases(): Promise<string[]> {
  const files = (await testFiles(join(ROOT, "tests")))
    .filter((file) => !file.includes("/unit/"));
  const needy = await Promise.all(files.map(async (file) => {
    const graph = await output([Deno.execPath(), "info", "--json", file]);
    const { modules } = JSON.parse(graph);
    return modules.some(({ local }: { local?: string }) => local === SERVERS);
  }));
  return files.filter((_, index) => needy[index]);
}

async function output([program = "", ...args]: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout);
}

/** Names of the ignored tests by what they need; `undefined` where a name does not say. */
export type Ignored = ReadonlyMap<string | undefined, readonly string[]>;

/**
 * Reads which tests were ignored.
 *
 * @param report What `deno test --junit-path` wrote.
 * @returns Their names.
 */
export function ignoredTests(report: string): Ignored {
  const cases = report.matchAll(
    /<testcase name="([^"]*)"[^>]*>\s*<skipped\s*\/>/g,
  );
  const names = [...cases].map(([, name = ""]) => unescapeXml(name));
  return Map.groupBy(names, (name) => / \(needs (.+)\)$/.exec(name)?.[1]);
}

/**
 * Says what was ignored.
 *
 * @param ignored The tests by what they need.
 * @returns The lines; none if every test was run.
 */
export function summary(ignored: Ignored): string[] {
  return [...ignored].flatMap(([need, names]) => {
    const count = names.length === 1 ? "1 test" : `${names.length} tests`;
    return need === undefined
      ? [`Ignored without a reason: ${count}`, ...names.map((n) => `  ${n}`)]
      : [`Ignored: ${count}, for want of ${need}`];
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
