/**
 * The remedy for files of another user where nobody can change owners: OpenShift runs containers
 * with a user of the namespace's range and group 0, so a volume that was restored in another
 * namespace belongs to a user of another range.
 *
 * @see https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/authentication_and_authorization/managing-pod-security-policies
 * @module
 */

/** The number of user ids in a range, which begins at a multiple of it. */
const RANGE = 10_000;

/**
 * Tells whether a user is one that a platform has chosen.
 *
 * @param identity User and group.
 * @returns Whether it is not root, but in group 0.
 */
export function isArbitraryUser(
  { uid, gid }: { readonly uid: number; readonly gid: number },
): boolean {
  return uid !== 0 && gid === 0;
}

/**
 * The remedy for a path that belongs to another user.
 *
 * @param word The path, quoted for the shell.
 * @param owner The owner; `undefined` if it is not known.
 * @returns Settings to paste.
 */
export function ownerRemedy(word: string, owner: number | undefined): string {
  const name = owner ?? "OWNER";
  const range = owner === undefined
    ? "OWNER/10000"
    : `${owner - owner % RANGE}/${RANGE}`;
  const hint = owner === undefined ? ` (stat -c %u ${word})` : "";
  return `securityContext: {runAsUser: ${name}}   # the owner of the volume${hint}; on OpenShift first: oc annotate namespace NAME openshift.io/sa.scc.uid-range=${range} --overwrite; or once as that owner: chmod -R g=u ${word}`;
}
