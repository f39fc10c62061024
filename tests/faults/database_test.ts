/**
 * The compiled program with databases and networks that fail: how long it waits, what it
 * reports, how it ends, and that it writes nothing before the database is ready.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "../../lib/database/connect.ts";
import type { DataSource } from "../../lib/database/data_source.ts";
import type { DatabaseServer } from "../../tools/shared/database_server.ts";
import { misbehave, products, startWithUser } from "../database/support.ts";
import { createHome, type Home, SHOW, shown } from "../support/home.ts";
import { AS_ROOT, MOUNTS, NAMESPACE, testWith } from "../support/needs.ts";
import {
  assertClean,
  COMPILED,
  launch,
  type Outcome,
  type Running,
  start,
} from "../support/program.ts";

const VERSION = "11.7.9";
/** Seconds that a wait may take longer than its limit, on a busy machine. */
const MARGIN = 6;
/** The password, which no output may contain. */
const PASSWORD = "hunter22";

let number = 0;

/** Settings that want another config.json each time. */
function settingsOf(
  home: Home,
  source: Pick<DataSource, "adapter" | "port">,
): Record<string, string> {
  return {
    ...home.env,
    // The newest that takes both products.
    MATTERMOST_VERSION: source.adapter === "mysql" ? "10.11.4" : VERSION,
    MATTERMOST_NAME: `name ${++number}`,
    DB_ADAPTER: source.adapter,
    DB_HOST: "127.0.0.1",
    DB_PORT: String(source.port),
    DB_USER: "mmuser",
    DB_PASS: PASSWORD,
    DB_NAME: "mattermost",
    DB_TIMEOUT: "60",
  };
}

/** A home whose config.json is there already. */
async function startedHome(source: DataSource): Promise<Home> {
  const home = await createHome();
  await home.installServer(
    source.adapter === "mysql" ? "10.11.4" : VERSION,
    SHOW,
  );
  const { outcome } = start(COMPILED, ["app:start"], {
    env: settingsOf(home, source),
  });
  assertStarted(await outcome);
  return home;
}

/** Asserts that the server runs, under the same process id. */
function assertStarted(outcome: Outcome): void {
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.equal(shown(outcome.stdout).pid, outcome.pid);
  assertClean({ ...outcome, stdout: "" }, [PASSWORD]);
}

/** The phrases of the reasons that were logged during the wait. */
function reasonsOf(stderr: string): string[] {
  return [...stderr.matchAll(
    /^entrypoint: Waiting(?: \(\d+ s\))?: The \w+ database \(.*?\) ([^:\n]+)(?:: .*)?$/gm,
  )].map(([, phrase = ""]) => phrase);
}

interface Expected {
  readonly code: number;
  /** The phrase of the last reason, and the only one by default. */
  readonly phrase: string;
  readonly reasons?: readonly string[];
  /** Seconds of the wait. */
  readonly seconds: number;
}

/** Asserts that a start fails with the expected reason after the expected time, and changes no file. */
async function assertFails(
  home: Home,
  env: Readonly<Record<string, string>>,
  { code, phrase, reasons = [phrase], seconds }: Expected,
): Promise<string> {
  const before = await home.snapshot();
  const began = performance.now();
  const outcome = await start(COMPILED, ["app:start"], { env }).outcome;
  const took = (performance.now() - began) / 1000;
  const { stderr, stdout } = outcome;
  assert.equal(outcome.code, code, stderr);
  assert.equal(stdout, "");
  assert.deepEqual(reasonsOf(stderr), reasons, stderr);
  // The end of the wait may have shortened the last attempt.
  const last = `${phrase}|No answer within 0\\.\\d s`;
  assert.match(stderr, new RegExp(`error: The \\w+ database .*(?:${last})`));
  const end = seconds === 0 ? "" : "\\(gave up after \\d+ s\\)";
  assert.match(stderr, new RegExp(`${end}\nentrypoint: +→ \\S`));
  assert.ok(took >= seconds - 0.1, `only ${took} s`);
  assert.ok(took <= seconds + MARGIN, `${took} s`);
  assertClean(outcome, [PASSWORD]);
  await home.assertUnchanged(before);
  return stderr;
}

