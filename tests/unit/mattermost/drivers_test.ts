import assert from "node:assert/strict";
import {
  driverLines,
  driverVersions,
  findDrivers,
} from "../../../lib/mattermost/drivers.ts";

Deno.test("findDrivers() reads the versions from the build information, from paths and from its own lines", () => {
  const drivers = { postgres: "1.10.9", mysql: "1.9.3" };
  const information =
    "dep\tgithub.com/lib/pq\tv1.10.9\th1:x=\ndep\tgithub.com/go-sql-driver/mysql\tv1.9.3\th1:x=\n";
  assert.deepEqual(findDrivers(information), drivers);
  assert.deepEqual(
    findDrivers("/go/pkg/mod/github.com/lib/pq@v1.12.3/conn.go"),
    { postgres: "1.12.3" },
  );
  assert.deepEqual(findDrivers(driverLines(drivers).join("\n")), drivers);
  assert.deepEqual(findDrivers("github.com/lib/pq"), {});
});

Deno.test("driverVersions() has one version between two equal facts, and all that are possible elsewhere", () => {
  assert.deepEqual(driverVersions("postgres", "10.11.0"), ["1.10.9"]);
  assert.deepEqual(driverVersions("mysql", "10.11.0"), ["1.9.3", "1.8.1"]);
  assert.deepEqual(driverVersions("postgres", "6.3.0"), ["1.10.9", "1.10.2"]);
  assert.deepEqual(driverVersions("postgres", "12.0.0"), [
    "1.12.3",
    "1.11.2",
    "1.10.9",
  ]);
  assert.deepEqual(driverVersions("postgres", "3.6.0"), ["1.2.0"]);
  assert.equal(driverVersions("postgres", undefined).length, 5);
});

Deno.test("driverVersions() believes the installed server", () => {
  assert.deepEqual(driverVersions("postgres", "10.11.0", "1.12.0"), ["1.12.0"]);
});
