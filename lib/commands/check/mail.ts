/**
 * The mail server: connection, encryption and login, as the server will do it.
 *
 * Nothing is sent. The package that talks SMTP is loaded here only, and only
 * where there is a mail server to ask.
 *
 * @module
 */

import { errorCode } from "../../errors.ts";
import { effective, effectiveFlag, effectiveText } from "../effective.ts";
import type { Plan } from "../plan.ts";
import { certificateFault } from "./certificate.ts";
import type { Advice, CheckWorld, Finding } from "./finding.ts";
import { failed, ok, reasonOf, warning } from "./finding.ts";

/** Milliseconds that each step of the dialogue may take. */
const STEP = 8000;

/** A mail server and the login to it. */
interface MailServer {
  readonly host: string;
  readonly port: number;
  readonly security: "NONE" | "STARTTLS" | "TLS";
  readonly verify: boolean;
  /** Empty where nobody logs in. */
  readonly user: string;
  readonly password: string;
}

/**
 * Checks the mail server.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkMail(world: CheckWorld): Promise<Finding[]> {
  const server = mailServer(world.plan);
  if (server === undefined) {
    return [ok("mail", "Not used: SMTP_HOST is not set")];
  }
  const { host, port, security, user } = server;
  const fault = await converse(server, world);
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

async function converse(
  server: MailServer,
  { signal, trusted }: CheckWorld,
): Promise<Finding | undefined> {
  const { host, port, security, verify, user, password } = server;
  // Not the whole package: nothing is to be composed.
  const { default: SMTPTransport } = await import(
    "nodemailer/lib/smtp-transport"
  );
  const ca = trusted();
  const transport = new SMTPTransport({
    host,
    port,
    secure: security === "TLS",
    requireTLS: security === "STARTTLS",
    ignoreTLS: security === "NONE",
    ...(user === "" ? {} : { auth: { user, pass: password } }),
    tls: {
      rejectUnauthorized: verify,
      ...(ca === undefined ? {} : { ca: [...ca] }),
    },
    connectionTimeout: STEP,
    greetingTimeout: STEP,
    socketTimeout: STEP,
  });
  try {
    await Promise.race([transport.verify(), aborted(signal)]);
    return undefined;
  } catch (error) {
    return diagnose(error, server);
  } finally {
    transport.close();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), {
      once: true,
    });
  });
}

function diagnose(error: unknown, server: MailServer): Finding {
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
  const said = sayings(error, password);
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
function sayings(error: unknown, password: string): string {
  const response = typeof error === "object" && error !== null &&
      "response" in error && typeof error.response === "string"
    ? error.response.replace(/\s+/g, " ").trim()
    : "";
  const shown = password === ""
    ? response
    : response.replaceAll(password, "(hidden)");
  return shown === "" ? "" : `: ${shown}`;
}