const found = (products()).filter(({ name }) => name !== "MySQL");

for (const product of found) {
  const { name } = product;
  let server: DatabaseServer;
  let source: DataSource;

  Deno.test.beforeAll(async () => {
    ({ server, source } = await startWithUser(product));
  });

  Deno.test(`${name}: a start waits for a stopped server, at most DB_TIMEOUT`, async () => {
    await using home = await startedHome(source);
    await server.halt();
    const env = settingsOf(home, source);
    await assertFails(home, { ...env, DB_TIMEOUT: "2" }, {
      ...{ code: 69, phrase: "refuses connections", seconds: 2 },
    });
    const running = start(COMPILED, ["app:start"], { env });
    await running.until(/Waiting.* refuses connections/);
    await server.start();
    const outcome = await running.outcome;
    assertStarted(outcome);
    const [first, ...rest] = reasonsOf(outcome.stderr);
    assert.equal(first, "refuses connections");
    // A starting server may report that, but nothing else.
    for (const each of rest) {
      assert.equal(each, "is starting up or shutting down");
    }
    await assertName(home, env);
  });

  Deno.test(`${name}: a start waits for a frozen server, at most DB_TIMEOUT`, async () => {
    await using home = await startedHome(source);
    const env = settingsOf(home, source);
    server.freeze();
    try {
      await Promise.all([
        // The wait ends with the first attempt.
        assertFails(home, { ...env, DB_TIMEOUT: "2" }, {
          ...{ code: 69, phrase: "does not answer", reasons: [], seconds: 2 },
        }),
        assertFails(home, { ...env, DB_TIMEOUT: "7" }, {
          ...{ code: 69, phrase: "does not answer", seconds: 7 },
        }),
      ]);
      const running = start(COMPILED, ["app:start"], { env });
      await running.until(/Waiting.* does not answer/);
      server.thaw();
      const outcome = await running.outcome;
      assertStarted(outcome);
      assert.deepEqual(reasonsOf(outcome.stderr), ["does not answer"]);
      await assertName(home, env);
    } finally {
      server.thaw();
    }
  });

  Deno.test(`${name}: a wrong password or a missing database ends the start after 5 seconds`, async () => {
    await using home = await startedHome(source);
    const env = settingsOf(home, source);
    const cases = [
      [{ DB_PASS: "wrong-password" }, 77, "refuses the credentials"],
      [{ DB_NAME: "nowhere" }, 78, "does not exist"],
    ] as const;
    const texts = await Promise.all(
      cases.map(([wrong, code, phrase]) =>
        assertFails(home, { ...env, ...wrong }, {
          ...{ code, phrase, seconds: 5 },
          // MariaDB does not tell a user without privileges whether a database exists.
          ...(name === "MariaDB" && code === 78
            ? { code: 77, phrase: "denies access that Mattermost needs" }
            : {}),
        })
      ),
    );
    for (const text of texts) assert.ok(!text.includes("wrong-password"), text);
  });

  Deno.test(`${name}: a start ends with 69 if the server restarts during another's migration`, async () => {
    await using home = await startedHome(source);
    // Without VERSION the start may have to migrate, so it waits for the lock.
    await Deno.remove(home.version);
    const env = settingsOf(home, source);
    const before = await home.snapshot();
    const holder = await connect(source, {
      signal: new AbortController().signal,
    });
    assert.equal(await holder.lock("mattermost-entrypoint", ""), "held");
    const running = start(COMPILED, ["app:start"], { env });
    await running.until(/another container is migrating/);
    await server.restart();
    const outcome = await running.outcome;
    await holder.close();
    assert.equal(outcome.code, 69, outcome.stderr);
    assertClean(outcome, [PASSWORD]);
    assert.match(outcome.stderr, /error: The \w+ database .*\n.*→ \S/);
    await home.assertUnchanged(before);
  });

  Deno.test(`${name}: a start waits for a server at its limit of connections`, async () => {
    const { server, source } = await startWithUser(product, {
      settings: product.adapter === "postgres"
        ? { max_connections: 4, superuser_reserved_connections: 3 }
        : { "max-connections": 10 },
    });
    await using _ = server;
    await using home = await startedHome(source);
    const env = settingsOf(home, source);
    const count = product.adapter === "postgres" ? 1 : 10;
    const held = await Promise.all(
      Array.from({ length: count }, () => holdConnection(source)),
    );
    await assertFails(home, { ...env, DB_TIMEOUT: "2" }, {
      ...{
        code: 69,
        phrase: "has reached its limit of connections",
        seconds: 2,
      },
    });
    const running = start(COMPILED, ["app:start"], { env });
    await running.until(/Waiting.* has reached its limit of connections/);
    for (const session of held) await session.close();
    const outcome = await running.outcome;
    assertStarted(outcome);
    assert.deepEqual(reasonsOf(outcome.stderr), [
      "has reached its limit of connections",
    ]);
    await assertName(home, env);
  });

  Deno.test(`${name}: a start reports a server that drops connections, or sends invalid data or single bytes`, async () => {
    await using home = await startedHome(source);
    const broken = "does not provide a working connection";
    const cases: readonly (readonly [Treatment, string])[] = [
      [dropAtOnce, broken],
      [dropAfterGreeting(server), broken],
      [
        garbage(new TextEncoder().encode("HTTP/1.1 400 Bad\r\n\r\n")),
        "is another kind of server",
      ],
      [garbage(new Uint8Array(64)), broken],
      [
        garbage(crypto.getRandomValues(new Uint8Array(4096)).fill(255, 0, 5)),
        broken,
      ],
      [silence, "does not answer"],
      [drip(source.adapter), "does not answer"],
    ];
    await Promise.all(cases.map(async ([treatment, phrase]) => {
      await using fake = misbehave(treatment);
      const env = settingsOf(home, { ...source, port: fake.port });
      await assertFails(home, { ...env, DB_TIMEOUT: "2" }, {
        // Another kind of server ends the wait at once.
        ...(phrase.startsWith("is")
          ? { code: 78, phrase, seconds: 0 }
          : { code: 69, phrase, seconds: 2 }),
        // Without an answer, the wait ends with the first attempt.
        ...(phrase === broken ? {} : { reasons: [] }),
      });
    }));
  });

  Deno.test(`${name}: a start succeeds with a server that sends single bytes`, async () => {
    await using home = await startedHome(source);
    await using slow = misbehave(proxyTo(server, true));
    const env = settingsOf(home, { ...source, port: slow.port });
    const outcome = await start(COMPILED, ["app:start"], { env }).outcome;
    assertStarted(outcome);
    assert.deepEqual(reasonsOf(outcome.stderr), []);
    await assertName(home, env);
  });

  Deno.test(`${name}: a wait logs one line for each change of the reason`, async () => {
    await using home = await startedHome(source);
    let treatment: Treatment = dropAtOnce;
    let calls = 0;
    await using changing = misbehave((client) => {
      calls++;
      return treatment(client);
    });
    const env = settingsOf(home, { ...source, port: changing.port });
    const running = start(COMPILED, ["app:start"], { env });
    await running.until(/Waiting.* working connection/);
    // The reason is logged once for several attempts.
    await until(() => calls >= 4);
    treatment = silence;
    await running.until(/Waiting.* does not answer/);
    treatment = dropAtOnce;
    await running.until(
      /Waiting.* does not answer[^]*Waiting.* working connection/,
    );
    treatment = proxyTo(server, false);
    const outcome = await running.outcome;
    assertStarted(outcome);
    assert.deepEqual(reasonsOf(outcome.stderr), [
      "does not provide a working connection",
      "does not answer",
      "does not provide a working connection",
    ]);
    await assertName(home, env);
  });

  testWith(
    [MOUNTS],
    `${name}: a start waits for a host name that does not resolve`,
    async () => {
      await using home = await startedHome(source);
      const hosts = await home.write("etc/hosts", "127.0.0.1 localhost\n");
      // Nothing listens at this address, so queries fail at once.
      const resolver = await home.write(
        "etc/resolv.conf",
        "nameserver 127.255.255.254\noptions timeout:1 attempts:1\n",
      );
      const env = { ...settingsOf(home, source), DB_HOST: "late.db.test" };
      const inNamespace = (timeout: string): Running =>
        launch([
          ...NAMESPACE,
          ...["sh", "-c", MOUNT, "sh", hosts, resolver],
          ...COMPILED.command,
          "app:start",
        ], { env: { ...env, ...AS_ROOT, DB_TIMEOUT: timeout } });
      const before = await home.snapshot();
      const failed = await inNamespace("2").outcome;
      assert.equal(failed.code, 69, failed.stderr);
      const phrase = "has a host name that does not resolve";
      assert.deepEqual(reasonsOf(failed.stderr), [phrase], failed.stderr);
      assert.match(failed.stderr, /→ Check DB_HOST=late\.db\.test/);
      assertClean(failed, [PASSWORD]);
      await home.assertUnchanged(before);
      const running = inNamespace("60");
      await running.until(/Waiting.* does not resolve/);
      await Deno.writeTextFile(hosts, "127.0.0.1 localhost late.db.test\n");
      const outcome = await running.outcome;
      assertStarted(outcome);
      assert.deepEqual(reasonsOf(outcome.stderr), [phrase]);
      await assertName(home, env);
    },
  );

  Deno.test.afterAll(() => server.stop());
}

