/**
 * Signing in with GitLab: the three endpoints, as browser and server will ask them.
 *
 * @module
 */

import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import type { WebRequest } from "./web.ts";
import { answered, requestWeb } from "./web.ts";

interface Endpoint {
  readonly variable: string;
  readonly path: string;
  /** Whether GitLab answers 404 to a plain question there even where all is well. */
  readonly hides: boolean;
}

const ENDPOINTS: readonly Endpoint[] = [
  {
    variable: "GITLAB_AUTH_ENDPOINT",
    path: "GitLabSettings.AuthEndpoint",
    hides: false,
  },
  {
    variable: "GITLAB_TOKEN_ENDPOINT",
    path: "GitLabSettings.TokenEndpoint",
    hides: true,
  },
  {
    variable: "GITLAB_API_ENDPOINT",
    path: "GitLabSettings.UserAPIEndpoint",
    hides: false,
  },
];

/**
 * Checks GitLab's endpoints.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkGitlab(world: CheckWorld): Promise<Finding[]> {
  if (!effectiveFlag(world.plan, "GitLabSettings.Enable")) {
    return [ok("gitlab", "Not used: GITLAB_ID is not set")];
  }
  const groups = await Promise.all(
    ENDPOINTS.map((endpoint) => checkEndpoint(endpoint, world)),
  );
  const seen = new Set<string>();
  // Three endpoints on one host have one certificate and one fault.
  return groups.flat().filter(({ message }) =>
    seen.size !== seen.add(message).size
  );
}

async function checkEndpoint(
  { variable, path, hides }: Endpoint,
  world: CheckWorld,
): Promise<readonly Finding[]> {
  const text = effectiveText(world.plan, path);
  if (!URL.canParse(text)) {
    return [
      failed("gitlab.answer", {
        message: `${variable} is ${
          text === "" ? "not set" : `no web address: ${text}`
        }`,
        remedy: `Set ${variable} as the application's page in GitLab shows it`,
      }),
    ];
  }
  const question: WebRequest = {
    check: "gitlab",
    what: "GitLab",
    url: new URL(text),
    unreachable: "failed",
    remedy: `Check ${variable}, and that this machine may reach GitLab`,
    verify: !effectiveFlag(
      world.plan,
      "ServiceSettings.EnableInsecureOutgoingConnections",
    ),
  };
  const { findings, answer } = await requestWeb(question, world);
  if (answer === undefined) return findings;
  const { status } = answer;
  const isLost = status >= 500 || status === 404 && !hides;
  return [
    ...findings,
    isLost
      ? warning("gitlab.answer", {
        message: `GitLab answers ${status} at ${text}`,
        remedy: `Check ${variable}: it should be ${EXAMPLES[variable]}`,
      })
      : answered(question, answer),
  ];
}

const EXAMPLES: Readonly<Record<string, string>> = {
  GITLAB_AUTH_ENDPOINT: "https://gitlab.example.com/oauth/authorize",
  GITLAB_TOKEN_ENDPOINT: "https://gitlab.example.com/oauth/token",
  GITLAB_API_ENDPOINT: "https://gitlab.example.com/api/v4/user",
};
