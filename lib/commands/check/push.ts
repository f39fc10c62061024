/**
 * Push notifications: whether the push notification server answers.
 *
 * @module
 */

import { hideCredentials, showWrongValue } from "../../hidden.ts";
import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok } from "./finding.ts";
import type { WebRequest } from "./web.ts";
import { responseFinding, sendRequest } from "./web.ts";

const REMEDY =
  "Check MATTERMOST_PUSH_SERVER, and allow connections from this host to it";

/**
 * Checks the push notification server.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkPush(context: CheckContext): Promise<Finding[]> {
  const { plan } = context;
  const text = effectiveText(plan, "EmailSettings.PushNotificationServer");
  if (!effectiveFlag(plan, "EmailSettings.SendPushNotifications")) {
    return [
      ok(
        "push",
        "Push notifications are turned off (MATTERMOST_ENABLE_PUSH_NOTIFICATIONS)",
      ),
    ];
  }
  if (!URL.canParse(text)) {
    return [failed("push.answer", {
      message:
        `MATTERMOST_PUSH_SERVER must be a URL if push notifications are turned on: it is ${
          showWrongValue(text)
        }`,
      remedy: "MATTERMOST_PUSH_SERVER=https://push.example.com",
    })];
  }
  const request: WebRequest = {
    check: "push",
    what: "The push server",
    url: new URL(`${text.replace(/\/+$/, "")}/version`),
    unreachable: "failed",
    remedy: REMEDY,
    verify: !effectiveFlag(
      plan,
      "ServiceSettings.EnableInsecureOutgoingConnections",
    ),
  };
  const { findings, answer } = await sendRequest(request, context);
  if (answer === undefined) return [...findings];
  // Older push servers answer /version with 404, which proves as well that they run.
  const isRunning = answer.status < 500;
  return [
    ...findings,
    isRunning ? responseFinding(request, answer) : failed("push.answer", {
      message: `The push server at ${
        hideCredentials(request.url.href)
      } answers with HTTP status ${answer.status}`,
      remedy: REMEDY,
    }),
  ];
}
