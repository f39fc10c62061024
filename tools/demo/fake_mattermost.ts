/**
 * The fake Mattermost of the demo, for machines that cannot download the real one. It reads
 * its config.json, listens on the configured address, answers pings, and has a page that
 * shows its configuration. It stores no messages.
 *
 *     mattermost --config FILE     listen until SIGTERM or SIGINT
 *     mattermost version           print the release
 *
 * @module
 */

import { parseArgs } from "node:util";

/** The keys of config.json that it reads. */
interface Config {
  readonly ServiceSettings: { readonly ListenAddress: string };
  readonly TeamSettings: { readonly SiteName: string };
  readonly SqlSettings: {
    readonly DriverName: string;
    readonly DataSource: string;
  };
}

/** The variables whose names the page shows; their values may be secret. */
const SETTING_REGEXP = /^(DB|MATTERMOST|MM)_/;

const version = Deno.env.get("FAKE_VERSION") ?? "";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values: { config: path = "config/config.json" }, positionals } =
    parseArgs({
      options: { config: { type: "string", short: "c" } },
      allowPositionals: true,
    });
  if (positionals[0] === "version") {
    console.log(`Version: ${version}\nBuild Number: fake`);
    return;
  }
  const config: Config = JSON.parse(await Deno.readTextFile(path));
  await requireSocket(config);
  // The variable overrides the file, as in the real server since 3.8.
  const address = Deno.env.get("MM_SERVICESETTINGS_LISTENADDRESS") ||
    config.ServiceSettings.ListenAddress;
  const page = pageOf(config.TeamSettings.SiteName, {
    "command line": ["mattermost", ...Deno.args].join(" "),
    "working directory": Deno.cwd(),
    "process": `${Deno.pid}, user ${Deno.uid()}, group ${Deno.gid()}`,
    "listens on": address,
    "database": await describeDatabase(config),
    "variables": Object.keys(Deno.env.toObject())
      .filter((name) => SETTING_REGEXP.test(name)).sort().join(" "),
  });
  const [, host = "", port = ""] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(address) ??
    [];
  const server = Deno.serve({
    hostname: host || "0.0.0.0",
    port: Number(port),
    onListen: () =>
      console.error(`This fake Mattermost ${version} listens on ${address}`),
  }, (request) => answer(request, page));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => server.shutdown());
  }
  await server.finished;
  Deno.exit(0);
}

/** Like the real server, it does not start if the database is a socket that does not exist. */
async function requireSocket({ SqlSettings }: Config): Promise<void> {
  const [, host = ""] = /[?&]host=([^&]*)/.exec(SqlSettings.DataSource) ?? [];
  if (host === "") return;
  const path = `${decodeURIComponent(host)}/.s.PGSQL.5432`;
  if (await Deno.stat(path).catch(() => undefined) !== undefined) return;
  console.error(`Failed to ping DB: ${path} does not exist`);
  Deno.exit(1);
}

/** Describes the database without its password, and checks whether its port is open. */
async function describeDatabase({ SqlSettings }: Config): Promise<string> {
  const { DriverName, DataSource } = SqlSettings;
  const source = URL.parse(DataSource);
  if (source === null) return DriverName;
  const { hostname, host, port, pathname, username } = source;
  const state = await Deno.connect({ hostname, port: Number(port) })
    .then((connection) => connection.close())
    .then(() => "accepts connections", () => "does not accept connections");
  return `${DriverName} at ${host}, database ${
    pathname.slice(1)
  }, user ${username}: ${state}`;
}

function answer(request: Request, page: string): Response {
  switch (new URL(request.url).pathname) {
    case "/":
      return new Response(page, {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    case "/api/v4/system/ping":
      return Response.json({ status: "OK" });
    default:
      return Response.json({ status_code: 404 }, { status: 404 });
  }
}

function pageOf(name: string, facts: Readonly<Record<string, string>>): string {
  const rows = Object.entries(facts).map(([name, value]) =>
    `<tr><th>${name}<td><code>${escape(value)}</code>`
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(name)} (fake Mattermost)</title>
<style>body { font: 1rem/1.5 sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }
th { padding-right: 1rem; text-align: left; vertical-align: top; white-space: nowrap }
code { overflow-wrap: anywhere }</style>
<h1>${escape(name)}</h1>
<p>This is a <strong>fake Mattermost</strong> ${escape(version)}, not the real
server. The database and mattermost-entrypoint are real. The server was started with:</p>
<table>${rows.join("\n")}</table>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
