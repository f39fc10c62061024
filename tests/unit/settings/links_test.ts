import assert from "node:assert/strict";
import type { Link } from "../../../lib/settings/links.ts";
import {
  findLinks,
  isLinkValue,
  isLinkVariable,
} from "../../../lib/settings/links.ts";

/** The address variables of `docker run --link …:alias`, up to Docker 28. */
function dockerLink(alias: string, port: number): Record<string, string> {
  const prefix = alias.toUpperCase();
  return {
    [`${prefix}_NAME`]: `/mattermost/${alias}`,
    [`${prefix}_PORT`]: `tcp://172.17.0.2:${port}`,
    [`${prefix}_PORT_${port}_TCP`]: `tcp://172.17.0.2:${port}`,
    [`${prefix}_PORT_${port}_TCP_ADDR`]: "172.17.0.2",
    [`${prefix}_PORT_${port}_TCP_PORT`]: `${port}`,
    [`${prefix}_PORT_${port}_TCP_PROTO`]: "tcp",
  };
}

function texts(link: Link | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(link?.values ?? {}).map(([name, { text }]) => [name, text]),
  );
}

function only(env: Record<string, string>): Link | undefined {
  const links = findLinks(env);
  assert.equal(links.length, 1);
  return links[0];
}

Deno.test("a linked official mysql gives address and credentials", () => {
  const link = only({
    ...dockerLink("mysql", 3306),
    MYSQL_ENV_MYSQL_USER: "ann",
    MYSQL_ENV_MYSQL_PASSWORD: "secret",
    MYSQL_ENV_MYSQL_DATABASE: "chat",
    MYSQL_ENV_MYSQL_ROOT_PASSWORD: "root's",
  });
  assert.equal(link?.adapter, "mysql");
  assert.deepEqual(texts(link), {
    DB_HOST: "172.17.0.2",
    DB_PORT: "3306",
    DB_NAME: "chat",
    DB_USER: "ann",
    DB_PASS: "secret",
  });
  assert.equal(link?.values.DB_HOST?.variable, "MYSQL_PORT_3306_TCP_ADDR");
  assert.equal(link?.values.DB_PASS?.variable, "MYSQL_ENV_MYSQL_PASSWORD");
});

Deno.test("a linked official postgres gives address and credentials", () => {
  const link = only({
    ...dockerLink("postgres", 5432),
    POSTGRES_ENV_POSTGRES_USER: "ann",
    POSTGRES_ENV_POSTGRES_PASSWORD: "secret",
    POSTGRES_ENV_POSTGRES_DB: "chat",
  });
  assert.equal(link?.adapter, "postgres");
  assert.deepEqual(texts(link), {
    DB_HOST: "172.17.0.2",
    DB_PORT: "5432",
    DB_NAME: "chat",
    DB_USER: "ann",
    DB_PASS: "secret",
  });
});

Deno.test("without POSTGRES_DB, the database has the name of the user", () => {
  const link = only({
    ...dockerLink("postgres", 5432),
    POSTGRES_ENV_POSTGRES_USER: "ann",
    POSTGRES_ENV_POSTGRES_PASSWORD: "secret",
  });
  assert.equal(link?.values.DB_NAME?.text, "ann");
});

Deno.test("the variables of sameersbn's images come first", () => {
  const link = only({
    ...dockerLink("mysql", 3306),
    MYSQL_ENV_DB_NAME: "chat",
    MYSQL_ENV_DB_USER: "ann",
    MYSQL_ENV_DB_PASS: "secret",
    MYSQL_ENV_MYSQL_USER: "other",
  });
  assert.deepEqual(texts(link), {
    DB_HOST: "172.17.0.2",
    DB_PORT: "3306",
    DB_NAME: "chat",
    DB_USER: "ann",
    DB_PASS: "secret",
  });
});

Deno.test("if only the root password is set, the user is root", () => {
  const link = only({
    ...dockerLink("mysql", 3306),
    MYSQL_ENV_MYSQL_ROOT_PASSWORD: "root's",
    MYSQL_ENV_MYSQL_DATABASE: "chat",
  });
  assert.equal(link?.values.DB_USER?.text, "root");
  assert.equal(link?.values.DB_PASS?.text, "root's");
  assert.equal(link?.values.DB_NAME?.text, "chat");
});

Deno.test("if only a PostgreSQL password is set, the user is postgres", () => {
  const link = only({
    ...dockerLink("postgres", 5432),
    POSTGRES_ENV_POSTGRES_PASSWORD: "secret",
  });
  assert.equal(link?.values.DB_USER?.text, "postgres");
  assert.equal(link?.values.DB_PASS?.text, "secret");
});

Deno.test("a linked mariadb gives the adapter mysql, from the variables of its image", () => {
  const link = only({
    ...dockerLink("mariadb", 3306),
    MARIADB_ENV_MARIADB_USER: "ann",
    MARIADB_ENV_MARIADB_PASSWORD: "secret",
    MARIADB_ENV_MARIADB_DATABASE: "chat",
  });
  assert.equal(link?.adapter, "mysql");
  assert.equal(link?.values.DB_USER?.text, "ann");
  assert.equal(link?.values.DB_NAME?.text, "chat");
});

