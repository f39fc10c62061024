/**
 * What the preflights and the health probe say of the answers that they get, in a
 * world in memory but for the network.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { check } from "../../lib/commands/check.ts";
import type { Check, Finding } from "../../lib/commands/check/finding.ts";
import { checkGitlab } from "../../lib/commands/check/gitlab.ts";
import { checkMail } from "../../lib/commands/check/mail.ts";
import { checkPush } from "../../lib/commands/check/push.ts";
import { checkS3 } from "../../lib/commands/check/s3.ts";
import { checkSite } from "../../lib/commands/check/site.ts";
import { health } from "../../lib/commands/health.ts";
import { makePlan } from "../../lib/startup/plan.ts";
import { createAuthority } from "../servers/certificates.ts";
import { CONFIG, ENOUGH, installed, stage } from "../support/installation.ts";
import {
  type Service,
  startMail,
  startPages,
  startSilence,
  startWeb,
} from "../support/services.ts";

const PING = "/api/v4/system/ping";
const OK = '{"AndroidLatestVersion":"","status":"OK"}';

const authority = createAuthority("Private Authority");

/** Names that a test looks up; what connects goes to the loopback anyway. */
const HOSTS = { localhost: ["127.0.0.1"] };

interface Conditions {
  readonly trusted?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Carries a check out; the lines are those of the report, without remedies. */
async function linesOf(
  check: Check,
  env: Readonly<Record<string, string>>,
  conditions: Conditions = {},
): Promise<string[]> {
  const { system, context } = stage({
    env: { ...ENOUGH, ...env },
    hosts: HOSTS,
    now: Date.now(),
  });
  const found: readonly Finding[] = await check({
    plan: await makePlan(context),
    system,
    signal: conditions.signal ?? AbortSignal.timeout(20_000),
    trusted: () => conditions.trusted,
  });
  return found.map(({ level, check, message }) =>
    `${level} ${check}: ${message}`
  );
}

/** A port at which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function answering(
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body = "",
): RequestListener {
  return (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

async function ask(
  check: Check,
  listener: RequestListener,
  env: (port: number) => Readonly<Record<string, string>>,
): Promise<string> {
  await using service = await startWeb(listener);
  const lines = await linesOf(check, env(service.port));
  return lines.join("\n").replaceAll(String(service.port), "PORT");
}

function site(port: number): Readonly<Record<string, string>> {
  return { MATTERMOST_SITE_URL: `http://localhost:${port}` };
}

Deno.test("site: Mattermost, a redirection, a proxy in vain and a stranger are told apart", async () => {
  const good = "ok site.url: The site's URL is http://localhost:PORT/\n";
  const cases: readonly (readonly [RequestListener, string])[] = [
    [
      answering(200, {}, OK),
      "ok site.answer: The site answers at http://localhost:PORT/api/v4/system/ping (200)",
    ],
    [
      answering(301, { location: "https://chat.example.com/" }),
      "warning site.answer: The site redirects http://localhost:PORT/api/v4/system/ping to https://chat.example.com/",
    ],
    [
      answering(502),
      "warning site.answer: The site answers 502: the proxy does not reach the server, or the server is not well",
    ],
    [
      answering(404),
      "warning site.answer: The site answers http://localhost:PORT/api/v4/system/ping with 404, and not as Mattermost does",
    ],
  ];
  for (const [listener, line] of cases) {
    assert.equal(await ask(checkSite, listener, site), good + line);
  }
});

Deno.test("site: an address at which nothing listens is a warning, for the server may not run yet", async () => {
  const port = await closedPort();
  const [, line] = await linesOf(checkSite, {
    MATTERMOST_SITE_URL: `http://127.0.0.1:${port}`,
  });
  assert.equal(
    line,
    `warning site.answer: The site, http://127.0.0.1:${port}, cannot be reached: the connection is refused`,
  );
});

Deno.test("site: a certificate is good, of a stranger, for another name, or over", async () => {
  const pages = { [PING]: [200, OK] } as const;
  const cases: readonly (readonly [
    Parameters<typeof authority.issue>[0],
    Conditions,
    RegExp,
  ])[] = [
    [
      {},
      { trusted: [authority.certificate] },
      /^ok site\.certificate: .* is valid until /,
    ],
    [
      {},
      { trusted: [createAuthority("Another").certificate] },
      /^failed site\.certificate: .* is signed by nobody that the server trusts$/,
    ],
    [
      { names: ["chat.example.com"] },
      { trusted: [authority.certificate] },
      /^failed site\.certificate: .* is for another name$/,
    ],
    [
      { expired: true },
      { trusted: [authority.certificate] },
      /^failed site\.certificate: .* expired on /,
    ],
  ];
  for (const [certificate, conditions, pattern] of cases) {
    await using service = await startPages(pages, authority.issue(certificate));
    const [, line, answer] = await linesOf(
      checkSite,
      { MATTERMOST_SITE_URL: `https://localhost:${service.port}` },
      conditions,
    );
    assert.match(line ?? "", pattern);
    assert.match(answer ?? "", /^ok site\.answer: The site answers at https:/);
  }
});

Deno.test("site: what speaks no TLS, and what speaks no HTTP, is told as unreachable", async () => {
  await using plain = await startPages({});
  const [, noTls] = await linesOf(checkSite, {
    MATTERMOST_SITE_URL: `https://localhost:${plain.port}`,
  });
  assert.match(
    noTls ?? "",
    /^warning site\.answer: The site, https:.*, cannot be reached: /,
  );
  await using mail = await startMail({
    tls: authority.issue(),
    user: "u",
    password: "p",
  });
  const [, noHttp] = await linesOf(checkSite, site(mail.port));
  assert.match(noHttp ?? "", /cannot be reached: the answer is not HTTP$/);
});

Deno.test("push: any answer but a failure is one", async () => {
  const env = (port: number): Record<string, string> => ({
    MATTERMOST_PUSH_SERVER: `http://localhost:${port}/`,
    MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS: "true",
  });
  assert.equal(
    await ask(checkPush, answering(404), env),
    "ok push.answer: The push server answers at http://localhost:PORT/version (404)",
  );
  assert.equal(
    await ask(checkPush, answering(503), env),
    "failed push.answer: The push server answers 503",
  );
  const [line] = await linesOf(checkPush, env(await closedPort()));
  assert.match(
    line ?? "",
    /^failed push\.answer: .* the connection is refused$/,
  );
});

Deno.test("gitlab: the endpoint that is lost is named, and one fault of all three is told once", async () => {
  const env = (port: number): Record<string, string> => ({
    GITLAB_ID: "id",
    GITLAB_SECRET: "secret",
    GITLAB_AUTH_ENDPOINT: `http://localhost:${port}/oauth/authorize`,
    GITLAB_TOKEN_ENDPOINT: `http://localhost:${port}/oauth/token`,
    GITLAB_API_ENDPOINT: `http://localhost:${port}/api/v4/user`,
  });
  const pages: RequestListener = ({ url = "" }, response) => {
    response.writeHead(url === "/api/v4/user" ? 401 : 404);
    response.end();
  };
  // GitLab hides the second one from who only looks.
  assert.equal(
    await ask(checkGitlab, pages, env),
    [
      "warning gitlab.answer: GitLab answers 404 at http://localhost:PORT/oauth/authorize",
      "ok gitlab.answer: GitLab answers at http://localhost:PORT/oauth/token (404)",
      "ok gitlab.answer: GitLab answers at http://localhost:PORT/api/v4/user (401)",
    ].join("\n"),
  );
  const port = await closedPort();
  assert.deepEqual(await linesOf(checkGitlab, env(port)), [
    `failed gitlab.answer: GitLab, http://localhost:${port}, cannot be reached: the connection is refused`,
  ]);
});

Deno.test("s3: the bucket is there, elsewhere, gone, closed, or the service is not well", async () => {
  const strangers = (port: number): Record<string, string> => ({
    S3_BUCKET: "chat",
    S3_ENDPOINT: `localhost:${port}`,
    S3_SSL: "false",
    S3_REGION: "eu-central-1",
  });
  const keys = (port: number): Record<string, string> => ({
    ...strangers(port),
    S3_ACCESS_KEY: "AKEY",
    S3_SECRET_KEY: "a s3cret",
  });
  const cases: readonly (readonly [
    RequestListener,
    typeof keys,
    string,
  ])[] = [
    [
      answering(200),
      keys,
      "ok s3.bucket: The bucket chat is there and open to us",
    ],
    [
      answering(301, { "x-amz-bucket-region": "us-west-2" }),
      keys,
      "failed s3.bucket: The bucket chat is in the region us-west-2, not in eu-central-1",
    ],
    [
      answering(404),
      keys,
      "failed s3.bucket: There is no bucket chat at localhost:PORT",
    ],
    [
      answering(403),
      keys,
      "failed s3.bucket: The keys do not open the bucket chat (403)",
    ],
    [
      answering(403),
      strangers,
      "warning s3.bucket: The bucket chat is closed to strangers; the machine's role, which the server will use, is not tried",
    ],
    [
      answering(500),
      keys,
      "failed s3.bucket: The S3 service answers 500 for the bucket chat",
    ],
  ];
  for (const [listener, env, line] of cases) {
    assert.equal(await ask(checkS3, listener, env), line);
  }
});

Deno.test("s3: who has keys signs, who has none does not", async () => {
  const seen: (string | undefined)[] = [];
  const listener: RequestListener = ({ headers, method }, response) => {
    seen.push(`${method} ${headers.authorization?.split(" ")[0]}`);
    response.end();
  };
  const env = (port: number): Record<string, string> => ({
    S3_BUCKET: "chat",
    S3_ENDPOINT: `localhost:${port}`,
    S3_SSL: "false",
  });
  await ask(checkS3, listener, env);
  await ask(checkS3, listener, (port) => ({
    ...env(port),
    S3_ACCESS_KEY: "AKEY",
    S3_SECRET_KEY: "a s3cret",
  }));
  assert.deepEqual(seen, ["HEAD undefined", "HEAD AWS4-HMAC-SHA256"]);
});

const LOGIN = { user: "chat", password: "a mail passw0rd" };

function mail(
  port: number,
  more: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return {
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: String(port),
    SMTP_USER: LOGIN.user,
    SMTP_PASS: LOGIN.password,
    SMTP_SECURITY: "STARTTLS",
    ...more,
  };
}

async function startMailServer(): Promise<Service> {
  return await startMail({ tls: authority.issue(), ...LOGIN });
}

Deno.test("mail: a login over TLS that is trusted is good, with another password or name it is not", async () => {
  await using server = await startMailServer();
  const { port } = server;
  const trusted = [authority.certificate];
  assert.deepEqual(await linesOf(checkMail, mail(port), { trusted }), [
    `ok mail.login: 127.0.0.1:${port} takes mail over STARTTLS, with the login chat`,
  ]);
  const [refused] = await linesOf(
    checkMail,
    mail(port, { SMTP_PASS: "credentials" }),
    { trusted },
  );
  assert.match(
    refused ?? "",
    /^failed mail\.login: .* refuses the login chat: /,
  );
  await using other = await startMail({
    tls: authority.issue({ names: ["mail.example.com"] }),
    ...LOGIN,
  });
  assert.deepEqual(await linesOf(checkMail, mail(other.port), { trusted }), [
    `failed mail.certificate: The certificate of 127.0.0.1:${other.port} is for another name`,
  ]);
});

Deno.test("mail: a relay without a login is good, and one that takes none in the open is told as such", async () => {
  await using server = await startMailServer();
  const { port } = server;
  const env = mail(port, {
    SMTP_SECURITY: "NONE",
    SMTP_USER: "",
    SMTP_PASS: "",
  });
  assert.deepEqual(await linesOf(checkMail, env), [
    `ok mail.login: 127.0.0.1:${port} takes mail over an unencrypted connection, without a login`,
  ]);
  const [open] = await linesOf(
    checkMail,
    mail(port, { SMTP_SECURITY: "NONE" }),
  );
  assert.equal(
    open,
    `failed mail.login: 127.0.0.1:${port} refuses the login chat: 538 Error: Must issue a STARTTLS command first`,
  );
});

Deno.test("mail: what is silent and what is not there are told", async () => {
  const [gone] = await linesOf(checkMail, mail(await closedPort()));
  assert.match(
    gone ?? "",
    /^failed mail\.connection: .* cannot be reached: the connection is refused$/,
  );
  // A name with several addresses, none of which answers.
  const [nowhere] = await linesOf(
    checkMail,
    mail(await closedPort(), { SMTP_HOST: "localhost" }),
  );
  assert.match(
    nowhere ?? "",
    /^failed mail\.connection: localhost:.* cannot be reached: the connection is refused$/,
  );
  await using silence = await startSilence();
  const [silent] = await linesOf(checkMail, mail(silence.port), {
    signal: AbortSignal.timeout(100),
  });
  assert.match(
    silent ?? "",
    /^failed mail\.connection: .* cannot be reached: no answer in time$/,
  );
});

Deno.test("check: all of it is a report, on a terminal in columns and colours", async () => {
  const { MATTERMOST_VERSION: _, ...enough } = ENOUGH;
  const env = {
    ...enough,
    DB_HOST: "nowhere.example.com",
    MATTERMOST_HOME: "/nowhere",
    MATTERMOST_CA_DIR: "/ca.d",
  };
  const files = installed();
  files.makeDirectory("/ca.d");
  files.place("/ca.d/private.crt", authority.certificate);
  const plain = stage({ env, files, now: Date.now() });
  // The alarm of a check would ring at once.
  plain.system.clock.sleep = () => new Promise(() => {});
  assert.equal(await check([], plain.context), 1);
  const lines = plain.system.out.text.split("\n");
  assert.ok(
    lines.includes(
      "warning settings.release: MATTERMOST_VERSION is not set and no server is installed in /nowhere/mattermost: checked as for Mattermost 11.7.9",
    ),
    plain.system.out.text,
  );
  assert.ok(
    lines.includes(
      "ok authorities: Certificates of your own that are trusted besides the system's: 1",
    ),
  );
  assert.ok(
    lines.includes(
      "failed database.name: DB_HOST=nowhere.example.com: the name does not resolve",
    ),
  );

  const terminal = stage({ env, files, now: Date.now(), isTerminal: true });
  terminal.system.clock.sleep = () => new Promise(() => {});
  await check([], terminal.context);
  assert.ok(
    terminal.system.out.text.includes("\x1b[31mfailed \x1b[0m  database.name"),
    terminal.system.out.text,
  );
});

Deno.test("check: certificates that cannot be used, and no result in time, are findings", async () => {
  const files = installed();
  files.makeDirectory("/ca.d");
  files.place("/ca.d/noise.crt", "noise");
  const { system, context } = stage({
    files,
    env: { ...ENOUGH, MATTERMOST_CA_DIR: "/ca.d" },
  });
  system.resolveHost = () => new Promise(() => {});
  assert.equal(await check(["--json", "--timeout", "3"], context), 1);
  const { findings } = JSON.parse(system.out.text);
  const said = findings.map(({ check, level, message }: Finding) =>
    `${level} ${check}: ${message}`
  );
  assert.ok(
    said.includes(
      "failed authorities: /ca.d/noise.crt holds no certificate in PEM form",
    ),
  );
  assert.ok(
    said.includes("failed database: No result within 2.8 s"),
    said.join("\n"),
  );
});

/** What the health probe says, and its exit code. */
async function probe(
  args: readonly string[],
  { config, env = {}, version }: {
    readonly config?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly version?: string;
  },
): Promise<readonly [number, string]> {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  if (config !== undefined) files.place(CONFIG, config);
  if (version !== undefined) {
    files.place("/opt/mattermost/data/VERSION", version);
  }
  const { system, context } = stage({ files, env });
  const code = await health(args, context);
  return [code, system.out.text.trimEnd()];
}

function listeningAt(port: number): string {
  return JSON.stringify({ ServiceSettings: { ListenAddress: `:${port}` } });
}

Deno.test("health: the release that VERSION names is asked at its own endpoint", async () => {
  await using server = await startPages({
    "/api/v3/general/ping": [200, '{"server_time":"1","version":"3.6.0"}'],
  });
  const { port } = server;
  const asked = `http://127.0.0.1:${port}`;
  const config = listeningAt(port);
  assert.deepEqual(await probe([], { config, version: "3.6.0\n" }), [
    0,
    `healthy: ${asked}/api/v3/general/ping answers 200`,
  ]);
  // Where nothing tells the release, the older endpoint is the second guess.
  assert.deepEqual(await probe([], { config, version: "no release" }), [
    0,
    `healthy: ${asked}/api/v3/general/ping answers 200`,
  ]);
  assert.deepEqual(await probe([], { config, version: "11.7.9" }), [
    1,
    `not healthy: ${asked}${PING} answers 404, it is not the server that config.json describes`,
  ]);
});

Deno.test("health: readiness names what the server depends on", async () => {
  let body = "";
  await using server = await startWeb((_, response) => response.end(body));
  const ready = async (text: string): Promise<readonly [number, string]> => {
    body = text;
    const [code, said] = await probe(["--ready"], {
      config: listeningAt(server.port),
      env: { MATTERMOST_VERSION: "11.7.9" },
    });
    return [code, said.replace(/http\S+/, "URL")];
  };
  const states = (database: string): string =>
    `{"status":"OK","database_status":"${database}","filestore_status":"OK"}`;
  assert.deepEqual(await ready(states("OK")), [
    0,
    "ready: URL answers 200, database OK, file store OK",
  ]);
  assert.deepEqual(await ready(states("UNHEALTHY")), [
    1,
    "not ready: URL answers 200, database UNHEALTHY, file store OK",
  ]);
  assert.deepEqual(await ready(OK), [
    0,
    "ready: URL answers 200, this release does not tell about its database",
  ]);
});

Deno.test("health: without a config.json that can be used the port of the settings is asked", async () => {
  const port = await closedPort();
  const env = { MATTERMOST_VERSION: "11.7.9", MATTERMOST_PORT: String(port) };
  const refused =
    `not healthy: http://127.0.0.1:${port}${PING}: nothing listens on 127.0.0.1 port ${port}`;
  assert.deepEqual(await probe([], { env }), [
    1,
    `${refused} (${CONFIG} is not there: asked the port of MATTERMOST_PORT)`,
  ]);
  assert.deepEqual(await probe([], { env, config: "{ torn" }), [
    1,
    `${refused} (${CONFIG} cannot be understood: asked the port of MATTERMOST_PORT)`,
  ]);
});

Deno.test("health: silence ends after the time that was given, another protocol at once", async () => {
  await using silence = await startSilence();
  const [code, said] = await probe(["--timeout", "0.2"], {
    config: listeningAt(silence.port),
  });
  assert.deepEqual([code, said.split(": ").at(-1)], [
    1,
    "no answer within 0.2 s",
  ]);
  await using mail = await startMailServer();
  const [, other] = await probe([], { config: listeningAt(mail.port) });
  assert.match(other, /^not healthy: .*: the answer is not HTTP$/);
});
