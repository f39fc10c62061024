/**
 * The site's URL: valid, resolving, with a good certificate, and leading to Mattermost.
 *
 * @module
 */

import { isIP } from "node:net";
import type { HttpResponse } from "../../os/http.ts";
import { effectiveText } from "../../startup/effective_config.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { failed, ok, reasonOf, warning } from "./finding.ts";
import type { WebRequest } from "./web.ts";
import { answered, requestWeb } from "./web.ts";

/**
 * Checks the site's URL.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkSite(world: CheckWorld): Promise<Finding[]> {
  const { plan, system } = world;
  const text = effectiveText(plan, "ServiceSettings.SiteURL");
  if (text === "") {
    return [
      warning("site.url", {
        message:
          "MATTERMOST_SITE_URL is not set: links in mails, integrations, single sign-on and push notifications need it",
        remedy: "MATTERMOST_SITE_URL=https://chat.example.com",
      }),
    ];
  }
  if (!URL.canParse(text) || !/^https?:/i.test(text)) {
    return [
      failed("site.url", {
        message: `The site's URL is no web address: ${text}`,
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
          message: `${host}, the site's name: ${reasonOf(error)}`,
          remedy:
            `Enter ${host} in DNS with the address of the server or its proxy, or correct MATTERMOST_SITE_URL`,
        }),
      ];
    }
  }
  const question: WebRequest = {
    check: "site",
    what: "The site",
    url: new URL(
      `${site.origin}${
        site.pathname.replace(/\/+$/, "")
      }${plan.release.liveness.path}`,
    ),
    unreachable: "warning",
    remedy:
      "Start the server and the proxy in front of it; some networks do not let a container reach its own public address",
  };
  const { findings, answer } = await requestWeb(question, world);
  return [
    ok("site.url", `The site's URL is ${site.href}`),
    ...findings,
    ...(answer === undefined
      ? []
      : [judge(question, answer, plan.release.liveness.contains)]),
  ];
}

function judge(
  question: WebRequest,
  answer: HttpResponse,
  contains: string | undefined,
): Finding {
  const { status, headers, body } = answer;
  const { url } = question;
  const target = headers["location"];
  if (status >= 300 && status < 400 && target !== undefined) {
    return warning("site.answer", {
      message: `The site redirects ${url.href} to ${target}`,
      remedy: "Set MATTERMOST_SITE_URL to the address that people end up at",
    });
  }
  if (status >= 500) {
    return warning("site.answer", {
      message:
        `The site answers ${status}: the proxy does not reach the server, or the server is not well`,
      remedy: "Start the server, and check the proxy's target address and port",
    });
  }
  const isMattermost = status === 200 &&
    (contains === undefined || body.includes(contains));
  return isMattermost ? answered(question, answer) : warning("site.answer", {
    message:
      `The site answers ${url.href} with ${status}, and not as Mattermost does`,
    remedy:
      "Check that MATTERMOST_SITE_URL, its path included, leads to this server",
  });
}
