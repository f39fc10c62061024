/**
 * The mail server: connection, encryption and login, as the server will do it.
 *
 * Nothing is sent. What talks SMTP is loaded only where there is a mail server to ask.
 *
 * @module
 */

import { rewrittenFrom } from "../../mattermost/rewrites.ts";
import { isExplicit } from "../../settings/origin.ts";
import {
  effective,
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { Plan } from "../../startup/plan.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { ok, warning } from "./finding.ts";
import type { MailServer } from "../../os/smtp.ts";
import { checkMailLogin } from "./smtp.ts";

/**
 * Checks the mail server.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkMail(world: CheckWorld): Promise<Finding[]> {
  const server = mailServer(world.plan);
  if (server === undefined || isOff(world.plan, server)) {
    return [ok("mail", "Not used: SMTP_HOST is not set")];
  }
  const { host, port, security, user } = server;
  const fault = await checkMailLogin(server, world);
  if (fault !== undefined) return [fault];
  const login = user === "" ? "without a login" : `with the login ${user}`;
  const found = [
    ok(
      "mail.login",
      `${host}:${port} takes mail over ${
        security === "NONE" ? "an unencrypted connection" : security
      }, ${login}`,
    ),
  ];
  const isExposed = security === "NONE" && user !== "" &&
    !["localhost", "127.0.0.1", "::1"].includes(host);
  return !isExposed ? found : [
    ...found,
    warning("mail.encryption", {
      message: "SMTP_PASS travels unencrypted: SMTP_SECURITY is NONE",
      remedy:
        "SMTP_PORT=587 and SMTP_SECURITY=STARTTLS, if the mail server can",
    }),
  ];
}

/**
 * Whether mail is off: nobody asked for mail, and the mail server is the default that
 * Mattermost fills in. A chosen port or user counts as asking for mail.
 */
function isOff(plan: Plan, { host, port, user }: MailServer): boolean {
  const { origins, settings, serverVariables } = plan;
  const named = serverVariables.values["MM_EMAILSETTINGS_SMTPSERVER"] ?? "";
  const isWanted = named !== "" || user !== "" || port !== settings.SMTP_PORT ||
    isExplicit(origins.SMTP_HOST) || isExplicit(origins.SMTP_PORT) ||
    effectiveFlag(plan, "EmailSettings.SendEmailNotifications") ||
    effectiveFlag(plan, "EmailSettings.RequireEmailVerification");
  const { version } = plan.release;
  return !isWanted &&
    rewrittenFrom(version, "EmailSettings.SMTPServer", host).includes("");
}

function mailServer(plan: Plan): MailServer | undefined {
  const text = (key: string): string =>
    effectiveText(plan, `EmailSettings.${key}`);
  const host = text("SMTPServer");
  if (host === "") return undefined;
  const security = text("ConnectionSecurity").toUpperCase();
  // Releases before 4.1 have no such switch and log in whenever there is a name.
  const logsIn =
    effective(plan, "EmailSettings.EnableSMTPAuth") === undefined ||
    effectiveFlag(plan, "EmailSettings.EnableSMTPAuth");
  return {
    host,
    port: Number(text("SMTPPort")) || 25,
    security: security === "TLS" || security === "STARTTLS" ? security : "NONE",
    verify: !effectiveFlag(
      plan,
      "EmailSettings.SkipServerCertificateVerification",
    ),
    user: logsIn ? text("SMTPUsername") : "",
    password: text("SMTPPassword"),
  };
}
