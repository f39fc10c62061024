/**
 * The login to the mail server.
 *
 * @module
 */

import { errorCode } from "../../errors.ts";
import { hideCredentials } from "../../hidden.ts";
import { peerWords } from "../../peer_words.ts";
import type { MailServer } from "../../os/smtp.ts";
import { certificateProblem } from "./certificate.ts";
import type { CheckContext, Finding, FindingText } from "./finding.ts";
import { describeCause, failed } from "./finding.ts";

/**
 * Logs in to the mail server.
 *
 * @param server The mail server and the login.
 * @param context The signal that ends the check, and the authorities to trust.
 * @returns A finding if the login fails, else `undefined`.
 */
export async function checkMailLogin(
  server: MailServer,
  { signal, trusted }: CheckContext,
): Promise<Finding | undefined> {
  const { verifySmtpLogin } = await import("../../os/smtp.ts");
  try {
    await verifySmtpLogin(server, { signal, ca: trusted() });
    return undefined;
  } catch (error) {
    return describeFailure(error, server);
  }
}

function describeFailure(error: unknown, server: MailServer): Finding {
  const { port, security, user } = server;
  const host = hideCredentials(server.host);
  const name = `The mail server ${host}:${port}`;
  const code = errorCode(error);
  const certificate = certificateProblem(error);
  if (certificate !== undefined) {
    return failed("mail.certificate", {
      message: `The certificate of ${host}:${port} ${certificate}`,
      remedy:
        "Set SMTP_HOST to a name in the certificate, or put the certificate of its authority into MATTERMOST_CA_DIR; SMTP_VERIFY_CERTIFICATE=false accepts any certificate",
    });
  }
  const reply = serverReply(error, server);
  const quoted = reply === "" ? "" : `: ${reply}`;
  const advice: Readonly<Record<string, readonly [string, FindingText]>> = {
    EAUTH: ["mail.login", {
      message: `${name} refuses the login ${user}${quoted}`,
      remedy:
        "Check SMTP_USER and SMTP_PASS; many providers require an app password",
    }],
    ENOAUTH: ["mail.login", {
      message: `${name} offers no supported login method${quoted}`,
      remedy:
        "Remove SMTP_USER and SMTP_PASS, or use the submission port with SMTP_PORT=587",
    }],
    ETLS: ["mail.encryption", {
      message:
        `${name} does not encrypt the connection with SMTP_SECURITY=${security}${quoted}`,
      remedy:
        "Use SMTP_SECURITY=TLS with port 465, STARTTLS with port 587, and NONE only for a relay on a network that you trust",
    }],
  };
  const [check, finding] = advice[code ?? ""] ?? ["mail.connection", {
    message: `${name} cannot be reached: ${reason(error, reply)}`,
    remedy:
      "Check SMTP_HOST and SMTP_PORT; many networks block connections to port 25",
  }];
  return failed(check, finding);
}

/** Finds what the server has replied, or the system's error code, which nodemailer only has in its message. */
function reason(error: unknown, reply: string): string {
  if (reply !== "") return `it replies: ${reply}`;
  const message = error instanceof Error ? error.message : "";
  const code = /\b(E[A-Z]{4,}|EAI_AGAIN)\b/.exec(message)?.[1];
  return describeCause(code === undefined ? error : { code });
}

/** The reply of the mail server, in one line and without the login. */
function serverReply(error: unknown, server: MailServer): string {
  return typeof error === "object" && error !== null && "response" in error &&
      typeof error.response === "string"
    ? peerWords(error.response, server, [server.host])
    : "";
}
