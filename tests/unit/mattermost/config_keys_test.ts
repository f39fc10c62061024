import { deepEqual, equal } from "node:assert/strict";
import {
  convertToType,
  withOverrides,
} from "../../../lib/mattermost/config_keys.ts";
import { releaseFacts } from "../../../lib/mattermost/releases.ts";

const CONFIG = {
  TeamSettings: { sitename: "File", MaxUsersPerTeam: 50 },
  Broken: 1,
};

Deno.test("convertToType() converts values like the releases that are not strict", () => {
  equal(convertToType("t", "flag"), true);
  equal(convertToType("false", "flag"), false);
  equal(convertToType(1, "flag"), true);
  equal(convertToType("300", "integer"), 300);
  equal(convertToType(1.9, "integer"), 1);
  equal(convertToType(25, "text"), "25");
});

Deno.test("withOverrides() applies MM_ variables as the release does", () => {
  const env = {
    MM_TEAMSETTINGS_SITENAME: "Variable",
    MM_TEAMSETTINGS_MAXUSERSPERTEAM: "many",
    MM_RATELIMITSETTINGS_PERSEC: "7",
    MM_RATELIMITSETTINGS_ENABLE: "true",
    MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER: "A B",
    MM_UNKNOWN_KEY: "x",
  };
  const seen = (version: string) =>
    withOverrides(CONFIG, env, releaseFacts(version));
  deepEqual(seen("3.7.5"), CONFIG);
  deepEqual(seen("4.9.4"), {
    ...CONFIG,
    TeamSettings: { sitename: "Variable", MaxUsersPerTeam: "many" },
  });
  deepEqual(seen("11.7.9"), {
    ...CONFIG,
    TeamSettings: { sitename: "Variable", MaxUsersPerTeam: 50 },
    RateLimitSettings: { PerSec: 7, Enable: true },
    ServiceSettings: { TrustedProxyIPHeader: ["A", "B"] },
  });
  deepEqual(CONFIG.TeamSettings.sitename, "File");
});
