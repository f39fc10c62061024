/**
 * Runs `deno test`, and sums up at the end which tests were ignored and why: a test
 * that needs something that this machine does not have says so behind its name
 * (tests/support/needs.ts).
 *
 *     deno run -P=tools tools/test.ts [OPTIONS OF deno test]
 *
 * A test that is ignored without a reason fails the run.
 *
 * @module
 */

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const report = await Deno.makeTempFile({ prefix: "tests-", suffix: ".xml" });
  try {
    const tests = new Deno.Command(Deno.execPath(), {
      args: ["test", `--junit-path=${report}`, ...args],
    }).spawn();
    // Ends only when the tests have cleaned up behind themselves.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => tests.kill(signal));
    }
    const { code } = await tests.status;
    const ignored = ignoredTests(await Deno.readTextFile(report));
    for (const line of summary(ignored)) console.log(line);
    return code === 0 && ignored.has(undefined) ? 1 : code;
  } finally {
    await Deno.remove(report);
  }
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
