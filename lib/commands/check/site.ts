/**
 * The site URL: its host name, its certificate, and whether Mattermost answers there.
 *
 * @module
 */

import { isIP } from "node:net";
import { hideCredentials, showWrongValue } from "../../hidden.ts";
import type { HttpResponse } from "../../os/http.ts";
import { oneLine } from "../../printable.ts";
import { effectiveText } from "../../startup/effective_config.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { findRunningServer } from "./own_server.ts";
import { describeCause, failed, ok, warning } from "./finding.ts";
import type { WebRequest } from "./web.ts";
import { responseFinding, sendRequest } from "./web.ts";

/**
 * Checks the site URL.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkSite(context: CheckContext): Promise<Finding[]> {
  const { plan, system } = context;
  const text = effectiveText(plan, "ServiceSettings.SiteURL");
  if (text === "") {
    return [
      warning("site.url", {
        message:
          "MATTERMOST_SITE_URL is not set, but links in emails, integrations, single sign-on and push notifications need it",
        remedy: "MATTERMOST_SITE_URL=https://chat.example.com",
      }),
    ];
  }
  if (!URL.canParse(text) || !/^https?:/i.test(text)) {
    return [
      failed("site.url", {
        message:
          `MATTERMOST_SITE_URL must be a URL that begins with http:// or https://: it is ${
            showWrongValue(text)
          }`,
        remedy: "MATTERMOST_SITE_URL=https://chat.example.com",
      }),
    ];
  }
  const site = new URL(text);
  const host = site.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0) {
    try {
      await system.resolveHost(host);
    } catch (error) {
      return [
        failed("site.name", {
          message:
            `${host}, the host name of MATTERMOST_SITE_URL, does not resolve: ${
              describeCause(error)
            }`,
          remedy:
            `Add ${host} to DNS with the address of the server or of its proxy, or correct MATTERMOST_SITE_URL`,
        }),
      ];
    }
  }
  const request: WebRequest = {
    check: "site",
    what: "The site",
    url: new URL(
      `${site.origin}${
        site.pathname.replace(/\/+$/, "")
      }${plan.release.liveness.path}`,
    ),
    unreachable: "warning",
    remedy:
      "Start the server and the proxy in front of it, or ignore this where the network does not let a container reach its own public address",
  };
  const { findings, answer, isRefused } = await sendRequest(request, context);
  const url = ok("site.url", `The site URL is ${hideCredentials(site.href)}`);
  if (isRefused && isLoopback(host)) {
    return [url, await askElsewhere(site, context)];
  }
  return [
    url,
    ...findings,
    ...(answer === undefined
      ? []
      : [judge(request, answer, plan.release.liveness.contains)]),
  ];
}

/** Characters of an address to which the site redirects that are shown. */
const LONGEST_TARGET = 240;

function isLoopback(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|::1)$/.test(host);
}

/**
 * The name of the service in docker-compose.yml and the samples. In a container of its own, as of
 * `docker compose run`, it leads to the running server.
 */
const SERVICE = "mattermost";

/** Asks the server itself: in a container, the site's localhost is another machine. */
async function askElsewhere(
  { hostname }: URL,
  context: CheckContext,
): Promise<Finding> {
  const found = await findRunningServer(context) ??
    await findRunningServer(context, SERVICE);
  const reason =
    `${hostname} in the site URL is the machine of whoever opens it, so the site cannot be asked from here`;
  return ok(
    "site.answer",
    found === undefined
      ? `No server runs here, and ${reason}`
      : `The server answers at ${hideCredentials(found.href)}; ${reason}`,
  );
}

function judge(
  request: WebRequest,
  answer: HttpResponse,
  contains: string | undefined,
): Finding {
  const { status, headers, body } = answer;
  const url = hideCredentials(request.url.href);
  const target = headers["location"];
  if (status >= 300 && status < 400 && target !== undefined) {
    return warning("site.answer", {
      message: `The site redirects ${url} to ${
        oneLine(hideCredentials(target.slice(0, 2000)), LONGEST_TARGET)
      }`,
      remedy:
        "Set MATTERMOST_SITE_URL to the address to which the site redirects",
    });
  }
  if (status >= 500) {
    return warning("site.answer", {
      message:
        `The site at ${url} answers with HTTP status ${status}, so the server does not run or the proxy does not reach it`,
      remedy:
        "Start the server, and check the address and port to which the proxy forwards",
    });
  }
  const isMattermost = status === 200 &&
    (contains === undefined || body.includes(contains));
  return isMattermost
    ? responseFinding(request, answer)
    : warning("site.answer", {
      message:
        `The site at ${url} answers with HTTP status ${status}, and not as Mattermost does`,
      remedy:
        "Correct MATTERMOST_SITE_URL, including its path, or the proxy, so that the URL leads to this server",
    });
}
