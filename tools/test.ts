/**
 * Runs `deno test`, and lists the ignored tests with the reasons at the end. If a test needs
 * something that this machine does not have, its name ends with the reason
 * (tests/support/needs.ts).
 *
 *     deno run -A tools/test.ts [OPTIONS OF deno test]
 *
 * The run fails if a test was ignored without a reason, and with `TEST_EVERYTHING=1` if any
 * test was ignored. Files that start database servers are ignored if this machine cannot
 * start database servers.
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
  const report = await Deno.makeTempFile({ prefix: "tests-", suffix: ".xml" });
  const files = DATABASES.isMet ? [] : await filesWithDatabases();
  const chosen = files.length === 0 ? args : await withoutFiles(args, files);
  try {
    const tests = new Deno.Command(Deno.execPath(), {
      args: ["test", `--junit-path=${report}`, ...chosen],
    }).spawn();
    // Forward signals and wait, so that the tests can clean up.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => tests.kill(signal));
    }
    const { code } = await tests.status;
    // In the report, tests that a filter excludes look like ignored tests.
    const ignored: Ignored = args.some((arg) => arg.startsWith("--filter"))
      ? new Map()
      : ignoredTests(await Deno.readTextFile(report));
    for (const line of summary(ignored)) console.log(line);
    if (files.length > 0) {
      console.log(
        [
          `Ignored: ${files.length} files (needs ${DATABASES.what})`,
          ...files,
        ]
          .join("\n  "),
      );
    }
    const isForbidden = Deno.env.get("TEST_EVERYTHING") === "1"
      ? ignored.size + files.length > 0
      : ignored.has(undefined);
    return code === 0 && isForbidden ? 1 : code;
  } finally {
    await Deno.remove(report);
  }
}

/** Replaces directories by their files, because `--ignore` of Deno 2.9.6 uses only its first path. */
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
