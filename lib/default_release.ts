/**
 * The release of Mattermost that this project builds, documents and assumes by default.
 *
 * @module
 */

/**
 * The release that the image contains if its build names no other: the extended support release
 * at the time (https://docs.mattermost.com/about/mattermost-server-releases.html).
 *
 * `deno task generate` writes it to the files that repeat it.
 */
export const DEFAULT_RELEASE = "11.7.9";