type Treatment = (client: Deno.TcpConn) => Promise<void>;

const MOUNT =
  'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf || exit 99; shift 2; exec "$@"';

/** Asserts that config.json has the start's settings. */
async function assertName(
  home: Home,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const { TeamSettings } = JSON.parse(await Deno.readTextFile(home.config));
  assert.equal(TeamSettings.SiteName, env["MATTERMOST_NAME"]);
}

async function holdConnection(source: DataSource) {
  return await connect(source, { signal: new AbortController().signal });
}

function dropAtOnce(client: Deno.TcpConn): Promise<void> {
  client.close();
  return Promise.resolve();
}

/** Forwards the first message of the server, and closes the connection when the client answers. */
function dropAfterGreeting(server: DatabaseServer): Treatment {
  return async (client) => {
    using upstream = await Deno.connect({ port: server.port });
    const buffer = new Uint8Array(4096);
    const isPostgres = server.user === "postgres";
    if (isPostgres) {
      const size = await client.read(buffer) ?? 0;
      await upstream.write(buffer.subarray(0, size));
    }
    const size = await upstream.read(buffer) ?? 0;
    await client.write(buffer.subarray(0, size));
    await client.read(buffer);
    client.close();
  };
}

function garbage(bytes: Uint8Array<ArrayBuffer>): Treatment {
  return async (client) => {
    await client.write(bytes);
    await silence(client);
  };
}

