/**
 * Prints the objects of a directory with a `kustomization.yaml`, as `kubectl apply -k` applies
 * them. kubectl is that of Debian's unstable suite, because bookworm's knows only older formats.
 *
 *     deno run -A tools/kustomize.ts DIRECTORY
 *
 * @module
 */

import { join, resolve } from "node:path";
import { cached } from "./shared/cache.ts";
import { debianCommand, unpackDebian } from "./shared/packages.ts";
import { run } from "./shared/process.ts";

if (import.meta.main) {
  const [directory = ""] = Deno.args;
  const kubectl = await cached(`kubectl-${Deno.build.arch}`, async (draft) => {
    await unpackDebian(draft, { suite: "sid", packages: ["kubectl"] });
    await Deno.remove(join(draft, "usr/share"), { recursive: true });
  });
  const command = await debianCommand(kubectl, "usr/bin/kubectl");
  console.log(await run([...command, "kustomize", resolve(directory)]));
}
