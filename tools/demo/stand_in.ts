/**
 * A stand-in for the Mattermost server, for the demo where the real one cannot be
 * had: it keeps no messages. It reads the config.json that it is given, listens
 * where that says, answers a ping, and shows what it was handed.
 *
 *     mattermost --config FILE     listen until SIGTERM or SIGINT
 *     mattermost version           print the release, offline
 *
 * @module
 */

import { parseArgs } from "node:util";

/** The part of config.json that it looks at. */
interface Config {
  readonly ServiceSettings: { readonly ListenAddress: string };
  readonly TeamSettings: { readonly SiteName: string };
  readonly SqlSettings: {
    readonly DriverName: string;
    readonly DataSource: string;
  };
}

const version = Deno.env.get("STAND_IN_VERSION") ?? "";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { config: { type: "string", short: "c" } },
    allowPositionals: true,
  });
  if (positionals[0] === "version") {
    console.log(`Version: ${version}\nBuild Number: stand-in`);
    return;
  }
  const path = values.config ?? "config/config.json";
  const config: Config = JSON.parse(await Deno.readTextFile(path));
  const facts = await gather(path, config);
  console.error(`This is a STAND-IN for Mattermost ${version}, not Mattermost`);
  for (const [name, value] of facts) console.error(`  ${name}: ${value}`);
  const page = pageOf(config.TeamSettings.SiteName, facts);
  const { hostname, port } = parseAddress(listenAddress(config));
  const server = Deno.serve({
    hostname,
    port,
    onListen: ({ port }) => console.error(`Listening on port ${port}`),
  }, (request) => answer(request, page));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => server.shutdown());
  }
  await server.finished;
  console.error("The stand-in stopped");
  Deno.exit(0);
}

/** What it was given, without secrets. */
async function gather(
  path: string,
  config: Config,
): Promise<[name: string, value: string][]> {
  const { DriverName, DataSource } = config.SqlSettings;
  const source = URL.parse(DataSource);
  const database = source === null
    ? DriverName
    : `${DriverName} at ${source.host}, database ${
      source.pathname.slice(1)
    }, user ${source.username}, ${await whetherOpen(source)}`;
  return [
    ["arguments", Deno.args.join(" ")],
    ["directory", Deno.cwd()],
    ["process", `${Deno.pid}, user ${Deno.uid()}, group ${Deno.gid()}`],
    ["configuration", path],
    ["listens on", listenAddress(config)],
    ["database", database],
    ["environment", Object.keys(Deno.env.toObject()).sort().join(" ")],
  ];
}

async function whetherOpen({ hostname, port }: URL): Promise<string> {
  try {
    using _ = await Deno.connect({ hostname, port: Number(port) });
    return "which takes connections";
  } catch {
    return "which takes no connection";
  }
}

/** The variable wins, as with the real server from 3.8 on. */
function listenAddress({ ServiceSettings }: Config): string {
  return Deno.env.get("MM_SERVICESETTINGS_LISTENADDRESS") ||
    ServiceSettings.ListenAddress;
}

function parseAddress(address: string): { hostname: string; port: number } {
  const [, host = "", port = ""] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(address) ??
    [];
  return { hostname: host === "" ? "0.0.0.0" : host, port: Number(port) };
}

function answer(request: Request, page: string): Response {
  const { pathname } = new URL(request.url);
  switch (pathname) {
    case "/":
      return new Response(page, {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    case "/api/v4/system/ping":
      return Response.json({ status: "OK", stand_in: true });
    default:
      return Response.json({ status_code: 404 }, { status: 404 });
  }
}

function pageOf(
  name: string,
  facts: readonly (readonly [name: string, value: string])[],
): string {
  const rows = facts.map(([name, value]) =>
    `<tr><th>${escape(name)}<td><code>${escape(value)}</code>`
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(name)} (stand-in)</title>
<style>body { font: 1rem/1.5 sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }
th { padding-right: 1rem; text-align: left; vertical-align: top; white-space: nowrap }
code { overflow-wrap: anywhere }</style>
<h1>${escape(name)}</h1>
<p>This is a <strong>stand-in</strong> for Mattermost ${escape(version)}:
the real server could not be downloaded here. Everything before it was real, the
database too, and this is what the stand-in was given:</p>
<table>${rows.join("\n")}</table>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
