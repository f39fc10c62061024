/**
 * The sample for Kubernetes: the containers of its Pod, each run by Docker with what the manifest
 * says about users, file systems, variables, files and probes. Scheduling, the network policy
 * and the Ingress are not tested.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { parseAll } from "@std/yaml/parse.js";
import { DEFAULT_RELEASE } from "../../../lib/default_release.ts";
import { must } from "../command.ts";
import type { Container } from "../docker.ts";
import {
  assertHas,
  type Case,
  CONFIG,
  type Lab,
  leaveMigrations,
  PASSWORD,
  readConfig,
} from "../lab.ts";
import { requirePrograms } from "../machine.ts";
import { sampleCopy } from "./samples.ts";

/** What this test reads of a container in a manifest. */
interface ContainerSpec {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly securityContext: {
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[] };
  };
  readonly volumeMounts: readonly Mount[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

interface Probe {
  readonly exec: { readonly command: readonly string[] };
}

/** What it reads of the objects: a Deployment, a ConfigMap or a Secret. */
interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: {
      readonly spec: {
        readonly securityContext: {
          readonly runAsUser: number;
          readonly runAsGroup: number;
          readonly fsGroup: number;
        };
        readonly volumes: readonly {
          readonly name: string;
          readonly persistentVolumeClaim?: unknown;
          readonly secret?: unknown;
        }[];
        readonly initContainers: readonly ContainerSpec[];
        readonly containers: readonly ContainerSpec[];
      };
    };
  };
}

/** Gives the volumes in /volumes to the group $1, and writes pairs of name and base64 to that of secrets. */
const PREPARE = `
  group=$1
  shift
  for volume in /volumes/*; do
    chown "0:$group" "$volume"
    chmod 2775 "$volume"
  done
  while [ $# -gt 0 ]; do
    for volume in /volumes/*-secret-*; do
      printf %s "$2" | base64 -d >"$volume/$1"
      chown "0:$group" "$volume/$1"
      chmod 0440 "$volume/$1"
    done
    shift 2
  done`;

/** The cases of this file. */
export const CASES: readonly Case[] = [{
  name: "kubernetes-sample",
  what:
    "the Pod of the sample migrates and starts with a read-only root and secrets in files, and its successor keeps edits of the System Console",
  run: async (lab) => {
    await requirePrograms({ kubectl: "kubernetes-client" });
    const { network, database } = await lab.network();
    const ready = ["pg_isready", "--host=127.0.0.1", "--username=mattermost"];
    await database.until(
      "ready",
      async () => await database.exec(ready).then(() => true, () => false),
    );
    await leaveMigrations(database, DEFAULT_RELEASE);
    const sample = await sampleCopy(lab, "kubernetes");
    await assign(join(sample, "base/mattermost.env"), [
      "DB_HOST=database",
      "DB_SSL_MODE=disable",
    ]);
    await assign(join(sample, "base/secrets.env"), [`DB_PASS=${PASSWORD}`]);
    const manifests = await render(join(sample, "pvc"));

    const first = await startPod(lab, { manifests, network, pod: "first" });
    const config = await readConfig(first);
    config.TeamSettings.CustomDescriptionText = "as the console wrote it";
    await first.exec(["tee", CONFIG], { input: JSON.stringify(config) });
    await first.command("rm", "--force");

    await assign(join(sample, "base/mattermost.env"), [
      "MATTERMOST_NAME=Town",
    ]);
    const changed = await render(join(sample, "pvc"));
    const second = await startPod(lab, {
      manifests: changed,
      network,
      pod: "second",
    });
    const { TeamSettings } = await readConfig(second);
    assert.equal(TeamSettings.CustomDescriptionText, "as the console wrote it");
    assert.equal(TeamSettings.SiteName, "Town");
  },
}];

