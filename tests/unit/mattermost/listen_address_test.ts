import assert from "node:assert/strict";
import type { ServerAddressSources } from "../../../lib/mattermost/listen_address.ts";
import { serverAddress } from "../../../lib/mattermost/listen_address.ts";

function place(
  service: object | undefined,
  rest: Partial<ServerAddressSources> = {},
): ReturnType<typeof serverAddress> {
  return serverAddress({
    config: service === undefined
      ? undefined
      : JSON.stringify({ ServiceSettings: service }),
    variables: {},
    port: 80,
    overrides: "all keys",
    ...rest,
  });
}

Deno.test("serverAddress() parses listen addresses as Go does", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    [":80", "127.0.0.1", 80],
    ["0.0.0.0:8065", "127.0.0.1", 8065],
    ["[::]:8065", "127.0.0.1", 8065],
    ["[::1]:8065", "::1", 8065],
    ["10.0.0.5:80", "10.0.0.5", 80],
    ["localhost:http", "localhost", 80],
    [":https", "127.0.0.1", 443],
    ["localhost", "localhost", 8065],
    ["", "127.0.0.1", 8065],
  ];
  for (const [text, host, port] of cases) {
    const found = place({ ListenAddress: text });
    assert.deepEqual([found.host, found.port], [host, port], text);
  }
});

Deno.test("serverAddress() reads address, TLS and path from config.json", () => {
  assert.deepEqual(
    place({
      ListenAddress: ":8443",
      ConnectionSecurity: "TLS",
      SiteURL: "https://chat.example.com/team/",
    }),
    {
      host: "127.0.0.1",
      port: 8443,
      origin: "https://chat.example.com:8443",
      subPath: "/team",
      from: "config.json",
    },
  );
  assert.equal(place({ ListenAddress: "[::1]:80" }).origin, "http://[::1]:80");
  assert.equal(place({}).port, 8065);
});

Deno.test("serverAddress() uses the port of the settings without a valid config.json", () => {
  assert.deepEqual(place(undefined, { port: 8080 }), {
    host: "127.0.0.1",
    port: 8080,
    origin: "http://127.0.0.1:8080",
    subPath: "",
    from: "settings",
  });
  assert.equal(place(undefined, { config: "{" }).from, "settings");
  assert.equal(place(undefined, { config: "[]" }).from, "settings");
});

Deno.test("serverAddress() applies MM_ variables as the release does", () => {
  const variables = { MM_SERVICESETTINGS_LISTENADDRESS: ":9000" };
  const port = (
    service: object,
    overrides: ServerAddressSources["overrides"],
  ) => place(service, { variables, overrides }).port;
  assert.equal(port({ ListenAddress: ":1" }, "all keys"), 9000);
  assert.equal(port({}, "all keys"), 9000);
  assert.equal(port({ ListenAddress: ":1" }, "present keys"), 9000);
  assert.equal(port({}, "present keys"), 8065);
  assert.equal(port({ ListenAddress: ":1" }, "none"), 1);
});

Deno.test("serverAddress() ignores an invalid site URL", () => {
  assert.equal(place({ SiteURL: "chat" }).subPath, "");
});
