import assert from "node:assert/strict";
import { rowOf, SETTING_NAMES } from "../../../lib/settings/catalogue.ts";
import { withoutSecretVariables } from "../../../lib/settings/secret_variables.ts";

const SECRETS = SETTING_NAMES.filter((name) => rowOf(name).secret === true);

function assertRemoved(names: readonly string[], value = "x"): void {
  for (const name of names) {
    assert.deepEqual(withoutSecretVariables({ [name]: value }), {}, name);
  }
}

Deno.test("secret settings and their _FILE variables are not inherited", () => {
  assert.ok(SECRETS.includes("DB_PASS") && SECRETS.includes("GITLAB_SECRET"));
  assertRemoved(SECRETS);
  assertRemoved(SECRETS.map((name) => `${name}_FILE`), "/run/secrets/x");
});

Deno.test("passwords of any Docker link are not inherited", () => {
  assertRemoved([
    "MYSQL_ENV_MYSQL_PASSWORD",
    "MYSQL_ENV_MYSQL_ROOT_PASSWORD",
    "DB_ENV_DB_PASS",
    "POSTGRES_1_ENV_POSTGRES_PASSWORD",
    "CHAT_POSTGRES_1_ENV_POSTGRES_PASSWORD_FILE",
    "REDIS_ENV_REDIS_PASSWORD",
    "MINIO_ENV_MINIO_SECRET_KEY",
    "A_ENV_JWT",
    "A_ENV_COOKIE-1",
  ]);
  assertRemoved(["REDIS_ENV_REDIS_URL"], "redis://:secret@redis:6379");
  assertRemoved(["A_ENV_DSN"], "ann@example.com:a/b@tcp(h)/db");
});

Deno.test("misspelt secrets, and those of other images, are not inherited", () => {
  assertRemoved([
    "DB_PASSWORD",
    "DB_PASSWORD_FILE",
    "DB_PASSWD",
    "DB_PAS",
    "DB_PASSFILE",
    "DBPASS",
    "db_pass",
    "Db_Pass_File",
    "DBPASSWORD",
    "DBPASSWD",
    "SMTP-PASSWORD",
    "SMPT_PASS",
    "MM_PASSWORD",
    "MATTERMOST_SECRETKEY",
    "MATTERMOST_SECRET_KEYS",
    "MATERMOST_SECRET_KEY",
    "MATTERMOST_SALT",
    "SMTP_PASSWORD",
    "SMTP_PAS_FILE",
    "S3_SECRET_ACCESS_KEY",
    "GITLAB_TOKEN",
  ]);
});

Deno.test("a setting that is no secret is not inherited if its value contains credentials", () => {
  assertRemoved(["MATTERMOST_SITE_URL", "S3_ENDPOINT"], "https://a:b@h");
});

Deno.test("the server's own variables, and those of other programs, are inherited", () => {
  const env = {
    AWS_ACCESS_KEY: "x",
    AWS_ACCESS_KEY_ID: "x",
    AWS_SECRET_ACCESS_KEY: "x",
    DB_HOST: "db",
    DB_NAME: "/web/db",
    DB_PORT_5432_TCP_ADDR: "10.0.0.2",
    HTTP_PASS: "x",
    HTTPS_PROXY: "http://ann:b@proxy:3128",
    MATTERMOST_LOG_FILES: "true",
    MATTERMOST_PORT: "tcp://10.0.0.3:80",
    MINIO_ACCESS_KEY: "x",
    MM_EMAILSETTINGS_SMTPPASSWORD: "x",
    MM_FEATUREFLAGS_ENV_KEY: "x",
    MM_SQLSETTINGS_DATASOURCE: "postgres://a:b@h/db",
    MYSQL_ENV_MYSQL_USER: "ann",
    PATH: "/bin",
    PGPASSWORD: "x",
    TOKEN: "x",
  };
  assert.deepEqual(withoutSecretVariables(env), env);
});

Deno.test("_FILE variables of the server's own variables are not inherited", () => {
  assertRemoved(["MM_LICENSE_FILE", "mm_license_file"], "/run/secrets/x");
});
