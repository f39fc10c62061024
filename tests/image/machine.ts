/**
 * Programs that the image tests need of the machine, installed where they are
 * missing and we may.
 *
 * @module
 */

import { attempt, must } from "./command.ts";

/**
 * Makes programs present on this machine.
 *
 * @param packages the Debian package that has each program
 * @throws {Error} when one is missing and we are not root or it cannot be had
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
      `Missing programs. Run: sudo apt-get install ${names.join(" ")}`,
    );
  }
  await must(["apt-get", "update", "-qq"]);
  await must(
    ["apt-get", "install", "-qq", "--no-install-recommends", ...names],
    // Packages start their services only in a runlevel that has any.
    { environment: { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" } },
  );
}
