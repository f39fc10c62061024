/**
 * HTTP requests of the checks, with the findings about connection and certificate.
 *
 * @module
 */

import { errorCode } from "../../errors.ts";
import { hideCredentials } from "../../hidden.ts";
import type { HttpResponse } from "../../os/http.ts";
import { request } from "../../os/http.ts";
import { certificateFinding, certificateProblem } from "./certificate.ts";
import type { CheckContext, Finding, FindingLevel } from "./finding.ts";
import { describeCause, failed, ok } from "./finding.ts";

/** A request to a service. */
export interface WebRequest {
  /** The first part of the findings' ids. */
  readonly check: string;
  /** The service, as the subject of a sentence. */
  readonly what: string;
  /** The URL of the request. */
  readonly url: URL;
  /** The HTTP method. @default {"GET"} */
  readonly method?: "GET" | "HEAD";
  /** Additional headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The level of the finding if the service cannot be reached. */
  readonly unreachable: Exclude<FindingLevel, "ok">;
  /** The remedy of that finding. */
  readonly remedy: string;
  /** Whether the certificate is verified. @default {true} */
  readonly verify?: boolean;
}

/** The result of a request. */
export interface WebResponse {
  /** The findings about the connection and the certificate. */
  readonly findings: readonly Finding[];
  /** The response; `undefined` if the service cannot be reached. */
  readonly answer: HttpResponse | undefined;
  /** Whether nothing listens there. */
  readonly isRefused: boolean;
}

/**
 * Sends a request. If the certificate is refused, the request is repeated without verification.
 *
 * @param webRequest The request.
 * @param context The authorities to trust, the clock, and the signal that ends the check.
 * @returns The response, and the findings about the connection and the certificate.
 */
export async function sendRequest(
  webRequest: WebRequest,
  context: CheckContext,
): Promise<WebResponse> {
  const { check, url, verify = true } = webRequest;
  try {
    const answer = await send(webRequest, { context, verify });
    const findings = expiryFindings(webRequest, answer, context);
    return { findings, answer, isRefused: false };
  } catch (error) {
    const fault = certificateProblem(error);
    if (fault === undefined) return unreachable(webRequest, error);
    try {
      // Without verification the expiry date and the response are known as well.
      const answer = await send(webRequest, { context, verify: false });
      const expired = expiryFindings(webRequest, answer, context)
        .filter(({ level }) => level === "failed");
      const refused = failed(`${check}.certificate`, {
        message: `The certificate of ${url.origin} ${fault}`,
        remedy: REMEDIES[fault] ?? webRequest.remedy,
      });
      return {
        findings: expired.length > 0 ? expired : [refused],
        answer,
        isRefused: false,
      };
    } catch (secondError) {
      return unreachable(webRequest, secondError);
    }
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  "is not signed by an authority that the server trusts":
    "Put the certificate of the authority as a .crt file into /etc/mattermost/ca.d (MATTERMOST_CA_DIR), or let the service send its intermediate certificates if they are missing",
  "is for another host name":
    "Use a host name in the certificate, or get a certificate for this host name",
};

function send(
  { url, method, headers }: WebRequest,
  { context, verify }: {
    readonly context: CheckContext;
    readonly verify: boolean;
  },
): Promise<HttpResponse> {
  const ca = verify && url.protocol === "https:"
    ? context.trusted()
    : undefined;
  return request({
    url,
    signal: context.signal,
    verify,
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers }),
    ...(ca === undefined ? {} : { ca }),
  });
}

function expiryFindings(
  { check, url }: WebRequest,
  { certificateExpires: expires }: HttpResponse,
  { system }: CheckContext,
): Finding[] {
  return certificateFinding(`${check}.certificate`, {
    what: `The certificate of ${url.origin}`,
    expires,
    now: system.clock.now(),
  });
}

function unreachable(
  { check, what, url, remedy, unreachable: level }: WebRequest,
  error: unknown,
): WebResponse {
  const message = `${what} at ${url.origin} cannot be reached: ${
    describeCause(error)
  }`;
  return {
    findings: [{ check: `${check}.answer`, level, message, remedy }],
    answer: undefined,
    isRefused: [error, error instanceof AggregateError && error.errors[0]]
      .some((each) => errorCode(each) === "ECONNREFUSED"),
  };
}

/**
 * Makes the finding about an expected response.
 *
 * @param request The request.
 * @param response The response.
 * @returns The finding.
 */
export function responseFinding(
  { check, what, url }: WebRequest,
  { status }: HttpResponse,
): Finding {
  return ok(
    `${check}.answer`,
    `${what} at ${
      hideCredentials(url.href)
    } answers with HTTP status ${status}`,
  );
}
