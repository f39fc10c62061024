import assert from "node:assert/strict";
import { SETTING_NAMES } from "../../../lib/settings/catalogue.ts";
import type { SettingName } from "../../../lib/settings/catalogue.ts";
import { describeOrigin, isExplicit } from "../../../lib/settings/origin.ts";
import type { Resolution } from "../../../lib/settings/resolve.ts";
import { CASES } from "./catalogue_cases.ts";
import { reader, resolved } from "./support.ts";

const MYSQL_LINK = {
  MYSQL_PORT_3306_TCP_ADDR: "172.17.0.2",
  MYSQL_PORT: "tcp://172.17.0.2:3306",
  MYSQL_ENV_MYSQL_USER: "ann",
  MYSQL_ENV_MYSQL_PASSWORD: "linked secret",
  MYSQL_ENV_MYSQL_DATABASE: "chat",
};

const POSTGRES_LINK = {
  POSTGRES_PORT_5432_TCP_ADDR: "172.17.0.3",
  POSTGRES_PORT: "tcp://172.17.0.3:5432",
  POSTGRES_ENV_POSTGRES_USER: "pat",
  POSTGRES_ENV_POSTGRES_PASSWORD: "linked secret",
};

/** Adapter, host, port, database, user and password of a resolution without problems. */
function database({ settings, problems }: Resolution): unknown[] {
  assert.deepEqual(problems, []);
  const { DB_ADAPTER, DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASS } = settings;
  return [DB_ADAPTER, DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASS];
}

function originsOf(
  { origins }: Resolution,
  names: readonly SettingName[],
): string[] {
  return names.map((name) => describeOrigin(origins[name]));
}

Deno.test("an empty variable counts as not set", () => {
  const { settings, origins } = resolved({
    MATTERMOST_NAME: "",
    MATTERMOST_MAX_USERS: "",
  });
  assert.equal(settings.MATTERMOST_NAME, "Mattermost");
  assert.equal(settings.MATTERMOST_MAX_USERS, 50);
  assert.deepEqual(origins.MATTERMOST_NAME, { kind: "default" });
});

Deno.test("every setting can be read from a file", () => {
  for (const name of SETTING_NAMES) {
    const [text, value] = CASES[name].good;
    const path = `/run/secrets/${name.toLowerCase()}`;
    const { settings, origins, problems } = resolved(
      { [`${name}_FILE`]: path },
      { readFile: reader({ [path]: `${text}\n` }) },
    );
    assert.deepEqual(problems, [], name);
    assert.equal(settings[name], value);
    assert.deepEqual(origins[name], {
      kind: "file",
      name: `${name}_FILE`,
      path,
    });
  }
});

Deno.test("only one newline at the end of a file is removed", () => {
  for (
    const [content, password] of [
      ["secret", "secret"],
      ["secret\n", "secret"],
      ["secret\r\n", "secret"],
      ["secret\n\n", "secret\n"],
      ["secret\r", "secret\r"],
      [" se cret \n", " se cret "],
      ["line\nline\n", "line\nline"],
    ] as const
  ) {
    const { settings, problems } = resolved({ DB_PASS_FILE: "/pass" }, {
      readFile: reader({ "/pass": content }),
    });
    assert.deepEqual(problems, []);
    assert.equal(settings.DB_PASS, password, JSON.stringify(content));
  }
});

Deno.test("a variable and its _FILE variable must not both be set", () => {
  const { settings, problems } = resolved({
    DB_PASS: "one",
    DB_PASS_FILE: "/pass",
  }, { readFile: reader({ "/pass": "two" }) });
  assert.equal(settings.DB_PASS, "");
  assert.deepEqual(problems, [{
    subject: "DB_PASS",
    message:
      "DB_PASS and DB_PASS_FILE are both set, but only one of them may be",
    remedy: "Remove DB_PASS or DB_PASS_FILE",
    code: 78,
  }]);
});

Deno.test("a variable and its _FILE variable are no conflict if one of them is empty", () => {
  assert.equal(
    resolved({ DB_PASS: "one", DB_PASS_FILE: "" }).settings.DB_PASS,
    "one",
  );
  const { settings } = resolved({ DB_PASS: "", DB_PASS_FILE: "/pass" }, {
    readFile: reader({ "/pass": "two" }),
  });
  assert.equal(settings.DB_PASS, "two");
});

