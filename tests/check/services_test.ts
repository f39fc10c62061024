/**
 * The findings of the checks and the output of `app:health`, for answers of real services
 * on the loopback interface; the rest of the system is a fake.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DEFAULT_RELEASE } from "../../lib/default_release.ts";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { check } from "../../lib/commands/check.ts";
import type { Check, Finding } from "../../lib/commands/check/finding.ts";
import { checkGitlab } from "../../lib/commands/check/gitlab.ts";
import { checkMail } from "../../lib/commands/check/mail.ts";
import { checkPort } from "../../lib/commands/check/port.ts";
import { checkPush } from "../../lib/commands/check/push.ts";
import { checkS3 } from "../../lib/commands/check/s3.ts";
import { checkSite } from "../../lib/commands/check/site.ts";
import { health } from "../../lib/commands/health.ts";
import { makePlan } from "../../lib/startup/plan.ts";
import { createAuthority } from "../servers/certificates.ts";
import type { World } from "../support/fake_system.ts";
import { MemoryFiles } from "../support/memory_files.ts";
import { CONFIG, ENOUGH, installed, stage } from "../support/installation.ts";
import {
  type Service,
  startMail,
  startPages,
  startSilence,
  startTalk,
  startWeb,
} from "../support/services.ts";

const PING = "/api/v4/system/ping";
const OK = '{"AndroidLatestVersion":"","status":"OK"}';

const authority = createAuthority("Private Authority");

/** The host names that the fake system resolves. */
const HOSTS = { localhost: ["127.0.0.1"] };

