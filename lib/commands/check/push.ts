/**
 * The push notification service: whether it answers.
 *
 * @module
 */

import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { failed, ok } from "./finding.ts";
import type { WebRequest } from "./web.ts";
import { answered, requestWeb } from "./web.ts";

const REMEDY =
  "Check MATTERMOST_PUSH_SERVER, and that this machine may reach it";

/**
 * Checks the push notification service.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkPush(world: CheckWorld): Promise<Finding[]> {
  const { plan } = world;
  const text = effectiveText(plan, "EmailSettings.PushNotificationServer");
  if (!effectiveFlag(plan, "EmailSettings.SendPushNotifications")) {
    return [ok("push", "Not used: push notifications are off")];
  }
  if (text === "" || !URL.canParse(text)) {
    return [failed("push.answer", {
      message: "Push notifications are on, but their server is not set",
      remedy: "MATTERMOST_PUSH_SERVER=https://push.example.com",
    })];
  }
  const question: WebRequest = {
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
  const { findings, answer } = await requestWeb(question, world);
  if (answer === undefined) return [...findings];
  // Older services have no such page; an answer is an answer.
  const isWell = answer.status < 500;
  return [
    ...findings,
    isWell ? answered(question, answer) : failed("push.answer", {
      message: `The push server answers ${answer.status}`,
      remedy: REMEDY,
    }),
  ];
}
