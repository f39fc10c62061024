/**
 * Requirements of some tests. If the machine does not meet them, the test is ignored, its name
 * ends with the reason, and `deno task test` lists the reasons at the end (tools/test.ts).
 *
 * @module
 */

/** A requirement that a machine may not meet. */
export interface Need {
  /** A description that follows "needs" in a sentence. */
  readonly what: string;
  /** Whether this machine meets it. */
  readonly isMet: boolean;
}

/** Capabilities that root may lack, with their numbers in linux/capability.h. */
const CAPABILITIES = { CHOWN: 0n, SETGID: 6n, SETUID: 7n } as const;

/** Tests mount in their own mount namespace; an ordinary user also needs a user namespace. */
export const NAMESPACE: readonly string[] = Deno.uid() === 0
  ? ["unshare", "--mount"]
  : ["unshare", "--user", "--map-root-user", "--mount"];

/** In such a user namespace no other user exists for the server. */
export const AS_ROOT: Readonly<Record<string, string>> = Deno.uid() === 0
  ? {}
  : { MATTERMOST_UID: "0", MATTERMOST_GID: "0" };

/** Root that may change owners and become another user. */
export const ROOT_USER: Need = {
  what: "root with the capabilities CHOWN, SETGID and SETUID",
  isMet: Deno.uid() === 0 && await hasCapabilities(),
};

/** A user for PostgreSQL, MariaDB and MySQL, which refuse to run as root. */
export const DATABASES: Need = {
  what: "an ordinary user, or root that may become one, to run databases as",
  isMet: Deno.uid() !== 0 || ROOT_USER.isMet,
};

/** Permission to mount, which containers by default deny even to root. */
export const MOUNTS: Need = {
  what: "permission to mount (root with CAP_SYS_ADMIN, or user namespaces)",
  // A file, because only root may bind a directory without the mounts in it.
  isMet: await succeeds([
    ...NAMESPACE,
    ...["mount", "--bind", "/etc/passwd", "/etc/passwd"],
  ]),
};

/** Permission to listen on the default port of the image, which a user namespace does not give. */
export const PORT_80: Need = {
  what: "root, or net.ipv4.ip_unprivileged_port_start=80 or lower",
  isMet: Deno.uid() === 0 ||
    Number(
        await Deno.readTextFile(
          "/proc/sys/net/ipv4/ip_unprivileged_port_start",
        ),
      ) <= 80,
};

/** A language whose programs replace names faster than a shell. */
export const PERL: Need = {
  what: "perl",
  isMet: await succeeds(["perl", "-e", "1"]),
};

/**
 * Registers a test with requirements.
 *
 * @param needs The requirements.
 * @param name The name of the test.
 * @param body The test.
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

/** Deno reads `/proc` only with all permissions, which tests have. */
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
