import assert from "node:assert/strict";
import type { Session, StoredConfig } from "../../../lib/database/session.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import { valueAt } from "../../../lib/json.ts";
import type { WithSession } from "../../../lib/startup/config_store.ts";
import {
  becomeServer,
  buildServerEnvironment,
} from "../../../lib/startup/handoff.ts";
import { makePlan, type Plan } from "../../../lib/startup/plan.ts";
import { storeProblems } from "../../../lib/startup/shared_store.ts";
import { FACTS } from "../../support/database_facts.ts";
import { writePlan } from "../../../lib/startup/write_plan.ts";
import { differences, explain } from "../../../lib/commands/explain.ts";
import { Handoff, type World } from "../../support/fake_system.ts";
import {
  CONFIG,
  ENOUGH,
  INSTALL,
  installed,
  stage,
} from "../../support/installation.ts";

const DSN =
  "postgres://mattermost:a%20password%20nobody%20may%20see@db.example.com:5432/mattermost?sslmode=disable&connect_timeout=10";

const STORED = {
  TeamSettings: { SiteName: "Edited", MaxUsersPerTeam: 70 },
  ServiceSettings: { ListenAddress: ":8065", EnableTesting: false },
  SqlSettings: { DataSource: "postgres://stale@old/db", AtRestEncryptKey: "k" },
};

const IN_DATABASE = { ...ENOUGH, MATTERMOST_CONFIG_STORE: "database" };

/** The problems with a database that has the table for configurations. */
function problemsOf(
  plan: Plan,
  session: Session,
): ReturnType<typeof storeProblems> {
  const facts = { ...FACTS, hasConfigurations: true };
  return storeProblems(plan, { session, facts });
}

function sessionOf(
  stored: unknown,
  clients: readonly string[] = [],
): Session {
  const configuration: StoredConfig | undefined = stored === undefined
    ? undefined
    : {
      id: "id",
      text: typeof stored === "string" ? stored : JSON.stringify(stored),
      createdAt: Date.UTC(2030, 1, 3),
    };
  return {
    configuration: () => Promise.resolve(configuration),
    otherClients: () => Promise.resolve(clients),
    facts: () => Promise.reject(new Error("not asked")),
    lock: () => Promise.reject(new Error("not asked")),
    close: () => Promise.resolve(),
  };
}

function using(session: Session): WithSession {
  return (work) => work(session);
}

async function plan(stored: unknown, world: World = {}): Promise<Plan> {
  const { context } = stage({ env: IN_DATABASE, ...world });
  return await makePlan(context, { useSession: using(sessionOf(stored)) });
}

async function refusal(work: Promise<unknown>): Promise<EntrypointError> {
  return await work.then(
    () => assert.fail("nothing was thrown"),
    (error) => {
      assert.ok(error instanceof EntrypointError, String(error));
      return error;
    },
  );
}

Deno.test("the server gets what the operator set and what it needs here, and no default", async () => {
  const env = {
    ...IN_DATABASE,
    MATTERMOST_NAME: "Chat",
    MATTERMOST_TRUSTED_PROXY_HEADERS: "X-Real-IP X-Forwarded-For",
    SMTP_PASS: "the password of the mail",
    SMTP_HOST: "mail",
    MM_TEAMSETTINGS_SITENAME: "Mine",
  };
  const { system, context } = stage({ env });
  const made = await makePlan(context, {
    useSession: using(sessionOf(STORED)),
  });
  const { handedOver } = made;
  assert.equal(handedOver["MM_CONFIG"], DSN);
  assert.equal(handedOver["MM_SQLSETTINGS_DATASOURCE"], DSN);
  assert.equal(handedOver["MM_SQLSETTINGS_DRIVERNAME"], "postgres");
  assert.equal(handedOver["MM_SERVICESETTINGS_LISTENADDRESS"], ":80");
  assert.equal(
    handedOver["MM_FILESETTINGS_DIRECTORY"],
    "/opt/mattermost/data/",
  );
  assert.equal(
    handedOver["MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER"],
    "X-Real-IP X-Forwarded-For",
  );
  assert.equal(
    handedOver["MM_EMAILSETTINGS_SMTPPASSWORD"],
    env.SMTP_PASS,
  );
  // The name of the sender, but not the variable that the operator set.
  assert.equal(handedOver["MM_EMAILSETTINGS_FEEDBACKNAME"], "Chat");
  // A default that SMTP_HOST changes, and one that it does not.
  assert.equal(handedOver["MM_EMAILSETTINGS_SENDEMAILNOTIFICATIONS"], "true");
  assert.equal(handedOver["MM_FILESETTINGS_DRIVERNAME"], undefined);
  assert.equal(handedOver["MM_TEAMSETTINGS_SITENAME"], undefined);
  assert.equal(handedOver["MM_TEAMSETTINGS_MAXUSERSPERTEAM"], undefined);

  // Other programs get none of them.
  const others = Object.values(buildServerEnvironment(made, system)).join(" ");
  assert.doesNotMatch(others, /nobody|password of the mail/);
  assert.throws(() => becomeServer(made, system, ["--x"]), Handoff);
  const [handoff] = system.handoffs;
  assert.deepEqual(handoff?.args, [`${INSTALL}/bin/mattermost`, "--x"]);
  assert.equal(handoff?.env["MM_CONFIG"], DSN);
  assert.equal(handoff?.env["MM_TEAMSETTINGS_SITENAME"], "Mine");
});