/** Sets variables in a file of them. */
async function assign(path: string, lines: readonly string[]): Promise<void> {
  const names = lines.map((line) => line.slice(0, line.indexOf("=") + 1));
  const present = (await Deno.readTextFile(path)).split("\n")
    .filter((line) =>
      line !== "" && !names.some((name) => line.startsWith(name))
    );
  await Deno.writeTextFile(path, [...present, ...lines, ""].join("\n"));
}

async function render(directory: string): Promise<Manifest[]> {
  return parseAll(
    await must(["kubectl", "kustomize", directory]),
  ) as Manifest[];
}

/** Runs the init container and the container of the Pod, until its probes succeed. */
async function startPod(
  lab: Lab,
  { manifests, network, pod }: {
    manifests: readonly Manifest[];
    network: string;
    pod: string;
  },
): Promise<Container> {
  const of = (kind: string) => manifests.filter((each) => each.kind === kind);
  const [{ spec } = {}] = of("Deployment");
  const template = spec?.template?.spec ?? assert.fail("a Deployment");
  const { runAsUser, runAsGroup, fsGroup } = template.securityContext;
  const image = await lab.image();

  /** The volume of a mount; only that of a claim is the same in all Pods. */
  const volumeOf = ({ name, subPath = "" }: Mount): string => {
    const { persistentVolumeClaim, secret } =
      template.volumes.find((each) => each.name === name) ?? assert.fail(name);
    const owner = persistentVolumeClaim === undefined ? pod : "claim";
    const kind = secret === undefined ? "files" : "secret";
    return [owner, kind, name, subPath].join("-");
  };
  const mounts = [...template.initContainers, ...template.containers]
    .flatMap(({ volumeMounts }) => volumeMounts);
  const volumes = [...new Set(mounts.map(volumeOf))];
  for (const name of volumes) await lab.docker.volume(name, { image });
  // What the kubelet does to the volumes.
  await lab.docker.must([
    ...["run", "--rm", "--user=root", "--entrypoint=sh"],
    ...volumes.map((name) =>
      `--volume=${lab.docker.name(name)}:/volumes/${name}`
    ),
    ...[image, "-euc", PREPARE, "sh", String(fsGroup)],
    ...Object.entries(of("Secret")[0]?.data ?? {}).flat(),
  ]);

  const optionsOf = ({ securityContext, volumeMounts }: ContainerSpec) => [
    ...["--network", network, `--user=${runAsUser}:${runAsGroup}`],
    ...[`--group-add=${fsGroup}`, "--no-healthcheck"],
    ...securityContext.capabilities.drop.map((name) => `--cap-drop=${name}`),
    ...securityContext.readOnlyRootFilesystem ? ["--read-only"] : [],
    ...securityContext.allowPrivilegeEscalation
      ? []
      : ["--security-opt=no-new-privileges"],
    ...volumeMounts.map((each) =>
      `--volume=${lab.docker.name(volumeOf(each))}:${each.mountPath}${
        // An empty volume stays as it is.
        each.readOnly === true ? ":ro,nocopy" : ":nocopy"}`
    ),
  ];
  const environmentOf = ({ env }: ContainerSpec) => ({
    ...of("ConfigMap")[0]?.data,
    ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
  });

  const [init = assert.fail()] = template.initContainers;
  const migrated = await lab.docker.run(image, {
    options: optionsOf(init),
    environment: environmentOf(init),
    command: init.args ?? [],
  });
  assert.equal(migrated.code, 0, migrated.text);
  assertHas(migrated.text, "The migration is complete");

  const [main = assert.fail()] = template.containers;
  const container = await lab.docker.start(pod, image, {
    options: optionsOf(main),
    environment: environmentOf(main),
  });
  for (const probe of [main.startupProbe, main.readinessProbe]) {
    const command = probe?.exec.command ?? assert.fail("a probe");
    await container.until(
      `probed by ${command.join(" ")}`,
      async () => await container.exec(command).then(() => true, () => false),
    );
  }
  return container;
}
