/**
 * The mail server: connection, encryption and login, with the server's settings.
 *
 * No mail is sent. The SMTP client is loaded only if a mail server is configured.
 *
 * @module
 */

import { hideCredentials } from "../../hidden.ts";
import { valuesBeforeRewrite } from "../../mattermost/rewrites.ts";
import { inRange } from "../../release_range.ts";
import { isExplicit } from "../../settings/origin.ts";
import {
  effective,
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { Plan } from "../../startup/plan.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok } from "./finding.ts";
import type { MailServer } from "../../os/smtp.ts";
import { checkMailLogin } from "./smtp.ts";

/**
 * Checks the mail server.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkMail(context: CheckContext): Promise<Finding[]> {
  const server = mailServer(context.plan);
  if (server === undefined || isOff(context.plan, server)) {
    return [ok("mail", "Mail is turned off: SMTP_HOST is not set")];
  }
  const { port, security, user } = server;
  const host = hideCredentials(server.host);
  // A password is never sent unencrypted.
  const isExposed = security === "NONE" && user !== "";
  const fault = await checkMailLogin(
    isExposed ? { ...server, user: "", password: "" } : server,
    context,
  );
  if (fault !== undefined) return [fault];
  if (isExposed) return [exposed(`${host}:${port}`, context.plan)];
  const login = user === "" ? "clients without a login" : `the login ${user}`;
  return [
    ok(
      "mail.login",
      `The mail server ${host}:${port} accepts ${login} over ${
        security === "NONE" ? "an unencrypted connection" : security
      }`,
    ),
  ];
}

/**
 * The releases whose logins need encryption, also on localhost: Go's `smtp.PlainAuth` refuses
 * any other since 1.9.1, and makes an exception only for a server's name without a port.
 *
 * @see https://github.com/mattermost/mattermost/blob/master/server/platform/shared/mail/mail.go
 */
const ENCRYPTED_LOGINS = ">=5.0.0";

function exposed(address: string, { release }: Plan): Finding {
  return failed("mail.encryption", {
    message: inRange(release.version, ENCRYPTED_LOGINS)
      ? `Mattermost ${release.version} would not log in to the mail server ${address}, and send no mail: it needs encryption for a login, but SMTP_SECURITY is NONE`
      : `Mattermost ${release.version} would send SMTP_PASS unencrypted to the mail server ${address}, since SMTP_SECURITY is NONE`,
    remedy:
      "Set SMTP_PORT=587 and SMTP_SECURITY=STARTTLS, or remove SMTP_USER and SMTP_PASS if the mail server accepts mail without a login",
  });
}

/**
 * Whether mail is turned off: no setting requires mail, and the mail server is the default
 * that Mattermost fills in. A port or a user that was set counts as a setting that requires mail.
 */
function isOff(plan: Plan, { host, port, user }: MailServer): boolean {
  const { origins, settings, serverVariables } = plan;
  const named = serverVariables.values["MM_EMAILSETTINGS_SMTPSERVER"] ?? "";
  const isRequired = named !== "" || user !== "" ||
    port !== settings.SMTP_PORT ||
    isExplicit(origins.SMTP_HOST) || isExplicit(origins.SMTP_PORT) ||
    effectiveFlag(plan, "EmailSettings.SendEmailNotifications") ||
    effectiveFlag(plan, "EmailSettings.RequireEmailVerification");
  const { version } = plan.release;
  return !isRequired &&
    valuesBeforeRewrite(version, "EmailSettings.SMTPServer", host).includes("");
}

function mailServer(plan: Plan): MailServer | undefined {
  const text = (key: string): string =>
    effectiveText(plan, `EmailSettings.${key}`);
  const host = text("SMTPServer");
  if (host === "") return undefined;
  const security = text("ConnectionSecurity").toUpperCase();
  const isEncrypted = security === "TLS" || security === "STARTTLS";
  // Releases before 4.1 do not have this setting, and log in over encrypted connections.
  const logsIn = effective(plan, "EmailSettings.EnableSMTPAuth") === undefined
    ? isEncrypted
    : effectiveFlag(plan, "EmailSettings.EnableSMTPAuth");
  return {
    host,
    port: Number(text("SMTPPort")) || 25,
    security: isEncrypted ? security : "NONE",
    verify: !effectiveFlag(
      plan,
      "EmailSettings.SkipServerCertificateVerification",
    ),
    user: logsIn ? text("SMTPUsername") : "",
    password: text("SMTPPassword"),
  };
}
