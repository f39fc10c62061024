/**
 * Installs the programs that the image tests need.
 *
 * @module
 */

import { attempt, must } from "./command.ts";

/**
 * Installs missing programs.
 *
 * @param packages the Debian package of each program
 * @throws {Error} when a program is missing and this user is not root, or apt-get fails
 */
export async function requirePrograms(
  packages: Readonly<Record<string, string>>,
): Promise<void> {
  const missing = new Set<string>();
  for (const [program, name] of Object.entries(packages)) {
    const found = await attempt(["sh", "-c", 'command -v "$0"', program]);
    if (found.code !== 0) missing.add(name);
  }
  if (missing.size === 0) return;
  const names = [...missing];
  if (Deno.uid() !== 0) {
    throw new Error(
      `The image tests need more programs. Run: sudo apt-get install ${
        names.join(" ")
      }`,
    );
  }
  await must(["apt-get", "update", "-qq"]);
  await must(
    ["apt-get", "install", "-qq", "--no-install-recommends", ...names],
    // In runlevel 1 packages do not start their services.
    { environment: { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" } },
  );
}
