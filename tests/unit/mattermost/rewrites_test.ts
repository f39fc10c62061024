import { deepEqual } from "node:assert/strict";
import { valuesBeforeRewrite } from "../../../lib/mattermost/rewrites.ts";

Deno.test("valuesBeforeRewrite() knows the mail servers that the releases set themselves", () => {
  const path = "EmailSettings.SMTPServer";
  const from = (version: string, value: string): readonly unknown[] =>
    valuesBeforeRewrite(version, path, value);
  deepEqual(from("5.9.8", "dockerhost"), []);
  deepEqual(from("5.10.0", "dockerhost"), [""]);
  deepEqual(from("5.15.5", "localhost"), []);
  deepEqual(from("5.16.0", "localhost"), [""]);
  // A file that an older release wrote.
  deepEqual(from("11.7.9", "dockerhost"), [""]);
  deepEqual(from("11.7.9", "localhost"), [""]);
  deepEqual(from("11.7.9", "smtp.example.com"), []);
  deepEqual(
    valuesBeforeRewrite("11.7.9", "ClusterSettings.ClusterName", "localhost"),
    [],
  );
});