Deno.test("the error for a file that cannot be read has its path, the reason and a remedy", () => {
  const table: [code: string, message: RegExp, remedy: RegExp][] = [
    [
      "ENOENT",
      /^DB_PASS_FILE must be the path of a file: it is \(hidden\), which does not exist$/,
      /^DB_PASS_FILE=\/run\/secrets\/db_pass /,
    ],
    [
      "EACCES",
      /^The file \/pass of DB_PASS_FILE cannot be read by this user$/,
      /chmod/,
    ],
    [
      "EISDIR",
      /^The file \/pass of DB_PASS_FILE is a directory$/,
      /Docker mounts a directory/,
    ],
    [
      "EIO",
      /^The file \/pass of DB_PASS_FILE cannot be read: the device reports an input\/output error \(EIO\)$/,
      /dmesg/,
    ],
    [
      "NotRegular",
      /^The file \/pass of DB_PASS_FILE cannot be read: it is a FIFO, a socket or a device$/,
      /ls -lL \/pass/,
    ],
  ];
  for (const [code, message, remedy] of table) {
    const { problems } = resolved({ DB_PASS_FILE: "/pass" }, {
      readFile: reader({ "/pass": { code } }),
    });
    assert.equal(problems.length, 1);
    assert.equal(problems[0]?.subject, "DB_PASS_FILE");
    assert.equal(problems[0]?.code, 66);
    assert.match(problems[0]?.message ?? "", message);
    assert.match(problems[0]?.remedy ?? "", remedy);
  }
});

Deno.test("the content of a file is never shown, even if it is no secret", () => {
  const { problems } = resolved({
    MATTERMOST_MAX_USERS_FILE: "/a",
    MATTERMOST_SECRET_KEY_FILE: "/b",
  }, { readFile: reader({ "/a": "MARKER", "/b": "MARKER" }) });
  assert.deepEqual(problems.map(({ subject }) => subject), [
    "MATTERMOST_SECRET_KEY_FILE",
    "MATTERMOST_MAX_USERS_FILE",
  ]);
  assert.ok(!JSON.stringify(problems).includes("MARKER"));
});

Deno.test("all problems are reported at once", () => {
  const bad = Object.fromEntries(
    SETTING_NAMES.flatMap((name) => {
      const text = CASES[name].bad;
      return text === undefined ? [] : [[name, text]];
    }),
  );
  const { problems } = resolved({ ...bad, SMTP_PASS_FILE: "/nowhere" });
  assert.deepEqual(
    problems.map(({ subject }) => subject).sort(),
    [...Object.keys(bad), "SMTP_PASS_FILE"].sort(),
  );
});

Deno.test("the remedy for a wrong word suggests the closest valid one", () => {
  const remedy = (env: Record<string, string>): string | undefined =>
    resolved(env).problems[0]?.remedy;
  assert.equal(remedy({ DB_ADAPTER: "postgre" }), "Did you mean postgres?");
  assert.equal(
    remedy({ MATTERMOST_OPEN_SERVER: "flase" }),
    "Did you mean false?",
  );
  assert.equal(
    remedy({ MATTERMOST_SITE_URL: "chat" }),
    "For example MATTERMOST_SITE_URL=https://chat.example.com",
  );
  assert.equal(
    remedy({ MATTERMOST_SECRET_KEY: "short" }),
    "mattermost-entrypoint app:secrets   # prints new values",
  );
  assert.equal(
    remedy({ MATTERMOST_MAX_USERS: "many" }),
    "Correct MATTERMOST_MAX_USERS, or remove it to use the default",
  );
});

Deno.test("the error for a secret that is too short has its length, not its value", () => {
  const [problem] = resolved({ MATTERMOST_LINK_SALT: "sälty" }).problems;
  assert.equal(
    problem?.message,
    "MATTERMOST_LINK_SALT must be text of at least 32 bytes: it is (hidden), which has 6 bytes",
  );
});