async function silence(client: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(512);
  while (await client.read(buffer) !== null);
}

/** Sends an endless greeting: single bytes of a message that could be a greeting. */
function drip(adapter: DataSource["adapter"]): Treatment {
  const isPostgres = adapter === "postgres";
  const head = isPostgres
    ? Uint8Array.of(0x52, 0, 0, 4, 0)
    : Uint8Array.of(0, 4, 0, 0, 10);
  return async (client) => {
    // PostgreSQL's client sends the first message.
    if (isPostgres) await client.read(new Uint8Array(512));
    for (const byte of head) {
      await client.write(Uint8Array.of(byte));
      await pause(20);
    }
    while (true) {
      await pause(100);
      await client.write(Uint8Array.of(65));
    }
  };
}

function proxyTo(server: DatabaseServer, byByte: boolean): Treatment {
  return async (client) => {
    const upstream = await Deno.connect({ port: server.port });
    client.setNoDelay(true);
    const back = (async () => {
      for await (const chunk of upstream.readable) {
        const parts = byByte
          ? Array.from(chunk, (byte) => Uint8Array.of(byte))
          : [chunk];
        for (const part of parts) {
          for (let rest = part; rest.length > 0;) {
            rest = rest.subarray(await client.write(rest));
          }
        }
      }
    })().catch(() => {});
    try {
      const buffer = new Uint8Array(4096);
      let size: number | null;
      while ((size = await client.read(buffer)) !== null) {
        await upstream.write(buffer.subarray(0, size));
      }
    } finally {
      try {
        upstream.close();
      } catch {
        // The end of the stream has closed it.
      }
      await back;
    }
  };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(10);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
