/**
 * The login to the mail server.
 *
 * @module
 */

import { errorCode } from "../../errors.ts";
import { withoutSecret } from "../../hidden.ts";
import type { MailServer } from "../../os/smtp.ts";
import { certificateFault } from "./certificate.ts";
import type { Advice, CheckWorld, Finding } from "./finding.ts";
import { failed, reasonOf } from "./finding.ts";

/**
 * Logs in to the mail server.
 *
 * @param server The server and the login.
 * @param world What ends it, and whom to trust.
 * @returns What is wrong; `undefined` where nothing is.
 */
export async function checkMailLogin(
  server: MailServer,
  { signal, trusted }: CheckWorld,
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
  const { host, port, security, user, password } = server;
  const where = `${host}:${port}`;
  const code = errorCode(error);
  const certificate = certificateFault(error);
  if (certificate !== undefined) {
    return failed("mail.certificate", {
      message: `The certificate of ${where} ${certificate}`,
      remedy:
        "Use the name that the certificate has in SMTP_HOST, or put its authority into MATTERMOST_CA_DIR; SMTP_VERIFY_CERTIFICATE=false trusts anybody",
    });
  }
  const said = serverReply(error, password);
  const advice: Readonly<Record<string, readonly [string, Advice]>> = {
    EAUTH: ["mail.login", {
      message: `${where} refuses the login ${user}${said}`,
      remedy:
        "Check SMTP_USER and SMTP_PASS; many providers want a password made for this application",
    }],
    ENOAUTH: ["mail.login", {
      message: `${where} offers no login that is known${said}`,
      remedy:
        "Remove SMTP_USER and SMTP_PASS, or use the port for clients, 587",
    }],
    ETLS: ["mail.encryption", {
      message:
        `${where} does not encrypt as SMTP_SECURITY=${security} asks${said}`,
      remedy:
        "SMTP_SECURITY=TLS belongs to port 465, STARTTLS to 587, NONE to a relay on a network that you trust",
    }],
  };
  const [check, finding] = advice[code ?? ""] ?? ["mail.connection", {
    message: `${where} cannot be reached: ${reason(error)}`,
    remedy:
      "Check SMTP_HOST and SMTP_PORT; many networks let nothing out to port 25",
  }];
  return failed(check, finding);
}

/** The package puts the system's code into its message, behind its own words. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const code = /\b(E[A-Z]{4,}|EAI_AGAIN)\b/.exec(message)?.[1];
  return reasonOf(code === undefined ? error : { code });
}

/** What the mail server said, in one line and without the password. */
function serverReply(error: unknown, password: string): string {
  const response = typeof error === "object" && error !== null &&
      "response" in error && typeof error.response === "string"
    ? error.response.replace(/\s+/g, " ").trim()
    : "";
  const shown = withoutSecret(response, password);
  return shown === "" ? "" : `: ${shown}`;
}
