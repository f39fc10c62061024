import assert from "node:assert/strict";
import fc from "fast-check";
import {
  HIDDEN,
  hideCredentials,
  relay,
  showWrongValue,
} from "../../lib/hidden.ts";

const SECRET = "Zx9!pW";

Deno.test("credentials inside a value are hidden, whatever its form", () => {
  for (
    const [value, shown] of [
      [
        `https://ann:${SECRET}@h.example.com/a`,
        "https://(hidden)@h.example.com/a",
      ],
      [`https://${SECRET}@h.example.com`, "https://(hidden)@h.example.com"],
      [`https://:${SECRET}@h:9200`, "https://(hidden)@h:9200"],
      [`postgres://u:a/b@${SECRET} x@h/db`, "postgres://(hidden)@h/db"],
      [`ann:${SECRET}@tcp(h:3306)/db`, "(hidden)@tcp(h:3306)/db"],
      [`key:/${SECRET}@minio:9000`, "(hidden)@minio:9000"],
      [
        `host=h password=${SECRET} dbname=d`,
        "host=h password=(hidden) dbname=d",
      ],
      [
        `host=h password='a\\'b ${SECRET}' port=1`,
        "host=h password=(hidden) port=1",
      ],
      [
        `https://h/?a=1&access_token=${SECRET}#b`,
        "https://h/?a=1&access_token=(hidden)",
      ],
      [
        `AccountName=a;AccountKey=${SECRET};x=1`,
        "AccountName=a;AccountKey=(hidden);x=1",
      ],
      [
        `"postgres://u:${SECRET}@h": no port`,
        '"postgres://(hidden)@h": no port',
      ],
      [`dial u:${SECRET}@h: refused`, "dial (hidden)@h: refused"],
      [`smtp://ann@example.com:a/${SECRET}@h`, "smtp://(hidden)@h"],
      [`ann@example.com:a/${SECRET}@tcp(h)/db`, "(hidden)@tcp(h)/db"],
      [`DOMAIN/ann:${SECRET}@h`, "(hidden)@h"],
      [`//ann:${SECRET}@h/a`, "//(hidden)@h/a"],
      [`:${SECRET}@tcp(h)/db`, "(hidden)@tcp(h)/db"],
      [
        `https://h/?a=b#access_token=${SECRET}`,
        "https://h/?a=b#access_token=(hidden)",
      ],
      [`https://h/?token=a'"#;${SECRET}&b=c`, "https://h/?token=(hidden)&b=c"],
      [`https://h/?to%6ben[]=${SECRET}`, "https://h/?to%6ben[]=(hidden)"],
      [`https://h/?jwt=${SECRET}`, "https://h/?jwt=(hidden)"],
      [
        `https://h/?next=${encodeURIComponent(`http://ann:${SECRET}@g/`)}&b=c`,
        "https://h/?next=(hidden)&b=c",
      ],
      [
        `host=h password = ${SECRET} port=1`,
        "host=h password = (hidden) port=1",
      ],
      [
        `host=h password=a\\ ${SECRET} port=1`,
        "host=h password=(hidden) port=1",
      ],
      [`host=h password='a ${SECRET}`, "host=h password=(hidden)"],
      [`Password="a ${SECRET}";Server=h`, "Password=(hidden);Server=h"],
      [`{"password": "a ${SECRET}","b":"c"}`, '{"password": (hidden),"b":"c"}'],
    ] as const
  ) {
    assert.equal(hideCredentials(value), shown);
  }
});

Deno.test("a value without credentials stays", () => {
  for (
    const value of [
      "",
      "https://chat.example.com:8443/team?a=b",
      "https://example.com/@ann",
      "https://example.com/a#b@c",
      "ann@example.com",
      "Ann <ann@example.com>",
      "mailto:ann@example.com",
      "Questions: ann@example.com",
      "See https://example.com or write to ann@example.com",
      "%(asctime)s=1",
      "[::1]:5432",
      '{"a":1,"b":"ann@example.com"}',
      'say "token" = nothing',
      "keyboard=us;author=ann",
    ]
  ) {
    assert.equal(hideCredentials(value), value);
  }
});

Deno.test("no login of a URL is shown, whatever its characters", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 8 }),
      fc.string({ unit: "grapheme", maxLength: 8 }),
      (before, after) => {
        const login = `u:${before}${SECRET}${after}`;
        const url = `https://${login}@h.example.com/`;
        assert.ok(!hideCredentials(url).includes(SECRET), url);
        const wrong = showWrongValue(`${login}@h.example.com`);
        assert.ok(!wrong.includes(SECRET), wrong);
      },
    ),
  );
});

Deno.test("a wrong value is shown in quotes, without what may be a login", () => {
  for (
    const [value, shown] of [
      ["abc", '"abc"'],
      ["ann@@example.com", '"ann@@example.com"'],
      [`u:p ${SECRET}@h`, '"(hidden)@h"'],
      [`mysql://p ${SECRET}@h`, '"mysql://(hidden)@h"'],
      ["x".repeat(100_000), `"${"x".repeat(200)}"…`],
    ] as const
  ) {
    assert.equal(showWrongValue(value), shown);
  }
});

