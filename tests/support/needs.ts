/**
 * What some tests need of the machine. Where it is missing the test is ignored, its name
 * says why, and `deno task test` sums the reasons up at the end (tools/test.ts).
 *
 * @module
 */

/** Something that a machine may not have. */
export interface Need {
  /** What is needed, to be read after "needs". */
  readonly what: string;
  /** Whether this machine has it. */
  readonly isMet: boolean;
}

/** Numbers of capabilities (linux/capability.h) that a test run as root may lack. */
const CAPABILITIES = { CHOWN: 0n, SETGID: 6n, SETUID: 7n } as const;

/** Mounts are made in a namespace of their own: where we are not root, in one in which we are. */
export const NAMESPACE: readonly string[] = Deno.uid() === 0
  ? ["unshare", "--mount"]
  : ["unshare", "--user", "--map-root-user", "--mount"];

/** In such a namespace there is nobody else whom the server could run as. */
export const AS_ROOT: Readonly<Record<string, string>> = Deno.uid() === 0
  ? {}
  : { MATTERMOST_UID: "0", MATTERMOST_GID: "0" };

/** Root that may give files away and become another user. */
export const ROOT_USER: Need = {
  what: "root with the capabilities CHOWN, SETGID and SETUID",
  isMet: Deno.uid() === 0 && await hasCapabilities(),
};

/** PostgreSQL, MariaDB and MySQL refuse to run as root. */
export const DATABASES: Need = {
  what: "an ordinary user, or root that may become one, to run databases as",
  isMet: Deno.uid() !== 0 || ROOT_USER.isMet,
};

/** A place for mounts. Containers forbid it by default, even to root. */
export const MOUNTS: Need = {
  what: "permission to mount (root with CAP_SYS_ADMIN, or user namespaces)",
  // A file, since a directory may have mounts below, which only root may leave out.
  isMet: await succeeds([
    ...NAMESPACE,
    ...["mount", "--bind", "/etc/passwd", "/etc/passwd"],
  ]),
};

/**
 * Registers a test that needs something of the machine.
 *
 * @param needs What it needs.
 * @param name Its name.
 * @param body What it does.
 */
export function testWith(
  needs: readonly Need[],
  name: string,
  body: () => void | Promise<void>,
): void {
  const missing = needs.find(({ isMet }) => !isMet);
  Deno.test(
    missing === undefined ? name : `${name} (needs ${missing.what})`,
    { ignore: missing !== undefined },
    body,
  );
}

/** `/proc` is open to programs with all permissions, as tests are. */
async function hasCapabilities(): Promise<boolean> {
  const status = await Deno.readTextFile("/proc/self/status");
  const [, digits = "0"] = /^CapEff:\s*(\w+)$/m.exec(status) ?? [];
  const effective = BigInt(`0x${digits}`);
  return Object.values(CAPABILITIES)
    .every((number) => (effective >> number & 1n) === 1n);
}

async function succeeds([program = "", ...args]: string[]): Promise<boolean> {
  const command = new Deno.Command(program, {
    args,
    stdout: "null",
    stderr: "null",
  });
  return await command.output().then(({ success }) => success, () => false);
}
