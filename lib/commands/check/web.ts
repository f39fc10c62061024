/**
 * Asks a web address as the server, or a browser, will.
 *
 * @module
 */

import type { HttpResponse } from "../../os/http.ts";
import { request } from "../../os/http.ts";
import { certificateFault, certificateFinding } from "./certificate.ts";
import type { CheckWorld, Finding, FindingLevel } from "./finding.ts";
import { failed, ok, reasonOf, warning } from "./finding.ts";

/** What to ask. */
export interface WebRequest {
  /** The first part of the findings' ids. */
  readonly check: string;
  /** What answers there, to start a sentence with. */
  readonly what: string;
  /** The whole address. */
  readonly url: URL;
  /** `GET` by default. */
  readonly method?: "GET" | "HEAD";
  /** Headers besides those of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How bad it is if nothing answers. */
  readonly unreachable: Exclude<FindingLevel, "ok">;
  /** What to do then. */
  readonly remedy: string;
  /** Whether certificates are checked; they are, by default. */
  readonly verify?: boolean;
}

/** What came of it. */
export interface WebResponse {
  /** About the connection and its certificate. */
  readonly findings: readonly Finding[];
  /** `undefined` where nothing answered. */
  readonly answer: HttpResponse | undefined;
}

/**
 * Asks a web address.
 *
 * @param question What to ask.
 * @param world Time, authorities and the end of it.
 * @returns The answer, and findings about the connection and its certificate.
 */
export async function requestWeb(
  question: WebRequest,
  world: CheckWorld,
): Promise<WebResponse> {
  const { check, what, url, verify = true } = question;
  try {
    const answer = await put(question, { world, verify });
    return { findings: expiryFindings(question, answer, world), answer };
  } catch (error) {
    const fault = certificateFault(error);
    if (fault === undefined) return unreachable(question, error);
    try {
      // The same again, to see what there is to see.
      const answer = await put(question, { world, verify: false });
      const expired = expiryFindings(question, answer, world)
        .filter(({ level }) => level === "failed");
      const refused = failed(`${check}.certificate`, {
        message: `${what}, ${url.origin}: its certificate ${fault}`,
        remedy: REMEDIES[fault] ?? question.remedy,
      });
      return { findings: expired.length > 0 ? expired : [refused], answer };
    } catch (again) {
      return unreachable(question, again);
    }
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  "is signed by nobody that the server trusts":
    "Put the authority's certificate as a .crt file into /etc/mattermost/ca.d (MATTERMOST_CA_DIR); if the chain is incomplete, let the server show its intermediate certificates too",
  "is for another name":
    "Use the name that the certificate has, or get a certificate for this one",
};

function put(
  { url, method, headers }: WebRequest,
  { world, verify }: { readonly world: CheckWorld; readonly verify: boolean },
): Promise<HttpResponse> {
  const ca = verify && url.protocol === "https:" ? world.trusted() : undefined;
  return request({
    url,
    signal: world.signal,
    verify,
    ...(method === undefined ? {} : { method }),
    ...(headers === undefined ? {} : { headers }),
    ...(ca === undefined ? {} : { ca }),
  });
}

function expiryFindings(
  { check, what, url }: WebRequest,
  { certificateExpires: expires }: HttpResponse,
  { system }: CheckWorld,
): Finding[] {
  return certificateFinding(`${check}.certificate`, {
    what: `${what}, ${url.origin}: its certificate`,
    expires,
    now: system.clock.now(),
  });
}

function unreachable(
  { check, what, url, remedy, ...question }: WebRequest,
  error: unknown,
): WebResponse {
  const finding = question.unreachable === "failed" ? failed : warning;
  const message = `${what}, ${url.origin}, cannot be reached: ${
    reasonOf(error)
  }`;
  return {
    findings: [finding(`${check}.answer`, { message, remedy })],
    answer: undefined,
  };
}

/**
 * A finding about an answer that is as it should be.
 *
 * @param question What was asked.
 * @param answer What came back.
 * @returns The finding.
 */
export function answered(
  { check, what, url }: WebRequest,
  { status }: HttpResponse,
): Finding {
  return ok(`${check}.answer`, `${what} answers at ${url.href} (${status})`);
}