interface Conditions extends Pick<World, "files" | "hosts" | "ports"> {
  readonly trusted?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Runs a check, and returns the lines of the report without remedies. */
async function linesOf(
  check: Check,
  env: Readonly<Record<string, string>>,
  conditions: Conditions = {},
): Promise<string[]> {
  const { system, context } = stage({
    env: { ...ENOUGH, ...env },
    hosts: HOSTS,
    ...conditions,
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

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function respond(
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body = "",
): RequestListener {
  return (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

async function reportOf(
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

Deno.test("site: Mattermost, a redirection, a failing proxy and another server have different findings", async () => {
  const good = "ok site.url: The site URL is http://localhost:PORT/\n";
  const cases: readonly (readonly [RequestListener, string])[] = [
    [
      respond(200, {}, OK),
      "ok site.answer: The site at http://localhost:PORT/api/v4/system/ping answers with HTTP status 200",
    ],
    [
      respond(301, { location: "https://chat.example.com/" }),
      "warning site.answer: The site redirects http://localhost:PORT/api/v4/system/ping to https://chat.example.com/",
    ],
    [
      respond(502),
      "warning site.answer: The site at http://localhost:PORT/api/v4/system/ping answers with HTTP status 502, so the server does not run or the proxy does not reach it",
    ],
    [
      respond(404),
      "warning site.answer: The site at http://localhost:PORT/api/v4/system/ping answers with HTTP status 404, and not as Mattermost does",
    ],
  ];
  for (const [listener, line] of cases) {
    assert.equal(await reportOf(checkSite, listener, site), good + line);
  }
});

Deno.test("site: an answer counts when it is complete, also if the connection stays open", async () => {
  await using service = await startTalk((socket) => {
    socket.once("data", () =>
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${OK.length}\r\n\r\n${OK}`,
      ));
  });
  const [, line] = await linesOf(checkSite, site(service.port));
  assert.match(line ?? "", /^ok site\.answer: /);
});

Deno.test("what a header says is shown without credentials and with limited length", async () => {
  const target = `http://ann:secret@h/?token=secret&a=\x1b${"x".repeat(9999)}`;
  await using service = await startTalk((socket) => {
    socket.once("data", () =>
      socket.end(
        `HTTP/1.1 302 Found\r\nLocation: ${target}\r\nx-amz-bucket-region: $(id) ${target}\r\n\r\n`,
      ));
  });
  const [, line = ""] = await linesOf(checkSite, site(service.port));
  assert.match(line, / to http:\/\/\(hidden\)@h\/\?token=\(hidden\)&a= x+…$/);
  assert.ok(line.length < 400, line);
  assert.deepEqual(
    await linesOf(checkS3, {
      S3_BUCKET: "chat",
      S3_ENDPOINT: `localhost:${service.port}`,
      S3_SSL: "false",
    }),
    [
      "failed s3.bucket: The S3 service answers the request for the bucket chat with HTTP status 302",
    ],
  );
});

Deno.test("site: an address on which nothing listens is a warning, since the server may not run yet", async () => {
  const port = await closedPort();
  const [, line] = await linesOf(checkSite, {
    // Also this machine, though it is no loopback address.
    MATTERMOST_SITE_URL: `http://0.0.0.0:${port}`,
  });
  assert.equal(
    line,
    `warning site.answer: The site at http://0.0.0.0:${port} cannot be reached: the connection was refused`,
  );
});

Deno.test("site: where localhost is another machine, the server itself is asked", async () => {
  const env = { ...site(await closedPort()), MATTERMOST_VERSION: "11.7.9" };
  const reason =
    "localhost in the site URL is the machine of whoever opens it, so the site cannot be asked from here";
  const [, nothing] = await linesOf(checkSite, {
    ...env,
    MATTERMOST_PORT: String(await closedPort()),
  });
  assert.equal(nothing, `ok site.answer: No server runs here, and ${reason}`);
  await using server = await startWeb(respond(200, {}, OK));
  const { port } = server;
  const running = { ...env, MATTERMOST_PORT: String(port) };
  assert.deepEqual(
    (await linesOf(checkSite, running)).slice(1),
    [
      `ok site.answer: The server answers at http://127.0.0.1:${port}/api/v4/system/ping; ${reason}`,
    ],
  );
  const inAnotherContainer = {
    ...env,
    MM_SERVICESETTINGS_LISTENADDRESS: `127.0.0.3:${port}`,
  };
  const hosts = { ...HOSTS, mattermost: ["127.0.0.1"] };
  assert.deepEqual(
    (await linesOf(checkSite, inAnotherContainer, { hosts })).slice(1),
    [
      `ok site.answer: The server answers at http://mattermost:${port}/api/v4/system/ping; ${reason}`,
    ],
  );
});

Deno.test("port: that of the running server is no problem, that of another program is", async () => {
  const cases: readonly (readonly [RequestListener, RegExp])[] = [
    [respond(200, {}, OK), /^ok .*: The server runs and listens on port PORT$/],
    [respond(200, {}, '{"version":"3.6.0"}'), /^ok .*: The server runs/],
    [respond(404), /^failed .*: Another program listens on port PORT already/],
  ];
  for (const [listener, line] of cases) {
    await using service = await startWeb(listener);
    const found = await linesOf(checkPort, {
      MATTERMOST_PORT: String(service.port),
    }, { ports: { [service.port]: "EADDRINUSE" } });
    assert.match(
      found.join("\n").replaceAll(String(service.port), "PORT"),
      line,
    );
  }
  assert.deepEqual(
    await linesOf(checkPort, {}),
    ["ok port.available: User 2000:2000 may listen on port 80, and nobody else does"],
  );
  const files = new MemoryFiles();
  assert.deepEqual(await linesOf(checkPort, {}, { files }), []);
});

Deno.test("site: a certificate is valid, of an unknown authority, for another host name, or expired", async () => {
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
      /^failed site\.certificate: .* is not signed by an authority that the server trusts$/,
    ],
    [
      { names: ["chat.example.com"] },
      { trusted: [authority.certificate] },
      /^failed site\.certificate: .* is for another host name$/,
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
    assert.match(
      answer ?? "",
      /^ok site\.answer: The site at https:\S+ answers /,
    );
  }
});

Deno.test("site: a service without TLS or without HTTP cannot be reached", async () => {
  await using plain = await startPages({});
  const [, noTls] = await linesOf(checkSite, {
    MATTERMOST_SITE_URL: `https://localhost:${plain.port}`,
  });
  assert.match(
    noTls ?? "",
    /^warning site\.answer: The site at https:\S+ cannot be reached: /,
  );
  await using mail = await startMail({
    tls: authority.issue(),
    user: "u",
    password: "p",
  });
  const [, noHttp] = await linesOf(checkSite, site(mail.port));
  assert.match(noHttp ?? "", /cannot be reached: the answer is not HTTP$/);
});

Deno.test("push: any HTTP status below 500 is an answer", async () => {
  const env = (port: number): Record<string, string> => ({
    MATTERMOST_PUSH_SERVER: `http://localhost:${port}/`,
    MM_EMAILSETTINGS_SENDPUSHNOTIFICATIONS: "true",
  });
  assert.equal(
    await reportOf(checkPush, respond(404), env),
    "ok push.answer: The push server at http://localhost:PORT/version answers with HTTP status 404",
  );
  assert.equal(
    await reportOf(checkPush, respond(503), env),
    "failed push.answer: The push server at http://localhost:PORT/version answers with HTTP status 503",
  );
  const [line] = await linesOf(checkPush, env(await closedPort()));
  assert.match(
    line ?? "",
    /^failed push\.answer: .* the connection was refused$/,
  );
});

Deno.test("gitlab: a wrong endpoint has a finding, and a failure of all three has only one", async () => {
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
  // GitLab accepts only POST at the second one.
  assert.equal(
    await reportOf(checkGitlab, pages, env),
    [
      "warning gitlab.answer: GitLab at http://localhost:PORT/oauth/authorize answers with HTTP status 404",
      "ok gitlab.answer: GitLab at http://localhost:PORT/oauth/token answers with HTTP status 404",
      "ok gitlab.answer: GitLab at http://localhost:PORT/api/v4/user answers with HTTP status 401",
    ].join("\n"),
  );
  const port = await closedPort();
  assert.deepEqual(await linesOf(checkGitlab, env(port)), [
    `failed gitlab.answer: GitLab at http://localhost:${port} cannot be reached: the connection was refused`,
  ]);
});

Deno.test("s3: a bucket that exists, is in another region, is missing or refuses access, and a failing service", async () => {
  const anonymous = (port: number): Record<string, string> => ({
    S3_BUCKET: "chat",
    S3_ENDPOINT: `localhost:${port}`,
    S3_SSL: "false",
    S3_REGION: "eu-central-1",
  });
  const keys = (port: number): Record<string, string> => ({
    ...anonymous(port),
    S3_ACCESS_KEY: "AKEY",
    S3_SECRET_KEY: "a s3cret",
  });
  const cases: readonly (readonly [
    RequestListener,
    typeof keys,
    string,
  ])[] = [
    [
      respond(200),
      keys,
      "ok s3.bucket: The bucket chat exists, and the server may use it",
    ],
    [
      respond(301, { "x-amz-bucket-region": "us-west-2" }),
      keys,
      "failed s3.bucket: The bucket chat is in the region us-west-2, but S3_REGION is eu-central-1",
    ],
    [
      respond(404),
      keys,
      "failed s3.bucket: The bucket chat does not exist at localhost:PORT",
    ],
    [
      respond(403),
      keys,
      "failed s3.bucket: The bucket chat refuses S3_ACCESS_KEY and S3_SECRET_KEY (HTTP status 403)",
    ],
    [
      respond(403),
      anonymous,
      "warning s3.bucket: The bucket chat refuses anonymous requests, and app:check does not use the IAM role that the server would use",
    ],
    [
      respond(500),
      keys,
      "failed s3.bucket: The S3 service answers the request for the bucket chat with HTTP status 500",
    ],
  ];
  for (const [listener, env, line] of cases) {
    assert.equal(await reportOf(checkS3, listener, env), line);
  }
});

Deno.test("s3: requests are signed if there are keys", async () => {
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
  await reportOf(checkS3, listener, env);
  await reportOf(checkS3, listener, (port) => ({
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

Deno.test("mail: a login over verified TLS is accepted, a wrong password or host name is reported", async () => {
  await using server = await startMailServer();
  const { port } = server;
  const trusted = [authority.certificate];
  assert.deepEqual(await linesOf(checkMail, mail(port), { trusted }), [
    `ok mail.login: The mail server 127.0.0.1:${port} accepts the login chat over STARTTLS`,
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
    `failed mail.certificate: The certificate of 127.0.0.1:${other.port} is for another host name`,
  ]);
});

Deno.test("mail: a relay needs no login, and a login without encryption is reported but not tried", async () => {
  await using server = await startMailServer();
  const { port } = server;
  const env = mail(port, {
    SMTP_SECURITY: "NONE",
    SMTP_USER: "",
    SMTP_PASS: "",
  });
  assert.deepEqual(await linesOf(checkMail, env), [
    `ok mail.login: The mail server 127.0.0.1:${port} accepts clients without a login over an unencrypted connection`,
  ]);
  const said: string[] = [];
  await using relay = await startTalk((socket) => {
    socket.write("220 hello\r\n");
    socket.on("data", (line) => {
      said.push(String(line));
      socket.write("250-hello\r\n250 AUTH PLAIN LOGIN\r\n");
    });
  });
  for (
    const [version, consequence] of [
      [
        "11.7.9",
        `Mattermost 11.7.9 would not log in to the mail server 127.0.0.1:${relay.port}, and send no mail: it needs encryption for a login, but SMTP_SECURITY is NONE`,
      ],
      [
        "4.9.0",
        `Mattermost 4.9.0 would send SMTP_PASS unencrypted to the mail server 127.0.0.1:${relay.port}, since SMTP_SECURITY is NONE`,
      ],
    ] as const
  ) {
    assert.deepEqual(
      await linesOf(
        checkMail,
        mail(relay.port, {
          SMTP_SECURITY: "NONE",
          MATTERMOST_VERSION: version,
        }),
      ),
      [`failed mail.encryption: ${consequence}`],
    );
  }
  assert.ok(said.length > 0);
  assert.deepEqual(said.filter((line) => line.startsWith("AUTH")), []);
});

Deno.test("mail: a server that does not answer or does not exist is reported", async () => {
  const [gone] = await linesOf(checkMail, mail(await closedPort()));
  assert.match(
    gone ?? "",
    /^failed mail\.connection: .* cannot be reached: the connection was refused$/,
  );
  // A name with several addresses, none of which answers.
  const [nowhere] = await linesOf(
    checkMail,
    mail(await closedPort(), { SMTP_HOST: "localhost" }),
  );
  assert.match(
    nowhere ?? "",
    /^failed mail\.connection: The mail server localhost:.* cannot be reached: the connection was refused$/,
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

Deno.test("mail: what the server replies is one clean line without the login", async () => {
  const plain = btoa(`\0${LOGIN.user}\0${LOGIN.password}`);
  const { certificate: cert, key } = authority.issue();
  const { TLSSocket } = await import("node:tls");
  await using server = await startTalk((socket) => {
    const secure = new TLSSocket(socket, { isServer: true, cert, key });
    secure.on("error", () => {});
    secure.write("220 hello\r\n");
    secure.on("data", (line) => {
      secure.write(
        String(line).startsWith("AUTH")
          ? `535-\x1b[2Jno ${plain}\r\n535 and\x07 no ${LOGIN.password}\r\n`
          : "250-hello\r\n250 AUTH PLAIN\r\n",
      );
    });
  });
  assert.deepEqual(
    await linesOf(checkMail, mail(server.port, { SMTP_SECURITY: "TLS" }), {
      trusted: [authority.certificate],
    }),
    [
      `failed mail.login: The mail server 127.0.0.1:${server.port} refuses the login chat: 535- [2Jno (hidden) 535 and no (hidden)`,
    ],
  );
  await using full = await startTalk((socket) => {
    socket.end("421 too many connections, ECONNREFUSED\x1b\r\n");
  });
  assert.deepEqual(await linesOf(checkMail, mail(full.port)), [
    `failed mail.connection: The mail server 127.0.0.1:${full.port} cannot be reached: it replies: 421 too many connections, ECONNREFUSED`,
  ]);
});

Deno.test("mail: an endless reply is not read to its end", async () => {
  for (const part of ["220-more\r\n", "x", "220 hello\r\n"]) {
    const block = part.repeat(Math.ceil(65_536 / part.length));
    const limit = 64 * 1024 ** 2;
    let sent = 0;
    await using server = await startTalk((socket) => {
      const send = (): void => {
        while (!socket.destroyed && sent < limit) {
          sent += block.length;
          if (!socket.write(block)) return void socket.once("drain", send);
        }
      };
      send();
    });
    const [finding] = await linesOf(checkMail, mail(server.port));
    assert.match(finding ?? "", /^failed mail\.connection: /);
    assert.ok(sent < limit / 2, `${sent} bytes`);
  }
});

Deno.test("check: the whole report, and its columns and colours on a terminal", async () => {
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
  // Otherwise the fake clock would end each check at once.
  plain.system.clock.sleep = () => new Promise(() => {});
  assert.equal(await check([], plain.context), 1);
  const lines = plain.system.out.text.split("\n");
  assert.ok(
    lines.includes(
      `warning settings.release: MATTERMOST_VERSION is not set and no server is installed in /nowhere/mattermost, so the checks assume Mattermost ${DEFAULT_RELEASE}`,
    ),
    plain.system.out.text,
  );
  assert.ok(
    lines.includes(
      "ok authorities: The server will trust the system's certificate authorities and 1 of your own",
    ),
  );
  assert.ok(
    lines.includes(
      "failed database.name: DB_HOST=nowhere.example.com does not resolve: the host name is unknown",
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

Deno.test("check: unusable certificates and checks that do not finish in time are findings", async () => {
  const files = installed();
  files.makeDirectory("/ca.d");
  files.place("/ca.d/noise.crt", "noise");
  const { system, context } = stage({
    files,
    env: { ...ENOUGH, MATTERMOST_CA_DIR: "/ca.d" },
    watchChild: ({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      ),
  });
  system.resolveHost = () => new Promise(() => {});
  const { sleep } = system.clock;
  system.clock.sleep = async (...args) => {
    await sleep(...args);
    // So that each check can react to the signal first.
    await new Promise((resolve) => setTimeout(resolve));
  };
  assert.equal(await check(["--json", "--timeout", "3"], context), 1);
  const { findings } = JSON.parse(system.out.text);
  const lines = findings.map(({ check, level, message }: Finding) =>
    `${level} ${check}: ${message}`
  );
  assert.ok(
    lines.includes(
      "failed authorities: /ca.d/noise.crt holds no certificate in PEM format",
    ),
  );
  // Some ignore the signal that ends them, and others fail with its reason.
  for (const check of ["database", "settings.verdict"]) {
    assert.ok(
      lines.includes(`failed ${check}: The check did not finish within 2.8 s`),
      lines.join("\n"),
    );
  }
});

/** The exit code of `app:health`, and the line that it prints. */
async function healthOf(
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

Deno.test("health: the release in VERSION decides on the endpoint", async () => {
  await using server = await startPages({
    "/api/v3/general/ping": [200, '{"server_time":"1","version":"3.6.0"}'],
  });
  const { port } = server;
  const origin = `http://127.0.0.1:${port}`;
  const config = listeningAt(port);
  assert.deepEqual(await healthOf([], { config, version: "3.6.0\n" }), [
    0,
    `healthy: ${origin}/api/v3/general/ping answers with HTTP status 200`,
  ]);
  // If the release is unknown, the older endpoint is the second that is tried.
  assert.deepEqual(await healthOf([], { config, version: "no release" }), [
    0,
    `healthy: ${origin}/api/v3/general/ping answers with HTTP status 200`,
  ]);
  assert.deepEqual(await healthOf([], { config, version: "11.7.9" }), [
    1,
    `not healthy: ${origin}${PING} answers with HTTP status 404, so it is not the server that config.json describes`,
  ]);
});

Deno.test("health: a server that limits the rate of requests is alive", async () => {
  await using server = await startWeb(respond(429));
  const given = { config: listeningAt(server.port), version: "11.7.9" };
  const url = `http://127.0.0.1:${server.port}${PING}`;
  assert.deepEqual(await healthOf([], given), [
    0,
    `healthy: ${url} answers with HTTP status 429, because of its rate limit`,
  ]);
  const [code, line] = await healthOf(["--ready"], given);
  assert.equal(code, 1, line);
});

Deno.test("health: --ready reports the states of database and file store", async () => {
  let body = "";
  await using server = await startWeb((_, response) => response.end(body));
  const ready = async (text: string): Promise<readonly [number, string]> => {
    body = text;
    const [code, line] = await healthOf(["--ready"], {
      config: listeningAt(server.port),
      env: { MATTERMOST_VERSION: "11.7.9" },
    });
    return [code, line.replace(/http\S+/, "URL")];
  };
  const states = (database: string): string =>
    `{"status":"OK","database_status":"${database}","filestore_status":"OK"}`;
  assert.deepEqual(await ready(states("OK")), [
    0,
    "ready: URL answers with HTTP status 200, database OK, file store OK",
  ]);
  assert.deepEqual(await ready(states("UNHEALTHY")), [
    1,
    "not ready: URL answers with HTTP status 200, database UNHEALTHY, file store OK",
  ]);
  assert.deepEqual(await ready(OK), [
    0,
    "ready: URL answers with HTTP status 200, this release does not report the state of its database",
  ]);
});

Deno.test("health: without a usable config.json the request goes to MATTERMOST_PORT", async () => {
  const port = await closedPort();
  const env = { MATTERMOST_VERSION: "11.7.9", MATTERMOST_PORT: String(port) };
  const refused =
    `not healthy: http://127.0.0.1:${port}${PING} cannot be reached: nothing listens on 127.0.0.1 port ${port}`;
  assert.deepEqual(await healthOf([], { env }), [
    1,
    `${refused} (${CONFIG} does not exist, so the port is that of MATTERMOST_PORT)`,
  ]);
  assert.deepEqual(await healthOf([], { env, config: "{ torn" }), [
    1,
    `${refused} (${CONFIG} cannot be parsed, so the port is that of MATTERMOST_PORT)`,
  ]);
});

Deno.test("health: a server that does not answer ends with the timeout, another protocol at once", async () => {
  await using silence = await startSilence();
  const [code, line] = await healthOf(["--timeout", "0.2"], {
    config: listeningAt(silence.port),
  });
  assert.deepEqual([code, line.split(": ").at(-1)], [
    1,
    "no answer within 0.2 s",
  ]);
  await using mail = await startMailServer();
  const [, other] = await healthOf([], { config: listeningAt(mail.port) });
  assert.match(other, /^not healthy: .*: the answer is not HTTP$/);
});