/** Sentences of databases, mail servers and Mattermost that everybody can look up. */
const SENTENCES = [
  'password authentication failed for user "mmuser"',
  'no pg_hba.conf entry for host "10.0.0.3", user "mmuser", database "chat", no encryption',
  'database "chat" does not exist',
  'role "mmuser" does not exist',
  "the database system is starting up",
  "sorry, too many clients already",
  "remaining connection slots are reserved for non-replication superuser connections",
  "server login has been failing, try again later (server_login_retry)",
  "Access denied for user 'mmuser'@'10.0.0.3' (using password: YES)",
  "Unknown database 'chat'",
  "Host '10.0.0.3' is not allowed to connect to this MariaDB server",
  "The server does not support SSL connections",
  "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6",
  "535 5.7.8 Username and Password not accepted",
  "535 Incorrect authentication data",
  "Config.IsValid: model.config.is_valid.encrypt_sql.app_error",
  "x509: certificate signed by unknown authority",
];

Deno.test("a sentence does not tell that the password is one of its words", () => {
  const shown = ["mmuser", "chat", "db.example.com"];
  for (const sentence of SENTENCES) {
    const words = sentence.split(/[\s"'():,]+/)
      .filter((word) => !/^UGF/.test(word));
    for (
      const secret of [...words, words.slice(0, 2).join(" "), "mmu", "assword"]
    ) {
      const secrets = [secret, secret.toLowerCase(), `${secret} `];
      assert.equal(relay(sentence, { secrets, shown }), sentence, secret);
    }
  }
});

Deno.test("a secret that a program repeats is hidden", () => {
  const shown = ["mmuser"];
  for (
    const [secret, text, expected] of [
      [SECRET, `no ${SECRET} and x${SECRET}x`, "no (hidden) and x(hidden)x"],
      [SECRET, "no Zx9%21pW", "no (hidden)"],
      ["a b!c%", "no a%20b!c%25, a+b!c%25", "no (hidden), (hidden)"],
      ['Zx9"pW', String.raw`no "Zx9\"pW"`, 'no "(hidden)"'],
      [
        'p&ss/"w',
        "no p&ss%2f%22w, p%2526ss%252F%2522w",
        "no (hidden), (hidden)",
      ],
      [
        'p&s\n"w',
        String.raw`no p\u0026s\n\"w, \\"p&s\\n\\"w`,
        'no (hidden), \\\\"(hidden)',
      ],
      [SECRET, `login ${btoa(SECRET)}`, "login (hidden)"],
      [SECRET, `Basic ${btoa(`a:${SECRET}`)}`, "Basic YT(hidden)"],
      [SECRET, `Basic ${btoa(`ab:${SECRET}x`)}`, "Basic YWI(hidden)A=="],
      [SECRET, `Basic ${btoa(`abc:${SECRET}?`)}`, "Basic YWJjO(hidden)8="],
      [
        "password",
        "AUTH UGFzc3dvcmQ6, not cGFzc3dvcmQ=",
        "AUTH UGFzc3dvcmQ6, not (hidden)",
      ],
      [`${"x".repeat(100_000)}`, `no ${"x".repeat(100_000)}`, HIDDEN],
      [" ", "a+b c", "a+b c"],
      // A word of no known sentence: a gap could be guessed.
      ["correcthorse", "no correcthorse", HIDDEN],
      ["correcthorse", 'no "correcthorse"', 'no "(hidden)"'],
      ["hunter two", "is hunter two it?", HIDDEN],
      ["19283746", "is 19283746 it?", HIDDEN],
      ["q9z", "is q9z it?", HIDDEN],
      ["q9z", "xq9zx", "xq9zx"],
      [
        "S3CRET/x",
        'parse "http://u:S3CRET/x@h": invalid port ":S3CRET" after host',
        'parse "http://(hidden)@h": invalid port "(hidden)" after host',
      ],
      [
        "S3CRET%zz",
        String.raw`parse \"http://u:S3CRET%zz@h\": invalid URL escape \"%zz\"`,
        String
          .raw`parse \"http://(hidden)@h\": invalid URL escape \"(hidden)\"`,
      ],
      ["", "nothing", "nothing"],
    ] as const
  ) {
    assert.equal(relay(text, { secrets: [secret], shown }), expected);
  }
});

Deno.test("long texts, chosen to be slow, are read at once", () => {
  // Each of them took minutes where a pattern searched to the end from each place.
  for (
    const part of [
      "//a:",
      "'a:",
      ". ",
      "\\\\",
      "a=",
      "%25",
      "token='",
      " ",
      "\0",
    ]
  ) {
    const text = `${part.repeat(1_000_000)}x`;
    assert.ok(hideCredentials(text).length > 0);
    assert.ok(
      relay(JSON.stringify(`${text} @`), { secrets: [SECRET], shown: [] })
        .length <= 10_000,
    );
  }
});
