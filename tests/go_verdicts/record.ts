/**
 * Records what Go's drivers say about server certificates, in verdicts.tsv:
 *
 *     deno run -A --config tests/deno.json tests/go_verdicts/record.ts
 *
 * It needs Go, which downloads the drivers.
 *
 * @module
 */

import { join } from "node:path";
import { startPostgres } from "../../tools/shared/postgres.ts";
import {
  CERTIFICATE_KINDS,
  type ServedCertificate,
} from "../servers/certificate_kinds.ts";
import { startMariadb } from "../servers/mariadb.ts";
import {
  presentCertificate,
  WEAK_CERTIFICATES,
} from "../servers/present_certificate.ts";
import { CLIENTS, HOSTS, VERDICTS_FILE } from "./verdicts.ts";

const HERE = import.meta.dirname ?? ".";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "go-verdicts-" });
  try {
    await Deno.writeTextFile(VERDICTS_FILE, await record(directory));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function record(directory: string): Promise<string> {
  const recorders = new Map<string, string>();
  for (const { version } of CLIENTS) {
    if (!recorders.has(version)) {
      recorders.set(version, await build(directory, version));
    }
  }
  const [first] = Object.values(CERTIFICATE_KINDS);
  if (first === undefined) throw new Error("No kinds");
  await using postgres = await startPostgres({
    tls: first(),
    settings: WEAK_CERTIFICATES.postgres,
  });
  await using mariadb = await startMariadb({
    tls: first(),
    settings: WEAK_CERTIFICATES.mysql,
  });
  const trusted = join(directory, "trusted.pem");
  const lines = [["kind", "host", ...CLIENTS.map(({ name }) => name)]];
  for (const [kind, make] of Object.entries(CERTIFICATE_KINDS)) {
    const served: ServedCertificate = make();
    await Deno.writeTextFile(trusted, served.trusted);
    await presentCertificate(postgres, served);
    await presentCertificate(mariadb, served);
    for (const host of HOSTS) {
      const verdicts: string[] = [];
      for (const { driver, version, parameters } of CLIENTS) {
        const server = driver === "mysql" ? mariadb : postgres;
        const { user, password, port } = server;
        const dsn = driver === "mysql"
          ? `${user}:${password}@tcp(${host}:${port})/?${parameters}`
          : `postgres://${user}:${password}@${host}:${port}/postgres?${
            parameters.replace("FILE", trusted)
          }`;
        verdicts.push(
          await ask(recorders.get(version) ?? "", `${driver} ${dsn}`, trusted),
        );
      }
      lines.push([kind, host, ...verdicts]);
    }
  }
  return lines.map((fields) => `${fields.join("\t")}\n`).join("");
}

/** Builds the program with one version of the drivers. */
async function build(directory: string, version: string): Promise<string> {
  const source = join(directory, "source-" + version.replaceAll("/", "-"));
  await Deno.mkdir(source);
  for (const name of ["main.go", "go.mod"]) {
    await Deno.copyFile(join(HERE, name), join(source, name));
  }
  const program = join(directory, "recorder-" + version.replaceAll("/", "-"));
  const [module, tag] = version.split("@");
  await run(["go", "get", `${module}@v${tag}`], source);
  await run(["go", "mod", "tidy"], source);
  await run(["go", "build", "-o", program, "."], source);
  return program;
}

async function run(command: string[], cwd: string): Promise<void> {
  const [program = "", ...args] = command;
  const { success, stderr } = await new Deno.Command(program, { args, cwd })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function ask(
  program: string,
  line: string,
  trusted: string,
): Promise<string> {
  const child = new Deno.Command(program, {
    stdin: "piped",
    stdout: "piped",
    clearEnv: true,
    // Where MySQL's driver finds the authorities.
    env: { SSL_CERT_FILE: trusted, SSL_CERT_DIR: "/nonexistent" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(line + "\n"));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout).trim()
    .replace(/current time \S+ is (after|before) \S+/, "current time is $1 it");
}
