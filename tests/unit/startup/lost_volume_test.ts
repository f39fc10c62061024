import assert from "node:assert/strict";
import { EntrypointError } from "../../../lib/errors.ts";
import {
  findLostVolume,
  requireOwnVolumes,
} from "../../../lib/startup/lost_volume.ts";
import { makePlan } from "../../../lib/startup/plan.ts";
import { FACTS } from "../../support/database_facts.ts";
import {
  CONFIG,
  ENOUGH,
  installed,
  stage,
} from "../../support/installation.ts";
import type { MemoryFiles } from "../../support/memory_files.ts";

const DATA = "/opt/mattermost/data";

const SECRETS = Object.fromEntries(
  ["SECRET_KEY", "LINK_SALT", "RESET_SALT", "INVITE_SALT"].map((name) =>
    [`MATTERMOST_${name}`, name.padEnd(32, "x")] as const
  ),
);

/** What is lost for a database in use, after the volumes were changed. */
async function lost(
  change: (files: MemoryFiles) => void = () => {},
  { env = {}, isInUse = true }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly isInUse?: boolean;
  } = {},
): Promise<string | undefined> {
  const files = installed();
  files.makeDirectory(DATA);
  change(files);
  const { system, context } = stage({ files, env: { ...ENOUGH, ...env } });
  const schema = { ...FACTS.schema, installed: isInUse };
  return findLostVolume(await makePlan(context), schema, system)?.message;
}

Deno.test("a database in use that meets an empty data directory is a warning", async () => {
  const all =
    `The database is in use, but ${DATA} is empty, and without the volume that was there the server starts without what was changed in the System Console, and without the generated secrets, and without the uploaded files`;
  assert.equal(await lost(), all);
  const withTraces = (files: MemoryFiles): void => {
    files.makeDirectory(`${DATA}/lost+found`);
    files.makeDirectory(`${DATA}/config`);
    files.place(`${DATA}/.entrypoint-0a`, "");
  };
  assert.equal(await lost(withTraces), all);
  assert.equal(await lost(undefined, { isInUse: false }), undefined);
});

Deno.test("a data directory with files, VERSION or config.json is not lost", async () => {
  assert.equal(
    await lost((files) => files.place(`${DATA}/VERSION`, "11.7.9\n")),
    undefined,
  );
  assert.equal(
    await lost((files) => files.makeDirectory(`${DATA}/20260101`)),
    undefined,
  );
  assert.equal(await lost((files) => files.place(CONFIG, "{}")), undefined);
});

Deno.test("what the settings give, and files elsewhere, are not lost", async () => {
  const env = {
    ...SECRETS,
    MATTERMOST_FILE_DRIVER: "amazons3",
    S3_BUCKET: "files",
  };
  assert.match(
    await lost(undefined, { env }) ?? "",
    /without what was changed in the System Console$/,
  );
});

async function refusal(
  change: (files: MemoryFiles) => void,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly (string | undefined)[]> {
  const files = installed();
  change(files);
  const { system, context } = stage({ files, env: { ...ENOUGH, ...env } });
  try {
    requireOwnVolumes(await makePlan(context), system);
    return [];
  } catch (error) {
    assert.ok(error instanceof EntrypointError);
    assert.equal(error.code, 78);
    return error.problems.map(({ remedy }) => remedy);
  }
}

Deno.test("a config.json of another image that would be ignored is refused", async () => {
  for (const directory of ["/opt/mattermost/config", "/mattermost/config"]) {
    const mount = (files: MemoryFiles): void =>
      files.place(`${directory}/config.json`, "{}");
    assert.deepEqual(await refusal(mount), [
      `MATTERMOST_CONF_DIR=${directory}   # or mount that volume at ${DATA}/config`,
    ]);
    assert.deepEqual(
      await refusal(mount, { MATTERMOST_CONF_DIR: directory }),
      [],
    );
    const withOwn = (files: MemoryFiles): void => {
      mount(files);
      files.place(CONFIG, "{}");
    };
    assert.deepEqual(await refusal(withOwn), []);
  }
});

Deno.test("uploaded files of the official image that would be ignored are refused", async () => {
  const mount = (files: MemoryFiles): void =>
    files.makeDirectory("/mattermost/data/20260101");
  assert.deepEqual(await refusal(mount), [
    `MATTERMOST_DATA_DIR=/mattermost/data   # or mount that volume at ${DATA}`,
  ]);
  for (
    const env of [
      { MATTERMOST_DATA_DIR: "/mattermost/data" },
      { MM_FILESETTINGS_DIRECTORY: "/mattermost/data/" },
      { MATTERMOST_FILE_DRIVER: "amazons3", S3_BUCKET: "files" },
    ]
  ) {
    assert.deepEqual(await refusal(mount, env), []);
  }
  const empty = (files: MemoryFiles): void =>
    files.makeDirectory("/mattermost/data");
  assert.deepEqual(await refusal(empty), []);
});

Deno.test("the config.json of the server's package is none of another image", async () => {
  const unpack = (files: MemoryFiles): void => {
    files.place("/opt/mattermost/bin/mattermost", "", 0o755);
    files.place("/opt/mattermost/config/config.json", "{}");
  };
  const env = { MATTERMOST_INSTALL_DIR: "/opt/mattermost" };
  assert.deepEqual(await refusal(unpack, env), []);
});
