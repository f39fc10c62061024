/**
 * The tags of images for the git tags of this project, such as 11.7.9-2: Mattermost's release,
 * and the number of our release with it. The release workflow runs it.
 *
 *     git tag | deno run tools/image_tags.ts [TAG]
 *
 * prints, as JSON, what to build for a new git tag, or, without one, what to build again each
 * week for updates of the base image.
 *
 * @module
 */

/** What to build from a git tag. */
export interface Build {
  /** The git tag. */
  readonly tag: string;
  /** Mattermost's release. */
  readonly release: string;
  /** The tags that the image gets. */
  readonly images: readonly string[];
}

/**
 * How many series, such as 11.7, are built again each week: those of the year for which
 * Mattermost maintains an extended support release.
 */
const MAINTAINED = 12;

/** Orders 11.10 behind 11.9. */
const NUMERIC = new Intl.Collator("en", { numeric: true });

const TAG_REGEXP = /^((\d+\.\d+)\.\d+)-\d+$/;

if (import.meta.main) {
  const tags = (await new Response(Deno.stdin.readable).text()).split(/\s+/);
  console.log(JSON.stringify(planBuilds(tags, Deno.args[0])));
}

/**
 * Plans builds. Tags of images that a newer git tag has already moved stay there.
 *
 * @param tags All git tags. Those of another form are ignored.
 * @param added The new git tag; without it, the newest of each maintained series are built
 * again.
 * @returns The builds. The git tag is itself a tag of the image, which only the first build
 * writes.
 * @throws {Error} when the new tag has another form.
 */
export function planBuilds(
  tags: readonly string[],
  added?: string,
): readonly Build[] {
  if (added !== undefined && !TAG_REGEXP.test(added)) {
    throw new Error(`The tag must have the form 11.7.9-2: it is ${added}`);
  }
  const known = [...new Set([...tags, ...added === undefined ? [] : [added]])]
    .filter((tag) => TAG_REGEXP.test(tag)).sort((one, other) =>
      NUMERIC.compare(other, one)
    );
  const newestOf = (part: 1 | 2) =>
    Map.groupBy(known, (tag) => TAG_REGEXP.exec(tag)?.[part] ?? "");
  const [releases, series] = [newestOf(1), newestOf(2)];
  const chosen = added === undefined
    ? [...series.values()].slice(0, MAINTAINED).map(([newest = ""]) => newest)
    : [added];
  return chosen.map((tag) => {
    const [, release = "", minor = ""] = TAG_REGEXP.exec(tag) ?? [];
    return {
      tag,
      release,
      images: [
        ...added === undefined ? [] : [tag],
        ...releases.get(release)?.[0] === tag ? [release] : [],
        ...series.get(minor)?.[0] === tag ? [minor] : [],
      ],
    };
  });
}
