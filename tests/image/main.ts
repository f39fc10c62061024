/**
 * Runs the test cases of the image in real containers, and prints a line for each.
 *
 *     deno task test:image [NAME…] [--filter TEXT] [--list]
 *
 * The image is built from the sources, or with the compiled program that ENTRYPOINT_BINARY
 * names. Downloads are kept in ENTRYPOINT_CACHE_DIR.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { guard } from "../../tools/shared/process.ts";
import { provideBases } from "./bases.ts";
import { Builder } from "./build.ts";
import { CASES as BACKUPS } from "./cases/backups.ts";
import { CASES as BUILD } from "./cases/build.ts";
import { CASES as FAILURES } from "./cases/failures.ts";
import { CASES as FIRST_START } from "./cases/first_start.ts";
import { CASES as HARDENED } from "./cases/hardened.ts";
import { CASES as KUBERNETES } from "./cases/kubernetes.ts";
import { CASES as LIFE } from "./cases/life.ts";
import { CASES as LINKS } from "./cases/links.ts";
import { CASES as OFFICIAL_IMAGES } from "./cases/official_images.ts";
import { CASES as PROXIES } from "./cases/proxies.ts";
import { CASES as QUICK_START } from "./cases/quick_start.ts";
import { CASES as SAMPLES } from "./cases/samples.ts";
import { CASES as SWARM } from "./cases/swarm.ts";
import { CASES as UPGRADES } from "./cases/upgrades.ts";
import { attemptSync, endRunning } from "./command.ts";
import { Docker } from "./docker.ts";
import { type AtEnd, type Engine, openEngine } from "./engine.ts";
import { type Case, Lab } from "./lab.ts";

const CASES: readonly Case[] = [
  ...[...QUICK_START, ...FIRST_START, ...LIFE, ...LINKS, ...FAILURES],
  ...HARDENED,
  ...[
    ...UPGRADES,
    ...BACKUPS,
    ...SAMPLES,
    ...PROXIES,
    ...SWARM,
    ...KUBERNETES,
    ...BUILD,
  ],
  ...OFFICIAL_IMAGES,
];

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { filter: { type: "string" }, list: { type: "boolean" } },
  });
  const unknown = positionals.filter((name) =>
    !CASES.some((each) => each.name === name)
  );
  const chosen = CASES.filter(({ name, what }) =>
    (positionals.length === 0 || positionals.includes(name)) &&
    `${name}: ${what}`.includes(values.filter ?? "")
  );
  if (values.list) {
    for (const { name, what } of chosen) say(`${name}: ${what}`);
    return 0;
  }
  if (unknown.length > 0 || chosen.length === 0) {
    say(
      `There is no case ${
        unknown.join(", ") || values.filter
      }: --list prints all cases`,
    );
    return 64;
  }
  return await runAll(chosen);
}

/** Runs cases in an engine, and cleans up, also after an interrupt. */
async function runAll(cases: readonly Case[]): Promise<number> {
  const root = join(import.meta.dirname ?? ".", "../..");
  const home = await Deno.makeTempDir({ prefix: "mattermost-image-" });
  const cleanUps: (() => void)[] = [
    () => void attemptSync(["rm", "-rf", home]),
  ];
  const atEnd = (each: () => void) => void cleanUps.push(each);
  const cleanUp = () => {
    endRunning();
    for (const each of cleanUps.splice(0).toReversed()) each();
  };
  const unguard = guard(cleanUp);
  try {
    const binary = Deno.env.get("ENTRYPOINT_BINARY") || undefined;
    const engine = await openEngine(home, atEnd);
    const { environment } = engine;
    const made = await provideBases({ environment, say, atEnd });
    const builder = await prepare({ engine, root, home, binary, made, atEnd });
    let failed = 0;
    for (const each of cases) {
      const docker = new Docker(
        environment,
        `mattermost-test-${Deno.pid}-${each.name}`,
      );
      const directory = join(home, "cases", each.name);
      await Deno.mkdir(directory, { recursive: true });
      const lab = new Lab(docker, { builder, directory, root });
      const close = () => lab.close();
      atEnd(close);
      if (!await passes(each, lab)) failed++;
      cleanUps.splice(cleanUps.indexOf(close), 1);
      close();
    }
    say(`${cases.length - failed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    cleanUp();
    unguard();
  }
}

async function prepare(
  { engine, root, home, binary, made, atEnd }: {
    engine: Engine;
    root: string;
    home: string;
    binary: string | undefined;
    made: readonly string[];
    atEnd: AtEnd;
  },
): Promise<Builder> {
  const docker = new Docker(engine.environment, `mattermost-${Deno.pid}`);
  const directory = join(home, "context");
  await Deno.mkdir(directory);
  const builder = new Builder(docker, directory);
  await builder.prepare(root, binary);
  // A private engine is removed with its images.
  if (!engine.isPrivate) {
    atEnd(() => {
      for (const name of [...builder.tags, ...made]) docker.removeImage(name);
    });
  }
  return builder;
}

async function passes(each: Case, lab: Lab): Promise<boolean> {
  const started = performance.now();
  let failure: unknown;
  await each.run(lab).catch((error) => failure = error);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const isGood = failure === undefined;
  say(`${isGood ? "ok  " : "FAIL"} ${each.name}: ${each.what} (${seconds} s)`);
  if (!isGood) {
    const text = failure instanceof Error ? failure.stack : String(failure);
    say(`${text}`.replace(/^/gm, "     "));
  }
  return isGood;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
