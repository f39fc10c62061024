import assert from "node:assert/strict";
import { config } from "../../../lib/commands/config.ts";
import { EntrypointError } from "../../../lib/errors.ts";
import type { Json } from "../../../lib/json.ts";
import {
  differingPaths,
  edited,
  EXPORT_FORMATS,
  reinstall,
} from "../../support/exported.ts";
import { ENOUGH, installed, stage } from "../../support/installation.ts";
import type { MemoryFiles } from "../../support/memory_files.ts";

const ENV = { ...ENOUGH, MATTERMOST_VERSION: "11.6.0" };

/** Values that a format could change. */
const EDITS: Readonly<Record<string, Json>> = {
  "TeamSettings.SiteName": "$HOME ${HOME} $$",
  "EmailSettings.FeedbackName": " 'a' # b: \"c\" \\ ",
  "EmailSettings.FeedbackOrganization": "yes",
  "TeamSettings.CustomDescriptionText": "a\nb\n",
  "TeamSettings.CustomBrandText": "\ufeffa\u2028b\u0085c\u001bd\u007f",
  "SupportSettings.AboutLink": "",
  "SupportSettings.HelpLink": "=",
  "EmailSettings.SMTPPassword": "S3CRET\n",
  "LdapSettings.BindPassword": "\ufeffS3CRET $HOME",
  "PluginSettings.Plugins": { "com.example.x": { token: "S3CRET" } },
};

async function run(
  args: readonly string[],
  files: MemoryFiles,
): Promise<{ text: string; messages: string }> {
  const { system, context } = stage({ files, env: ENV });
  assert.equal(await config(args, context), 0);
  return { text: system.out.text, messages: system.err.text };
}

async function refusal(
  args: readonly string[],
  files?: MemoryFiles,
): Promise<EntrypointError> {
  const { system, context } = stage({ ...files && { files }, env: ENV });
  return await config(args, context).then(
    () => assert.fail("nothing was thrown"),
    (error) => {
      assert.ok(error instanceof EntrypointError, String(error));
      assert.equal(system.out.text, "");
      return error;
    },
  );
}

for (const format of EXPORT_FORMATS) {
  Deno.test(`--format ${format}: an empty installation gets every value exactly, and no secret is printed`, async () => {
    const exported = await reinstall(await edited(ENV, EDITS), ENV, format);
    assert.deepEqual(differingPaths(exported), []);
    assert.deepEqual(exported.inexpressible, []);
    assert.doesNotMatch(exported.text, /S3CRET|nobody may see/);
    // Nothing that a terminal would obey, and that a reader of YAML would refuse.
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(exported.text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]/);
  });
}

Deno.test("--export prints lines for an env file", async () => {
  const files = await edited(ENV, {
    "TeamSettings.SiteName": "$HOME",
    "NativeAppSettings.AppCustomURLSchemes": [],
    "EmailSettings.SMTPPassword": "S3CRET",
  });
  const { text } = await run(["--export"], files);
  assert.equal(
    text,
    `# The configuration of Mattermost 11.6.0, where it differs from the defaults
# The option --write DIR writes the files that _FILE variables name
# No variable gives NativeAppSettings.AppCustomURLSchemes, because Mattermost 11.6.0 ignores MM_NATIVEAPPSETTINGS_APPCUSTOMURLSCHEMES if it is empty
# In Compose, this env_file needs format: raw (Compose 2.30)
DB_ADAPTER=postgres
DB_HOST=db.example.com
DB_PASS_FILE=/run/secrets/db_pass
MATTERMOST_SECRET_KEY_FILE=/run/secrets/mattermost_secret_key
MATTERMOST_LINK_SALT_FILE=/run/secrets/mattermost_link_salt
MATTERMOST_ENABLE_PUBLIC_LINKS=false
SMTP_PASS_FILE=/run/secrets/smtp_pass
MM_TEAMSETTINGS_SITENAME=$HOME
`,
  );
});

Deno.test("--export --json prints the variables, and what they do not give", async () => {
  const files = await edited(ENV, { "TeamSettings.Unknown": "x" });
  const { variables, inexpressible } = JSON.parse(
    (await run(["--export", "--json"], files)).text,
  );
  assert.equal(variables.DB_HOST, "db.example.com");
  assert.equal(variables.DB_PASS_FILE, "/run/secrets/db_pass");
  assert.deepEqual(inexpressible.map(({ path }: { path: string }) => path), [
    "TeamSettings.Unknown",
  ]);
});

Deno.test("a _FILE variable that is set stays, unless its file is written", async () => {
  const env = { ...ENV, DB_PASS: "", DB_PASS_FILE: "/run/secrets/one" };
  const files = await edited(env, {});
  const { system, context } = stage({ files, env });
  await config(["--export"], context);
  assert.match(system.out.text, /^DB_PASS_FILE=\/run\/secrets\/one$/m);
  const { text } = await reinstall(files, env, "env");
  assert.match(text, /^DB_PASS_FILE=\/run\/out\/db_pass$/m);
});

Deno.test("secrets that the first start will generate are not exported", async () => {
  const files = await edited(ENV, {});
  files.remove("/opt/mattermost/data/config/config.json");
  for (const name of files.list("/opt/mattermost/data/config")) {
    files.remove(`/opt/mattermost/data/config/${name}`);
  }
  const { text } = await run(["--export"], files);
  assert.doesNotMatch(text, /SECRET_KEY|SALT/);
});

Deno.test("--write overwrites no file, and prints nothing then", async () => {
  const files = await edited(ENV, {});
  files.place("/run/secrets/db_pass", "precious");
  const error = await refusal(["--export", "--write", "/run/secrets"], files);
  assert.equal(error.code, 73);
  assert.match(error.message, /db_pass already exists/);
  assert.deepEqual(files.list("/run/secrets").toSorted(), ["db_pass", "one"]);
});

Deno.test("without the package, whose defaults are compared, nothing is exported", async () => {
  const error = await refusal(["--export"], installed());
  assert.equal(error.code, 78);
  assert.match(error.message, /defaults of Mattermost 11\.6\.0 are not known/);
});

Deno.test("options that do not fit together are usage errors", async () => {
  for (
    const args of [
      ["--export", "--diff"],
      ["--export", "--explain"],
      ["--export", "--show-secrets"],
      ["--export", "--restore"],
      ["--export", "--json", "--format", "env"],
      ["--format", "env"],
      ["--write", "/run"],
    ]
  ) {
    assert.equal((await refusal(args)).code, 64, args.join(" "));
  }
  const files = await edited(ENV, {});
  for (const format of ["composed", "constructor"]) {
    const error = await refusal(["--export", "--format", format], files);
    assert.equal(error.code, 64);
    assert.match(error.message, /must be env, compose or kubernetes: it is "/);
  }
});
