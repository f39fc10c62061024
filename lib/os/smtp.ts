/**
 * Logs in to a mail server without sending mail. Import this module lazily: it loads
 * nodemailer, which only `app:check` needs.
 *
 * @module
 */

// Not the whole package, which also loads what composes messages.
import SMTPTransport from "nodemailer/lib/smtp-transport";

/** Milliseconds that each of connection, greeting and reply may take. */
const STEP_TIMEOUT = 8000;

/** Bytes of the longest reply that is accepted. */
const LONGEST_REPLY = 65_536;

/** A mail server and the credentials for it. */
export interface MailServer {
  /** Host name or IP address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** How the connection is encrypted. */
  readonly security: "NONE" | "STARTTLS" | "TLS";
  /** Whether to check its certificate. */
  readonly verify: boolean;
  /** The user name; empty for a connection without login. */
  readonly user: string;
  /** The password, a secret. */
  readonly password: string;
}

/** Options of {@linkcode verifySmtpLogin}. */
export interface SmtpOptions {
  /** Cancels the login, which then fails with the signal's reason. */
  readonly signal: AbortSignal;
  /** PEM texts of the certificate authorities to trust instead of the runtime's own. */
  readonly ca: readonly string[] | undefined;
}

/**
 * Logs in to a mail server, and closes the connection.
 *
 * @param server The server and the credentials.
 * @param options Cancellation and certificate authorities.
 * @throws {Error} With a code of nodemailer, such as `EAUTH`, and the reply of the server in
 * the property `response`.
 */
export async function verifySmtpLogin(
  { host, port, security, verify, user, password }: MailServer,
  { signal, ca }: SmtpOptions,
): Promise<void> {
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
    connectionTimeout: STEP_TIMEOUT,
    greetingTimeout: STEP_TIMEOUT,
    socketTimeout: STEP_TIMEOUT,
    maxResponseSize: LONGEST_REPLY,
  });
  try {
    await Promise.race([transport.verify(), aborted(signal)]);
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