Deno.test("the judged configuration is what is stored, with what overrides it", async () => {
  const { merged } = await plan(STORED, {
    env: { ...IN_DATABASE, MATTERMOST_MAX_USERS: "80" },
  });
  const { TeamSettings, SqlSettings, ServiceSettings } = merged.document;
  assert.deepEqual(TeamSettings, { SiteName: "Edited", MaxUsersPerTeam: 80 });
  assert.deepEqual(ServiceSettings, {
    ListenAddress: ":80",
    EnableTesting: false,
  });
  assert.deepEqual(SqlSettings, {
    DriverName: "postgres",
    DataSource: DSN,
    AtRestEncryptKey: "k",
  });
  assert.deepEqual([merged.conflicts, merged.generated], [[], []]);
});

Deno.test("--diff and --explain tell what is stored from what overrides it", async () => {
  const made = await plan(STORED, {
    env: { ...IN_DATABASE, MATTERMOST_MAX_USERS: "80" },
  });
  const options = { showSecrets: false };
  const changes = differences(made, options);
  assert.deepEqual(
    changes.find(({ path }) => path === "TeamSettings.MaxUsersPerTeam"),
    {
      path: "TeamSettings.MaxUsersPerTeam",
      before: 70,
      after: 80,
      reason: "set",
    },
  );
  assert.ok(!changes.some(({ path }) => path === "TeamSettings.SiteName"));
  assert.doesNotMatch(JSON.stringify(changes), /nobody/);
  const origins = new Map(
    explain(made, options).flatMap(({ paths }) =>
      paths.map(({ path, value, origin }) => [path, { value, origin }])
    ),
  );
  assert.deepEqual(origins.get("TeamSettings.SiteName"), {
    value: "Edited",
    origin: "stored in the database",
  });
  assert.deepEqual(origins.get("ServiceSettings.ListenAddress"), {
    value: ":80",
    origin: "default that goes with your settings",
  });
});

Deno.test("nothing is written", async () => {
  const { system, context } = stage({ env: IN_DATABASE });
  const made = await makePlan(context, {
    useSession: using(sessionOf(undefined)),
  });
  const { steps } = system.files;
  await writePlan(made, context);
  assert.equal(system.files.steps, steps);
});

Deno.test("a config.json is not passed over where the database holds nothing", async () => {
  const files = installed();
  files.makeDirectory("/opt/mattermost/data/config");
  files.place(CONFIG, "{}");
  const error = await refusal(plan(undefined, { files }));
  assert.equal(error.code, 78);
  assert.match(error.message, /^MATTERMOST_CONFIG_STORE says .* exists/);
  assert.match(error.remedy ?? "", /--to-database .* remove MATTERMOST_CONFIG/);
  const [problem] = await problemsOf(
    await plan(STORED, { files }),
    sessionOf(STORED),
  );
  assert.match(problem?.message ?? "", /database counts; \/opt\/.* of 20\d\d-/);
});

Deno.test("the default configuration of a package is nobody's", async () => {
  const files = installed();
  const path = `${INSTALL}/config/config.json`;
  files.makeDirectory(`${INSTALL}/config`);
  const shipped = { ServiceSettings: { EnableTesting: false } };
  files.place(path, JSON.stringify(shipped));
  const env = { ...IN_DATABASE, MATTERMOST_CONF_DIR: `${INSTALL}/config` };
  await plan(undefined, { files, env });
  const started = { ...shipped, SqlSettings: { AtRestEncryptKey: "made" } };
  files.place(path, JSON.stringify(started));
  assert.equal((await refusal(plan(undefined, { files, env }))).code, 78);
});

Deno.test("with config.json, a configuration in the database is named", async () => {
  const made = await makePlan(stage().context);
  assert.deepEqual(await problemsOf(made, sessionOf(undefined)), []);
  const session = sessionOf(STORED, ["10.0.0.7"]);
  const [problem, ...others] = await problemsOf(made, session);
  assert.match(problem?.message ?? "", /also holds one, of 2030-02-03/);
  assert.deepEqual(others, []);
  // Where the facts name no such table, a start asks for nothing more.
  assert.deepEqual(await storeProblems(made, { session, facts: FACTS }), []);
});