Deno.test("a linked mysql gives all database settings", () => {
  const resolution = resolved(MYSQL_LINK);
  assert.deepEqual(database(resolution), [
    "mysql",
    "172.17.0.2",
    3306,
    "chat",
    "ann",
    "linked secret",
  ]);
  assert.deepEqual(
    originsOf(resolution, ["DB_ADAPTER", "DB_HOST", "DB_PASS", "DB_TIMEOUT"]),
    [
      "link variable MYSQL_PORT_3306_TCP_ADDR",
      "link variable MYSQL_PORT_3306_TCP_ADDR",
      "link variable MYSQL_ENV_MYSQL_PASSWORD",
      "default",
    ],
  );
});

Deno.test("a linked postgres overrides the default adapter", () => {
  assert.deepEqual(database(resolved(POSTGRES_LINK, { adapter: "mysql" })), [
    "postgres",
    "172.17.0.3",
    5432,
    "pat",
    "pat",
    "linked secret",
  ]);
});

Deno.test("each setting that is given takes precedence over the link", () => {
  const resolution = resolved({
    ...MYSQL_LINK,
    DB_NAME: "other",
    DB_PASS_FILE: "/pass",
  }, { readFile: reader({ "/pass": "explicit" }) });
  assert.deepEqual(database(resolution), [
    "mysql",
    "172.17.0.2",
    3306,
    "other",
    "ann",
    "explicit",
  ]);
  assert.deepEqual(originsOf(resolution, ["DB_NAME", "DB_PASS", "DB_USER"]), [
    "variable DB_NAME",
    "DB_PASS_FILE (/pass)",
    "link variable MYSQL_ENV_MYSQL_USER",
  ]);
});

Deno.test("links are ignored if DB_HOST names another host", () => {
  assert.deepEqual(
    database(resolved({ ...MYSQL_LINK, DB_HOST: "db.example.com" })),
    [
      "mysql",
      "db.example.com",
      3306,
      "mattermost",
      "root",
      "",
    ],
  );
});

Deno.test("a link is used if DB_HOST names its alias or address", () => {
  for (const host of ["mysql", "172.17.0.2"]) {
    const { settings } = resolved({ ...MYSQL_LINK, DB_HOST: host });
    assert.equal(settings.DB_HOST, host);
    assert.equal(settings.DB_USER, "ann");
  }
});

Deno.test("of two links, the one that matches the adapter is used", () => {
  const both = { ...MYSQL_LINK, ...POSTGRES_LINK };
  const adapter = (resolution: Resolution): unknown => database(resolution)[0];
  assert.equal(adapter(resolved(both)), "mysql");
  assert.equal(adapter(resolved(both, { adapter: "mysql" })), "mysql");
  assert.equal(adapter(resolved(both, { adapter: "postgres" })), "postgres");
  const { settings } = resolved({ ...both, DB_ADAPTER: "postgres" });
  assert.equal(settings.DB_HOST, "172.17.0.3");
  assert.equal(settings.DB_USER, "pat");
  const none = resolved({ ...MYSQL_LINK, DB_ADAPTER: "postgres" });
  assert.equal(none.settings.DB_HOST, undefined);
});

Deno.test("DB_NAME and DB_PORT of a link with the alias db are not taken for settings", () => {
  assert.deepEqual(
    database(resolved({
      DB_NAME: "/web2/db",
      DB_PORT: "tcp://10.0.0.5:5432",
      DB_PORT_5432_TCP: "tcp://10.0.0.5:5432",
      DB_PORT_5432_TCP_ADDR: "10.0.0.5",
      DB_ENV_POSTGRES_USER: "pat",
      DB_ENV_POSTGRES_PASSWORD: "secret",
    })),
    ["postgres", "10.0.0.5", 5432, "pat", "pat", "secret"],
  );
});

Deno.test("a Kubernetes service named db gives only its address", () => {
  assert.deepEqual(
    database(resolved({
      DB_SERVICE_HOST: "10.96.0.7",
      DB_SERVICE_PORT: "3306",
      DB_PORT: "tcp://10.96.0.7:3306",
      DB_USER: "ann",
    })),
    ["mysql", "10.96.0.7", 3306, "mattermost", "ann", ""],
  );
});

