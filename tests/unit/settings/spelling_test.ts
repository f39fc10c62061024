import assert from "node:assert/strict";
import { SETTING_NAMES } from "../../../lib/settings/catalogue.ts";
import {
  closestName,
  didYouMean,
  findUnknownVariables,
  suggestVariable,
} from "../../../lib/settings/spelling.ts";

Deno.test("only a close name is suggested", () => {
  assert.equal(
    closestName("MATTERMOST_SITEURL", SETTING_NAMES),
    "MATTERMOST_SITE_URL",
  );
  assert.equal(
    closestName("MATTERMOST_NMAE", SETTING_NAMES),
    "MATTERMOST_NAME",
  );
  assert.equal(closestName("db_hots", SETTING_NAMES), "DB_HOST");
  assert.equal(closestName("PATH", SETTING_NAMES), undefined);
  assert.equal(closestName("anything", []), undefined);
  assert.equal(didYouMean("ture", ["true", "false"]), "Did you mean true?");
  assert.equal(didYouMean("perhaps", ["true", "false"]), undefined);
});

Deno.test("misspelt variables are reported with the closest name", () => {
  assert.deepEqual(
    findUnknownVariables({ MATTERMOST_SITEURL: "https://a.example.com" }),
    [{
      subject: "MATTERMOST_SITEURL",
      message: "MATTERMOST_SITEURL is not a known variable and has no effect",
      remedy: "Did you mean MATTERMOST_SITE_URL?",
    }],
  );
});

Deno.test("a name that continues a setting's name is reported with that setting", () => {
  assert.equal(suggestVariable("DB_HOSTNAME"), "Did you mean DB_HOST?");
  assert.equal(
    suggestVariable("MATTERMOST_NAME_OF_SITE"),
    "Did you mean MATTERMOST_NAME?",
  );
  assert.equal(suggestVariable("DB_HO"), "Did you mean DB_HOST?");
});

Deno.test("a misspelt _FILE variable is reported too", () => {
  const [problem] = findUnknownVariables({
    SMTP_PAS_FILE: "/run/secrets/smtp",
  });
  assert.equal(problem?.subject, "SMTP_PAS_FILE");
  assert.equal(problem?.remedy, "Did you mean SMTP_PASS?");
});

Deno.test("the remedy for an unknown name without a close one is the list of all", () => {
  const [problem] = findUnknownVariables({
    MATTERMOST_FROBNICATE_THE_WIDGETS: "1",
  });
  assert.match(problem?.remedy ?? "", /app:help --all/);
});

Deno.test("variables of other images are reported with their names here", () => {
  assert.deepEqual(
    findUnknownVariables({
      MM_USERNAME: "a",
      DB_PASSWORD_FILE: "/b",
      PUID: "1000",
    })
      .map(({ subject, remedy }) => [subject, remedy]),
    [
      ["MM_USERNAME", "Use DB_USER instead"],
      ["DB_PASSWORD_FILE", "Use DB_PASS_FILE instead"],
      ["PUID", "Use MATTERMOST_UID instead"],
    ],
  );
  assert.equal(suggestVariable("DB_PASWORD"), "Did you mean DB_PASS?");
});

Deno.test("variables that are known, unrelated, empty or from a link are not reported", () => {
  const every = SETTING_NAMES.flatMap((name) => [name, `${name}_FILE`]);
  assert.deepEqual(
    findUnknownVariables({
      ...Object.fromEntries(every.map((name) => [name, "x"])),
      PATH: "/bin",
      HOME: "/root",
      MYSQL_ENV_MYSQL_PASSWORD: "x",
      MM_SQLSETTINGS_DATASOURCE: "x",
      MATTERMOST_UNKNOWN_BUT_EMPTY: "",
      DB_NAME: "/web/db",
      DB_PORT_3306_TCP_ADDR: "172.17.0.2",
      DB_PORT_3306_TCP: "tcp://172.17.0.2:3306",
      DB_ENV_GOSU_VERSION: "1.7",
      DB_SERVICE_HOST: "10.0.0.5",
      DB_SERVICE_PORT_MYSQL: "3306",
      MATTERMOST_WEB_PORT: "tcp://10.0.0.5:80",
      MATTERMOST_WEB_PORT_80_TCP_PROTO: "tcp",
      SMTP_PORT_25_TCP_START: "tcp://10.0.0.6:25",
      constructor: "x",
      toString: "x",
    }),
    [],
  );
});
