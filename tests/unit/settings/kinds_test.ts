import assert from "node:assert/strict";
import type { Kind, Value } from "../../../lib/settings/kinds.ts";
import {
  choice,
  email,
  flag,
  host,
  integer,
  locale,
  locales,
  path,
  port,
  text,
  url,
} from "../../../lib/settings/kinds.ts";

/** Checks the values that a kind parses from texts; `undefined` means that a text is not allowed. */
function parses(
  kind: Kind<Value>,
  table: Readonly<Record<string, Value | undefined>>,
): void {
  for (const [given, value] of Object.entries(table)) {
    assert.equal(kind.parse(given), value, JSON.stringify(given));
  }
}

Deno.test("a Boolean accepts the usual words in any letter case", () => {
  parses(flag(), {
    true: true,
    TRUE: true,
    " yes\n": true,
    on: true,
    1: true,
    false: false,
    No: false,
    off: false,
    0: false,
    2: undefined,
    t: undefined,
    "": undefined,
    constructor: undefined,
  });
});

Deno.test("a whole number has only digits and is within its limits", () => {
  parses(integer(-5, 10), {
    "10": 10,
    " 7 ": 7,
    "007": 7,
    "-5": -5,
    "-0": 0,
    "-6": undefined,
    "11": undefined,
    "1.0": undefined,
    "1e1": undefined,
    "0x5": undefined,
    "+5": undefined,
    "5 6": undefined,
    "٣": undefined,
  });
  assert.equal(integer(0).parse("2147483648"), undefined);
  assert.equal(
    integer(0, Number.MAX_SAFE_INTEGER).parse("9007199254740993"),
    undefined,
  );
  assert.equal(integer(0).parse("9".repeat(400)), undefined);
  assert.equal(integer(1, 9).allowed, "a whole number from 1 to 9");
  assert.equal(
    integer(1, Number.MAX_SAFE_INTEGER).allowed,
    "a whole number, 1 or more",
  );
});

Deno.test("a port is from 1 to 65535", () => {
  parses(port(), {
    "1": 1,
    "65535": 65535,
    "0": undefined,
    "65536": undefined,
    "tcp://10.0.0.5:80": undefined,
  });
});

Deno.test("text is counted in bytes of UTF-8", () => {
  parses(text({ minBytes: 2, maxBytes: 4 }), {
    é: "é",
    éé: "éé",
    "ééa": undefined,
    a: undefined,
    " a ": " a ",
  });
  assert.equal(
    text({ minBytes: 2, maxBytes: 4 }).allowed,
    "text of 2 to 4 bytes",
  );
  assert.equal(text({ minBytes: 2 }).allowed, "text of at least 2 bytes");
  assert.equal(text({ maxBytes: 4 }).allowed, "text of at most 4 bytes");
  assert.equal(text().allowed, "text");
});

Deno.test("the pattern of a text must match all of it", () => {
  parses(text({ form: [/^\S+$/, "one word"] }), {
    word: "word",
    "two words": undefined,
    "word\n": undefined,
  });
});

Deno.test("a choice gets the spelling of the server", () => {
  parses(choice(["TLS", "STARTTLS"], { ssl: "TLS" }), {
    tls: "TLS",
    " StartTLS ": "STARTTLS",
    SSL: "TLS",
    "": undefined,
    plain: undefined,
  });
});

Deno.test("a choice does not accept property names of every object", () => {
  parses(choice(["a"], { b: "a" }), {
    constructor: undefined,
    ["__proto__"]: undefined,
    tostring: undefined,
    hasownproperty: undefined,
  });
});

Deno.test("a URL must have a scheme, two slashes and a host", () => {
  parses(url(), {
    "https://chat.example.com": "https://chat.example.com",
    " http://localhost:8065/chat/ ": "http://localhost:8065/chat/",
    "HTTPS://[2001:db8::1]:8443/?a=b#c": "HTTPS://[2001:db8::1]:8443/?a=b#c",
    "chat.example.com": undefined,
    "ftp://chat.example.com": undefined,
    "https:chat.example.com": undefined,
    "https:///chat": undefined,
    "https:\\\\chat.example.com": undefined,
    "https://chat example.com": undefined,
    "https://chat.example.com/a b": undefined,
    "https://chat\n.example.com": undefined,
    "https://chat.example.com:99999": undefined,
    "javascript:alert(1)//https://": undefined,
  });
});

Deno.test("a host has no port, and an IPv6 address no brackets", () => {
  parses(host(), {
    "db.example.com": "db.example.com",
    " db ": "db",
    "192.168.1.100": "192.168.1.100",
    "::1": "::1",
    "[2001:db8::1]": "2001:db8::1",
    "2001:DB8::1": "2001:DB8::1",
    "::ffff:10.0.0.5": "::ffff:10.0.0.5",
    "/run/postgresql": "/run/postgresql",
    "/run/my sql/mysqld.sock": "/run/my sql/mysqld.sock",
    "db:5432": undefined,
    "[::1]:5432": undefined,
    "1:2:3": undefined,
    "[db]": undefined,
    "ann@db": undefined,
    "tcp://10.0.0.5:5432": undefined,
    "postgres://db/chat": undefined,
    "two words": undefined,
    "db/chat": undefined,
  });
});

Deno.test("a path must be absolute, and its final slashes are removed", () => {
  parses(path(), {
    "/srv/data": "/srv/data",
    "/srv/data//": "/srv/data",
    "/": "/",
    "//": "/",
    "/with blank ": "/with blank ",
    "srv": undefined,
    "./srv": undefined,
    "~/srv": undefined,
    "/a\0b": undefined,
    "/devices": "/devices",
    "/dev/shm/x": undefined,
    "/proc": undefined,
    "//sys/fs": undefined,
  });
});

Deno.test("an email address must be a single address", () => {
  parses(email(), {
    "chat@example.com": "chat@example.com",
    "a.b+c@localhost": "a.b+c@localhost",
    "chat": undefined,
    "@example.com": undefined,
    "chat@": undefined,
    "a@b@c": undefined,
    "Chat <chat@example.com>": undefined,
    "a@example.com, b@example.com": undefined,
  });
});

Deno.test("a language is one code, with a hyphen or an underscore before the region", () => {
  parses(locale(), {
    en: "en",
    "pt-BR": "pt-BR",
    zh_CN: "zh-CN",
    " de ": "de",
    "en,de": undefined,
    "english": undefined,
    "": undefined,
  });
});

Deno.test("spaces in a list of languages are removed", () => {
  parses(locales(), {
    en: "en",
    "en, de ,pt-BR": "en,de,pt-BR",
    "zh_CN,zh-TW": "zh-CN,zh-TW",
    "en,": undefined,
    "en;de": undefined,
    "en de": undefined,
  });
});