Deno.test("a service named mattermost changes neither port nor name", () => {
  const { settings, problems } = resolved({
    MATTERMOST_PORT: "tcp://10.0.0.9:80",
    MATTERMOST_NAME: "/proxy/mattermost",
    MATTERMOST_SERVICE_HOST: "10.0.0.9",
  });
  assert.deepEqual(problems, []);
  assert.equal(settings.MATTERMOST_PORT, 80);
  assert.equal(settings.MATTERMOST_NAME, "Mattermost");
});

Deno.test("a service name that resolves is used if no database is linked", () => {
  const resolution = resolved({}, { services: ["postgres"] });
  assert.deepEqual(database(resolution), [
    "postgres",
    "postgres",
    5432,
    "mattermost",
    "mattermost",
    "",
  ]);
  assert.deepEqual(
    originsOf(resolution, ["DB_HOST", "DB_ADAPTER", "DB_PORT"]),
    [
      "service name postgres",
      "service name postgres",
      "default",
    ],
  );
});

Deno.test("of several service names that resolve, the one that matches the adapter is used", () => {
  const host = (
    env: Record<string, string>,
    services: string[],
    adapter: "mysql" | "postgres" = "mysql",
  ): unknown => resolved(env, { services, adapter }).settings.DB_HOST;
  assert.equal(host({}, ["mysql", "postgres"]), "mysql");
  assert.equal(host({}, ["mysql", "postgres"], "postgres"), "postgres");
  assert.equal(host({ DB_ADAPTER: "postgres" }, ["mysql", "db"]), "db");
  assert.equal(host({ DB_ADAPTER: "postgres" }, ["mysql"]), undefined);
  assert.equal(host({ DB_HOST: "own" }, ["mysql"]), "own");
  assert.equal(host({}, ["db"]), "db");
  assert.equal(host(MYSQL_LINK, ["postgres"]), "172.17.0.2");
});

Deno.test("for a service name without a product, the release determines the adapter", () => {
  const { settings, origins } = resolved({}, {
    services: ["db"],
    adapter: "postgres",
  });
  assert.equal(settings.DB_ADAPTER, "postgres");
  assert.deepEqual(origins.DB_ADAPTER, { kind: "default" });
});

Deno.test("a DB_HOST named like a product determines the adapter", () => {
  const adapter = (env: Record<string, string>): unknown =>
    resolved(env).settings.DB_ADAPTER;
  assert.equal(adapter({ DB_HOST: "postgres" }), "postgres");
  assert.equal(adapter({ DB_HOST: "mariadb" }), "mysql");
  assert.equal(adapter({ DB_HOST: "db" }), "mysql");
  assert.equal(adapter({ DB_HOST: "postgres", DB_ADAPTER: "mysql" }), "mysql");
  assert.equal(adapter({ DB_HOST: "constructor" }), "mysql");
});

Deno.test("the release determines the adapter if nothing else does", () => {
  const { settings } = resolved({ DB_HOST: "a" }, { adapter: "postgres" });
  assert.equal(settings.DB_ADAPTER, "postgres");
  assert.equal(settings.DB_PORT, 5432);
  assert.equal(settings.DB_USER, "mattermost");
  assert.equal(resolved({ DB_HOST: "a" }).settings.DB_USER, "root");
});

Deno.test("a wrong value in a link is reported with the variable that holds it", () => {
  const { problems } = resolved({ MYSQL_PORT: "tcp://10.0.0.5:99999" });
  assert.deepEqual(problems.map(({ subject }) => subject), ["MYSQL_PORT"]);
});