Deno.test("the port determines the product of the alias db", () => {
  assert.equal(only(dockerLink("db", 5432))?.adapter, "postgres");
  assert.equal(only(dockerLink("db", 3306))?.adapter, "mysql");
  const link = only({
    ...dockerLink("db", 3306),
    DB_ENV_MYSQL_USER: "ann",
    DB_ENV_MYSQL_PASSWORD: "secret",
  });
  assert.equal(link?.values.DB_USER?.text, "ann");
  const strange = only({ DB_PORT: "tcp://10.0.0.5:6000" });
  assert.equal(strange?.adapter, undefined);
  assert.deepEqual(texts(strange), { DB_HOST: "10.0.0.5", DB_PORT: "6000" });
});

Deno.test("a Kubernetes service gives only host and port", () => {
  const link = only({
    POSTGRES_SERVICE_HOST: "10.96.0.7",
    POSTGRES_SERVICE_PORT: "5432",
    POSTGRES_PORT: "tcp://10.96.0.7:5432",
    POSTGRES_PORT_5432_TCP: "tcp://10.96.0.7:5432",
    POSTGRES_PORT_5432_TCP_PROTO: "tcp",
    POSTGRES_PORT_5432_TCP_PORT: "5432",
    POSTGRES_PORT_5432_TCP_ADDR: "10.96.0.7",
  });
  assert.deepEqual(texts(link), { DB_HOST: "10.96.0.7", DB_PORT: "5432" });
});

Deno.test("a Kubernetes service on another port is found by its address", () => {
  assert.deepEqual(texts(only({ MYSQL_PORT: "tcp://10.96.0.7:13306" })), {
    DB_HOST: "10.96.0.7",
    DB_PORT: "13306",
  });
});

Deno.test("both products can be linked, in a fixed order", () => {
  const links = findLinks({
    ...dockerLink("postgres", 5432),
    ...dockerLink("mysql", 3306),
  });
  assert.deepEqual(links.map(({ alias }) => alias), ["mysql", "postgres"]);
});

Deno.test("nothing is linked without an address", () => {
  assert.deepEqual(
    findLinks({
      MYSQL_ENV_MYSQL_USER: "ann",
      POSTGRES_PORT: "5432",
      MYSQL_PORT_3306_TCP_ADDR: "",
      DB_NAME: "/web/db",
    }),
    [],
  );
});

Deno.test("addresses are read as Docker and Kubernetes write them", () => {
  for (
    const [text, host] of [
      ["tcp://10.0.0.5:5432", "10.0.0.5"],
      ["tcp://[fd00::5]:5432", "fd00::5"],
    ] as const
  ) {
    const [link] = findLinks({ POSTGRES_PORT: text });
    const { DB_HOST, DB_PORT } = link?.values ?? {};
    assert.deepEqual([DB_HOST?.text, DB_PORT?.text], [host, "5432"]);
  }
  for (
    const text of [
      "5432",
      "udp://10.0.0.5:53",
      "tcp://10.0.0.5",
      "tcp://fd00::5:5432",
      "tcp://10.0.0.5:5432/",
      "",
    ]
  ) assert.deepEqual(findLinks({ POSTGRES_PORT: text }), [], text);
});

Deno.test("link values in variables of settings are recognized", () => {
  for (
    const [name, text] of [
      ["DB_PORT", "tcp://10.0.0.5:5432"],
      ["MATTERMOST_PORT", "tcp://10.0.0.5:80"],
      ["MATTERMOST_PORT", "udp://10.0.0.5:8443"],
      ["SMTP_PORT", "tcp://[fd00::1]:25"],
      ["DB_NAME", "/web/db"],
      ["DB_NAME", "/my-app_1/db"],
      ["MATTERMOST_NAME", "/proxy/mattermost"],
    ] as const
  ) assert.equal(isLinkValue(name, text), true, `${name}=${text}`);
  for (
    const [name, text] of [
      ["DB_PORT", "5432"],
      ["DB_PORT", "tcp://db"],
      ["DB_NAME", "db"],
      ["DB_NAME", "/web/mysql"],
      ["DB_NAME", "/a/b/db"],
      ["MATTERMOST_NAME", "Chat of /proxy/mattermost"],
      ["DB_HOST", "tcp://10.0.0.5:5432"],
      ["DB_PASS", "tcp://10.0.0.5:5432"],
    ] as const
  ) assert.equal(isLinkValue(name, text), false, `${name}=${text}`);
});

Deno.test("names that only links have are recognized", () => {
  assert.ok(isLinkVariable("DB_PORT_5432_TCP_ADDR"));
  assert.ok(isLinkVariable("DB_ENV_POSTGRES_PASSWORD"));
  assert.ok(isLinkVariable("MATTERMOST_SERVICE_HOST"));
  assert.ok(isLinkVariable("MATTERMOST_SERVICE_PORT_HTTP"));
  assert.ok(!isLinkVariable("DB_PORT"));
  assert.ok(!isLinkVariable("DB_PORT_NUMBER"));
  assert.ok(!isLinkVariable("MATTERMOST_SERVICE"));
});
