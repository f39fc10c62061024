/**
 * Logs in to a mail server, and sends nothing; the only module that imports the package
 * that talks SMTP. Import it lazily, since few commands need it.
 *
 * @module
 */

// Not the whole package: nothing is to be composed.
import SMTPTransport from "nodemailer/lib/smtp-transport";

/** Milliseconds that each step of a login may take. */
const STEP_TIMEOUT = 8000;

/** A mail server and the login to it. */
export interface MailServer {
  /** Name or address. */
  readonly host: string;
  /** TCP port. */
  readonly port: number;
  /** How the connection is encrypted. */
  readonly security: "NONE" | "STARTTLS" | "TLS";
  /** Whether its certificate is checked. */
  readonly verify: boolean;
  /** Empty where nobody logs in. */
  readonly user: string;
  /** A secret. */
  readonly password: string;
}

/** What ends a login, and whom it trusts. */
export interface SmtpOptions {
  /** Ends it, with the signal's reason. */
  readonly signal: AbortSignal;
  /** PEM texts of the authorities to trust instead of the runtime's own. */
  readonly ca: readonly string[] | undefined;
}

/**
 * Logs in to a mail server.
 *
 * @param server The server and the login.
 * @param options What ends it, and whom to trust.
 * @throws {Error} With the package's code, such as `EAUTH`; the server's reply is its member `response`.
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
