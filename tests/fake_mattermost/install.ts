/**
 * Installs the fake Mattermost with the layout of Mattermost's tarball.
 *
 * @module
 */

import { join } from "node:path";

/** Files of a release that the tests and the image's build use, besides the programs. */
const FILES = {
  "MIT-COMPILED-LICENSE.md": "A fake, not Mattermost.\n",
  "NOTICE.txt": "A fake, not Mattermost.\n",
  "README.md": "A fake, not Mattermost.\n",
  "client/manifest.json": "{}\n",
  "client/root.html": "<!doctype html><title>Mattermost</title>\n",
  "fonts/README": "No fonts in a fake Mattermost.\n",
  "i18n/en.json": "[]\n",
  "prepackaged_plugins/README": "No plugins in a fake Mattermost.\n",
  "templates/README": "No templates in a fake Mattermost.\n",
} as const;

/** The default configuration, with keys that no setting writes. */
const CONFIG = {
  ServiceSettings: {
    SiteURL: "",
    ListenAddress: ":8065",
    EnableTesting: false,
  },
  TeamSettings: { SiteName: "Mattermost", CustomDescriptionText: "" },
  SqlSettings: { DriverName: "postgres", DataSource: "" },
  LogSettings: { EnableConsole: true, EnableFile: true, FileLocation: "" },
  FileSettings: { MaxFileSize: 104857600, Directory: "./data/" },
};

/**
 * Installs the fake Mattermost.
 *
 * @param directory the installation directory, `mattermost` in the tarball
 * @param version the release that it prints
 */
export async function installFakeMattermost(
  directory: string,
  version: string,
): Promise<void> {
  const program = Number(version.split(".")[0]) < 5 ? "platform" : "mattermost";
  const files: Record<string, string> = {
    ...FILES,
    "config/config.json": JSON.stringify(CONFIG, null, 4) + "\n",
    "bin/fake-version": `${version}\n`,
  };
  for (const empty of ["bin", "logs"]) {
    await Deno.mkdir(join(directory, empty), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  const target = join(directory, "bin", program);
  await Deno.copyFile(
    join(import.meta.dirname ?? ".", "mattermost"),
    target,
  );
  await Deno.chmod(target, 0o755);
}