Deno.test("another server on the same store is named, but not in a cluster", async () => {
  const session = sessionOf(STORED, ["10.0.0.7", "10.0.0.8"]);
  const [problem] = await problemsOf(await plan(STORED), session);
  assert.match(problem?.message ?? "", /from 10\.0\.0\.7, 10\.0\.0\.8: /);
  const env = { ...IN_DATABASE, MATTERMOST_ENABLE_CLUSTER: "true" };
  assert.deepEqual(
    await problemsOf(await plan(STORED, { env }), session),
    [],
  );
});

Deno.test("a stored text that is no configuration is refused, and none is quoted", async () => {
  for (const text of ["", '{"password": "S3CRET', "[]"]) {
    const error = await refusal(plan(text));
    assert.equal(error.code, 65);
    assert.doesNotMatch(error.message, /S3CRET/);
    assert.match(error.remedy ?? "", /SET active = true/);
  }
});

Deno.test("a report goes on if the database cannot be read, and a start does not", async () => {
  const failing: WithSession = () =>
    Promise.reject(new EntrypointError("no way in", { code: 69 }));
  const { context } = stage({ env: IN_DATABASE });
  const made = await makePlan(context, {
    useSession: failing,
    reportsVariables: true,
  });
  assert.match(made.state.notices.join(), /cannot be read, .*: no way in$/);
  const error = await refusal(makePlan(context, { useSession: failing }));
  assert.equal(error.code, 69);
});

Deno.test("MM_CONFIG alone names the store and the database", async () => {
  const { DB_ADAPTER: _, DB_HOST: __, DB_PASS: ___, ...rest } = ENOUGH;
  const env = { ...rest, MM_CONFIG: "postgres://ann:secret@other:5433/chat" };
  // The data of the server may be elsewhere.
  const error = await refusal(plan(STORED, { env }));
  assert.equal(error.code, 78);
  assert.match(error.message, /^Only MM_CONFIG .* names another one/);
  const SqlSettings = { DataSource: "postgres://x@other:5433/chat" };
  const made = await plan({ ...STORED, SqlSettings }, { env });
  const { source } = made.database;
  assert.deepEqual(
    [source.host, source.port, source.database, source.givenBy],
    ["other", 5433, "chat", "MM_CONFIG"],
  );
  assert.match(
    made.handedOver["MM_CONFIG"] ?? "",
    /^postgres:\/\/ann:secret@other:5433\/chat/,
  );
});

Deno.test("a release that reads no lists from variables keeps the stored ones, and a warning says so", async () => {
  const cases = [
    ["5.29.0", ["Stored"], /PROXY_HEADERS has no effect with the config/],
    ["5.30.0", ["X-Real-Ip"], /^$/],
  ] as const;
  const stored = { ServiceSettings: { TrustedProxyIPHeader: ["Stored"] } };
  for (const [MATTERMOST_VERSION, expected, warning] of cases) {
    const { merged, warnings } = await plan(stored, {
      env: {
        ...IN_DATABASE,
        MATTERMOST_VERSION,
        MATTERMOST_TRUSTED_PROXY_HEADERS: "X-Real-Ip",
      },
    });
    assert.deepEqual(
      valueAt(merged.document, "ServiceSettings.TrustedProxyIPHeader"),
      expected,
    );
    const texts = warnings.map(({ message }) => message)
      .filter((message) => message.includes("PROXY_HEADERS"));
    assert.match(texts.join("\n"), warning);
  }
});

Deno.test("MySQL's data source gets its scheme", async () => {
  const made = await plan(undefined, {
    env: {
      ...IN_DATABASE,
      MATTERMOST_VERSION: "10.11.0",
      DB_ADAPTER: "mysql",
    },
  });
  assert.match(made.handedOver["MM_CONFIG"] ?? "", /^mysql:\/\/root:.*@tcp\(/);
});

Deno.test("what cannot be is refused with 78", async () => {
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ MM_CONFIG: "mysql://ann:S3CRET@tcp(db)/chat" }, /of MySQL, which/],
    [
      { MM_CONFIG: "postgres://db.example.com:x/chat" },
      /must be a data source that/,
    ],
    [
      { MM_CONFIG: "postgres://ann:S3CRET@elsewhere/chat" },
      /names another database than DB_HOST/,
    ],
    [
      { MATTERMOST_VERSION: "5.9.0", MATTERMOST_CONFIG_STORE: "database" },
      /only releases from 5\.10 on/,
    ],
  ];
  for (const [env, pattern] of cases) {
    const error = await refusal(
      plan(undefined, { env: { ...ENOUGH, ...env } }),
    );
    const messages = error.problems.map(({ message }) => message).join("\n");
    assert.equal(error.code, 78);
    assert.match(messages, pattern);
    assert.doesNotMatch(messages, /S3CRET/);
  }
});
