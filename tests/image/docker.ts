/**
 * Containers, networks, volumes and Compose projects of a test case, which are removed
 * together.
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

/** Time limit of {@link Container.until}, in milliseconds. */
const TIMEOUT = 90_000;

/** Options of {@link Docker.start}. */
export interface StartOptions {
  /** Options of `docker run`. */
  readonly options?: readonly string[];
  /** Environment of the container. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The command in the container. */
  readonly command?: readonly string[];
}

/** A Docker engine, and the prefix of one test case. */
export class Docker {
  readonly environment: Readonly<Record<string, string>>;
  /** The prefix of all names, and the value of the label. */
  readonly prefix: string;

  constructor(environment: Readonly<Record<string, string>>, prefix: string) {
    this.environment = environment;
    this.prefix = prefix;
  }

  /** Runs `docker`, which may fail. */
  async attempt(
    args: readonly string[],
    options: CommandOptions = {},
  ): Promise<Outcome> {
    const environment = { ...this.environment, ...options.environment };
    return await attempt(["docker", ...args], { ...options, environment });
  }

  /**
   * Runs `docker`, which must succeed.
   *
   * @returns its standard output
   * @throws {Error} with its output, when it fails
   */
  async must(
    args: readonly string[],
    options: CommandOptions = {},
  ): Promise<string> {
    const environment = { ...this.environment, ...options.environment };
    return await must(["docker", ...args], { ...options, environment });
  }

  /** Returns a name with the prefix. */
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

  /** Runs a container and waits for its end. */
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

  /** Creates a network. */
  async network(short: string): Promise<string> {
    const name = this.name(short);
    await this.must(["network", "create", ...this.#label(), name]);
    return name;
  }

  /** Creates a volume, and runs `script` in it as root. */
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

  /** Returns a function that runs `docker compose` with a file; {@link removeAll} removes the project. */
  compose(
    file: string,
    environment: Readonly<Record<string, string>>,
  ): (...args: string[]) => Promise<string> {
    const project = ["compose", "--project-name", this.name("project")];
    return async (...args) =>
      await this.must([...project, "--file", file, ...args], { environment });
  }

  /** Finds the container of a Compose service. */
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

  /** Removes everything with the prefix. */
  removeAll(): void {
    const filters = [
      `label=${LABEL}=${this.prefix}`,
      ...["project", "project-2"].map((name) =>
        `label=com.docker.compose.project=${this.name(name)}`
      ),
    ];
    for (const filter of filters) {
      for (const [list, remove] of REMOVALS) {
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

/** Commands that list and remove objects, in the order of their dependencies. */
const REMOVALS = [
  [["ps", "--all"], ["rm", "--force", "--volumes"]],
  [["network", "ls"], ["network", "rm"]],
  [["volume", "ls"], ["volume", "rm", "--force"]],
] as const;

/** A container, running or not. */
export class Container {
  readonly #docker: Docker;
  /** Its name or id. */
  readonly id: string;

  constructor(docker: Docker, id: string) {
    this.#docker = docker;
    this.id = id;
  }

  /** Its output. */
  async logs(): Promise<string> {
    return (await this.#docker.attempt(["logs", this.id])).text;
  }

  /** Runs a command in it, which must succeed. */
  async exec(
    command: readonly string[],
    { options = [], input = "" }: { options?: string[]; input?: string } = {},
  ): Promise<string> {
    return await this.#docker.must(
      ["exec", "--interactive", ...options, this.id, ...command],
      { input },
    );
  }

  /** Runs `docker inspect` with a template. */
  async inspect(template: string): Promise<string> {
    return await this.#docker.must([
      ...["inspect", "--format", template, this.id],
    ]);
  }

  /** Waits for its end and returns its exit code. */
  async wait(): Promise<number> {
    const args = ["wait", this.id];
    return Number(await this.#docker.must(args, { timeout: TIMEOUT }));
  }

  /** Its address in its first network. */
  async address(): Promise<string> {
    const all = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    return (await this.inspect(all)).split(" ")[0] ?? "";
  }

  /** Runs a command of `docker` on it: `stop`, `start`, `restart`, `kill`, … */
  async command(name: string, ...options: string[]): Promise<string> {
    return await this.#docker.must([name, ...options, this.id]);
  }

  /**
   * Waits until its health check has this result.
   *
   * @throws {Error} with its log, when it ends before or takes too long
   */
  async health(expected: "healthy" | "unhealthy"): Promise<void> {
    await this.until(`${expected}`, async () => {
      const health = await this.inspect("{{.State.Health.Status}}");
      return health === expected;
    });
  }

  /**
   * Waits until a condition holds.
   *
   * @param what the condition, for the error message
   * @throws {Error} with its log, when the container ends before or the time limit is over
   */
  async until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + TIMEOUT;
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
