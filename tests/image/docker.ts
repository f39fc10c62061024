/**
 * The engine, as the cases use it: containers, networks, volumes and Compose
 * projects, all of which can be swept away together.
 *
 * @module
 */

import {
  attempt,
  attemptSync,
  type CommandOptions,
  must,
  type Outcome,
  pause,
} from "./command.ts";

/** How long something may take that a test waits for, in milliseconds. */
const PATIENCE = 90_000;

/** What {@link Docker.start} takes besides the image. */
export interface StartOptions {
  /** Options of `docker run`. */
  readonly options?: readonly string[];
  /** Environment of the container. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What comes after the image. */
  readonly command?: readonly string[];
}

/** One engine, and the label of all that one run makes in it. */
export class Docker {
  readonly environment: Readonly<Record<string, string>>;
  /** Begins every name, and is the label's value. */
  readonly prefix: string;

  constructor(environment: Readonly<Record<string, string>>, prefix: string) {
    this.environment = environment;
    this.prefix = prefix;
  }

  /** Runs `docker` with arguments, whatever comes of it. */
  async attempt(
    args: readonly string[],
    options: CommandOptions = {},
  ): Promise<Outcome> {
    const environment = { ...this.environment, ...options.environment };
    return await attempt(["docker", ...args], { ...options, environment });
  }

  /**
   * Runs `docker` with arguments and returns what it printed.
   *
   * @throws {Error} when it fails
   */
  async must(
    args: readonly string[],
    options: CommandOptions = {},
  ): Promise<string> {
    const environment = { ...this.environment, ...options.environment };
    return await must(["docker", ...args], { ...options, environment });
  }

  /** A name of ours for something. */
  name(short: string): string {
    return `${this.prefix}-${short}`;
  }

  /** Starts a container in the background. */
  async start(
    short: string,
    image: string,
    { options = [], environment = {}, command = [] }: StartOptions = {},
  ): Promise<Container> {
    const name = this.name(short);
    await this.must([
      ...["run", "--detach", "--name", name, ...this.#label()],
      ...assignments(environment),
      ...options,
      image,
      ...command,
    ]);
    return new Container(this, name);
  }

  /** Runs a container to its end and returns what it did. */
  async run(
    image: string,
    { options = [], environment = {}, command = [] }: StartOptions = {},
  ): Promise<Outcome> {
    return await this.attempt([
      ...["run", "--rm", ...this.#label()],
      ...assignments(environment),
      ...options,
      image,
      ...command,
    ]);
  }

  /** Makes a network. */
  async network(short: string): Promise<string> {
    const name = this.name(short);
    await this.must(["network", "create", ...this.#label(), name]);
    return name;
  }

  /** Makes a volume, with `script` run in it as root first. */
  async volume(
    short: string,
    { image, script }: { image: string; script?: string },
  ): Promise<string> {
    const name = this.name(short);
    await this.must(["volume", "create", ...this.#label(), name]);
    if (script === undefined) return name;
    await this.must([
      ...["run", "--rm", "--user", "root", "--volume", `${name}:/volume`],
      ...["--entrypoint", "sh", image, "-euc", script],
    ]);
    return name;
  }

  /** A Compose project of a file, which {@link sweep} takes away. */
  compose(
    file: string,
    environment: Readonly<Record<string, string>>,
  ): (...args: string[]) => Promise<string> {
    const project = ["compose", "--project-name", this.name("project")];
    return async (...args) =>
      await this.must([...project, "--file", file, ...args], { environment });
  }

  /** A container of the Compose project. */
  async service(name: string): Promise<Container> {
    const id = await this.must([
      ...["ps", "--all", "--quiet", "--filter"],
      `label=com.docker.compose.project=${this.name("project")}`,
      ...["--filter", `label=com.docker.compose.service=${name}`],
    ]);
    return new Container(this, id);
  }

  /** Removes the name of an image, and the image if it has no other. */
  removeImage(name: string): void {
    attemptSync(["docker", "rmi", "--force", name], this.environment);
  }

  /** Removes all that was made under the prefix. */
  sweep(): void {
    const filters = [
      `label=${LABEL}=${this.prefix}`,
      `label=com.docker.compose.project=${this.name("project")}`,
    ];
    for (const filter of filters) {
      for (const [list, remove] of SWEEPS) {
        const found = attemptSync(
          ["docker", ...list, "--quiet", "--filter", filter],
          this.environment,
        );
        const ids = found.stdout.split(/\s+/).filter(Boolean);
        if (ids.length === 0) continue;
        attemptSync(["docker", ...remove, ...ids], this.environment);
      }
    }
  }

  #label(): string[] {
    return ["--label", `${LABEL}=${this.prefix}`];
  }
}

const LABEL = "mattermost-entrypoint.test";

/** How each kind of thing is listed and removed, in an order that works. */
const SWEEPS = [
  [["ps", "--all"], ["rm", "--force", "--volumes"]],
  [["network", "ls"], ["network", "rm"]],
  [["volume", "ls"], ["volume", "rm", "--force"]],
] as const;

/** A container that is or was running. */
export class Container {
  readonly #docker: Docker;
  /** Its name or id. */
  readonly id: string;

  constructor(docker: Docker, id: string) {
    this.#docker = docker;
    this.id = id;
  }

  /** All that it printed. */
  async logs(): Promise<string> {
    return (await this.#docker.attempt(["logs", this.id])).text;
  }

  /** Runs a command in it. */
  async exec(
    command: readonly string[],
    { options = [], input = "" }: { options?: string[]; input?: string } = {},
  ): Promise<string> {
    return await this.#docker.must(
      ["exec", "--interactive", ...options, this.id, ...command],
      { input },
    );
  }

  /** What `docker inspect` says, through a template. */
  async inspect(template: string): Promise<string> {
    return await this.#docker.must([
      ...["inspect", "--format", template, this.id],
    ]);
  }

  /** Waits for its end and returns its exit code. */
  async wait(): Promise<number> {
    const args = ["wait", this.id];
    return Number(await this.#docker.must(args, { patience: PATIENCE }));
  }

  /** Its address in its first network. */
  async address(): Promise<string> {
    const all = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    return (await this.inspect(all)).split(" ")[0] ?? "";
  }

  /** Does something to it: `stop`, `start`, `restart`, `kill` with its options … */
  async command(name: string, ...options: string[]): Promise<string> {
    return await this.#docker.must([name, ...options, this.id]);
  }

  /**
   * Waits until its health is as wanted.
   *
   * @throws {Error} with its log, when it ends before or takes too long
   */
  async health(wanted: "healthy" | "unhealthy"): Promise<void> {
    await this.until(`${wanted}`, async () => {
      const health = await this.inspect("{{.State.Health.Status}}");
      return health === wanted;
    });
  }

  /**
   * Waits for something that it does.
   *
   * @throws {Error} with its log, when it ends before or takes too long
   */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    while (!await isSo()) {
      const state = await this.inspect("{{.State.Status}}");
      if (state === "exited" || Date.now() > deadline) {
        const log = await this.logs();
        throw new Error(
          `${this.id} is ${state}, not ${what}:\n${log.slice(-3000)}`,
        );
      }
      await pause(200);
    }
  }
}

function assignments(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).flatMap((
    [name, value],
  ) => ["--env", `${name}=${value}`]);
}
