/**
 * GitLab sign-in: whether the three endpoints answer.
 *
 * @module
 */

import { hideCredentials, showWrongValue } from "../../hidden.ts";
import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import type { WebRequest } from "./web.ts";
import { responseFinding, sendRequest } from "./web.ts";

interface Endpoint {
  readonly variable: string;
  /** Its key of config.json. */
  readonly path: string;
  readonly example: string;
  /** Whether GitLab answers a GET request with 404, since it accepts only POST there. */
  readonly acceptsPostOnly: boolean;
}

const ENDPOINTS: readonly Endpoint[] = [
  {
    variable: "GITLAB_AUTH_ENDPOINT",
    path: "GitLabSettings.AuthEndpoint",
    example: "https://gitlab.example.com/oauth/authorize",
    acceptsPostOnly: false,
  },
  {
    variable: "GITLAB_TOKEN_ENDPOINT",
    path: "GitLabSettings.TokenEndpoint",
    example: "https://gitlab.example.com/oauth/token",
    acceptsPostOnly: true,
  },
  {
    variable: "GITLAB_API_ENDPOINT",
    path: "GitLabSettings.UserAPIEndpoint",
    example: "https://gitlab.example.com/api/v4/user",
    acceptsPostOnly: false,
  },
];

/**
 * Checks GitLab's endpoints.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkGitlab(context: CheckContext): Promise<Finding[]> {
  if (!effectiveFlag(context.plan, "GitLabSettings.Enable")) {
    return [ok("gitlab", "GitLab sign-in is turned off (GITLAB_ENABLE)")];
  }
  const groups = await Promise.all(
    ENDPOINTS.map((endpoint) => checkEndpoint(endpoint, context)),
  );
  const seen = new Set<string>();
  // Endpoints on one host have the same certificate, and fail in the same way.
  return groups.flat().filter(({ message }) =>
    seen.size !== seen.add(message).size
  );
}

async function checkEndpoint(
  { variable, path, example, acceptsPostOnly }: Endpoint,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const text = effectiveText(context.plan, path);
  if (!URL.canParse(text)) {
    return [
      failed("gitlab.answer", {
        message: `${variable} must be a URL: it is ${showWrongValue(text)}`,
        remedy: `${variable}=${example}   # with the host name of your GitLab`,
      }),
    ];
  }
  const request: WebRequest = {
    check: "gitlab",
    what: "GitLab",
    url: new URL(text),
    unreachable: "failed",
    remedy: `Check ${variable}, and allow connections from this host to GitLab`,
    verify: !effectiveFlag(
      context.plan,
      "ServiceSettings.EnableInsecureOutgoingConnections",
    ),
  };
  const { findings, answer } = await sendRequest(request, context);
  if (answer === undefined) return findings;
  const { status } = answer;
  const isWrong = status >= 500 || status === 404 && !acceptsPostOnly;
  return [
    ...findings,
    isWrong
      ? warning("gitlab.answer", {
        message: `GitLab at ${
          hideCredentials(text)
        } answers with HTTP status ${status}`,
        remedy: `${variable}=${example}   # with the host name of your GitLab`,
      })
      : responseFinding(request, answer),
  ];
}