Deno.test("defaults depend on other settings as documented", () => {
  const table: [Record<string, string>, Partial<Resolution["settings"]>][] = [
    [{ MATTERMOST_LINK_SALT: "l".repeat(32) }, {
      MATTERMOST_ENABLE_PUBLIC_LINKS: true,
    }],
    [{ MATTERMOST_PUSH_SERVER: "https://push.example.com" }, {
      MATTERMOST_ENABLE_PUSH_NOTIFICATIONS: true,
      MATTERMOST_PUSH_FULL_MESSAGE: false,
    }],
    [{ SMTP_HOST: "smtp.example.com" }, {
      MATTERMOST_EMAIL_NOTIFICATIONS: true,
      MATTERMOST_EMAIL_VERIFICATION: true,
      MATTERMOST_ENABLE_EMAIL_BATCHING: false,
    }],
    [{ SMTP_HOST: "a", MATTERMOST_SITE_URL: "https://a.example.com" }, {
      MATTERMOST_ENABLE_EMAIL_BATCHING: true,
    }],
    [{
      SMTP_HOST: "a",
      MATTERMOST_SITE_URL: "https://a.example.com",
      MATTERMOST_EMAIL_NOTIFICATIONS: "false",
    }, { MATTERMOST_ENABLE_EMAIL_BATCHING: false }],
    [{
      SMTP_HOST: "a",
      MATTERMOST_SITE_URL: "https://a.example.com",
      MATTERMOST_ENABLE_CLUSTER: "true",
    }, { MATTERMOST_ENABLE_EMAIL_BATCHING: false }],
    [{ SMTP_USER: "chat@example.com" }, {
      MATTERMOST_EMAIL: "chat@example.com",
    }],
    [{ SMTP_USER: "chat" }, { MATTERMOST_EMAIL: "example@example.com" }],
    [{ SMTP_PORT: "587" }, { SMTP_SECURITY: "STARTTLS" }],
    [{ SMTP_PORT: "465" }, { SMTP_SECURITY: "TLS" }],
    [{ SMTP_PORT: "587", SMTP_SECURITY: "none" }, { SMTP_SECURITY: "NONE" }],
    [{ GITLAB_ID: "id" }, { GITLAB_ENABLE: true }],
    [{ GITLAB_ID: "id", GITLAB_ENABLE: "false" }, { GITLAB_ENABLE: false }],
    [{ S3_BUCKET: "bucket" }, { MATTERMOST_FILE_DRIVER: "amazons3" }],
    [{ DEBUG_ENTRYPOINT: "true" }, { DEBUG: true }],
    [{ DEBUG_ENTRYPOINT: "true", DEBUG: "false" }, { DEBUG: false }],
    [{ MATTERMOST_HOME: "/srv" }, {
      MATTERMOST_INSTALL_DIR: "/srv/mattermost",
      MATTERMOST_DATA_DIR: "/srv/data",
      MATTERMOST_CONF_DIR: "/srv/data/config",
    }],
    [{ MATTERMOST_DATA_DIR: "/data" }, { MATTERMOST_CONF_DIR: "/data/config" }],
  ];
  for (const [env, wanted] of table) {
    const { settings, problems } = resolved(env);
    assert.deepEqual(problems, []);
    assert.deepEqual({ ...settings, ...wanted }, settings, JSON.stringify(env));
  }
});

Deno.test("an invalid setting does not count as set for the defaults of others", () => {
  const { settings } = resolved({ MATTERMOST_LINK_SALT: "short" });
  assert.equal(settings.MATTERMOST_ENABLE_PUBLIC_LINKS, false);
});

Deno.test("every setting has an origin, and only defaults are not explicit", () => {
  const { origins, settings } = resolved(MYSQL_LINK);
  assert.deepEqual(Object.keys(origins).sort(), [...SETTING_NAMES].sort());
  assert.deepEqual(Object.keys(settings).sort(), [...SETTING_NAMES].sort());
  assert.ok(isExplicit(origins.DB_HOST));
  assert.ok(!isExplicit(origins.MATTERMOST_NAME));
});

Deno.test("an origin reads as a short phrase", () => {
  const name = "DB_HOST";
  assert.deepEqual(
    [
      describeOrigin({ kind: "variable", name }),
      describeOrigin({ kind: "file", name: "DB_HOST_FILE", path: "/a" }),
      describeOrigin({ kind: "link", name: "DB_PORT" }),
      describeOrigin({ kind: "service", host: "postgres" }),
      describeOrigin({ kind: "default" }),
      describeOrigin({ kind: "generated" }),
      describeOrigin({ kind: "console" }),
    ],
    [
      "variable DB_HOST",
      "DB_HOST_FILE (/a)",
      "link variable DB_PORT",
      "service name postgres",
      "default",
      "generated",
      "kept from config.json",
    ],
  );
});

Deno.test("the result is frozen", () => {
  const { settings, origins } = resolved({});
  assert.ok(Object.isFrozen(settings));
  assert.ok(Object.isFrozen(origins));
});
