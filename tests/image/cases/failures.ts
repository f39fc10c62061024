/**
 * Databases that refuse logins or are not running yet.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pause } from "../command.ts";
import { assertHas, type Case, identity, PASSWORD } from "../lab.ts";

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "wrong-password",
  what:
    "a wrong password ends the program at once with code 77, and is not printed",
  run: async (lab) => {
    const { database, options, environment } = await lab.network();
    await database.until("ready", async () => {
      return (await database.logs()).includes("ready to accept connections");
    });
    // Build the image before the time is measured, if this is the only case.
    const image = await lab.image();
    const started = performance.now();
    const wrong = "the-wrong-one";
    const { code, text } = await lab.docker.run(image, {
      options,
      environment: { ...environment, DB_PASS: wrong },
    });
    const took = performance.now() - started;
    assert.equal(code, 77, text);
    assert.ok(took < 20_000, `it took ${took} ms`);
    assertHas(text, "DB_PASS");
    assert.ok(!text.includes(wrong), text);
  },
}, {
  name: "late-database",
  what: "the program waits for a database that starts 20 s later",
  run: async (lab) => {
    const network = await lab.docker.network("net");
    const server = await lab.server("server", {
      options: ["--network", network],
      environment: {
        DB_ADAPTER: "postgres",
        DB_HOST: "late",
        DB_PASS: PASSWORD,
      },
    });
    await pause(20_000);
    assert.equal(
      await server.container.inspect("{{.State.Status}}"),
      "running",
      await server.container.logs(),
    );
    await lab.postgres("database", [
      ...["--network", network, "--network-alias=late"],
    ]);
    assert.equal((await identity(server))["pid"], "1");
    assertHas(await server.container.logs(), "late");
  },
}, {
  name: "no-database",
  what: "without a database the program ends with code 69 and a remedy",
  run: async (lab) => {
    const { code, text } = await lab.docker.run(await lab.image(), {
      environment: {
        DB_ADAPTER: "postgres",
        DB_HOST: "no-such-host",
        DB_PASS: PASSWORD,
        DB_TIMEOUT: "3",
      },
    });
    assert.equal(code, 69, text);
    assertHas(text, "no-such-host");
  },
}];
