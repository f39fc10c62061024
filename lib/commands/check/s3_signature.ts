/**
 * The signature of a request to S3, version 4.
 *
 * Source: Amazon S3 API Reference, "Authenticating Requests: Using the
 * Authorization Header (AWS Signature Version 4)".
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";

/** What is signed: a request without a body. */
export interface SignedRequest {
  /** The method of HTTP. */
  readonly method: "GET" | "HEAD";
  /** The whole address, the query included. */
  readonly url: URL;
  /** The bucket's region. */
  readonly region: string;
  /** The key's id. */
  readonly accessKey: string;
  /** The key itself. */
  readonly secretKey: string;
  /** Now; a few minutes off are refused. */
  readonly time: Date;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const SERVICE = "s3";

/**
 * Signs a request.
 *
 * @param question What is signed.
 * @returns The headers to send with it.
 */
export function signedHeaders(
  { method, url, region, accessKey, secretKey, time }: SignedRequest,
): Readonly<Record<string, string>> {
  const stamp = time.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const date = stamp.slice(0, 8);
  const scope = `${date}/${region}/${SERVICE}/aws4_request`;
  const signed: readonly (readonly [string, string])[] = [
    ["host", url.host],
    ["x-amz-content-sha256", sha256("")],
    ["x-amz-date", stamp],
  ];
  const names = signed.map(([name]) => name).join(";");
  const request = [
    method,
    url.pathname,
    [...url.searchParams].map((pair) => pair.map(encodeURIComponent).join("="))
      .sort().join("&"),
    ...signed.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    sha256(""),
  ].join("\n");
  const text = [ALGORITHM, stamp, scope, sha256(request)].join("\n");
  const key = [date, region, SERVICE, "aws4_request"].reduce<string | Buffer>(
    (key, part) => hmac(key, part),
    `AWS4${secretKey}`,
  );
  const signature = hmac(key, text).toString("hex");
  return {
    ...Object.fromEntries(signed.slice(1)),
    authorization:
      `${ALGORITHM} Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function sha256(text: string): string {
  return hash("sha256", text, "hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
