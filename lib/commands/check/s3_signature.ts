/**
 * The signature of a request to S3: AWS Signature Version 4.
 *
 * Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";

/** A request without a body, and the keys to sign it with. */
export interface SignedRequest {
  /** The HTTP method. */
  readonly method: "GET" | "HEAD";
  /** The URL with its query. */
  readonly url: URL;
  /** The region of the bucket. */
  readonly region: string;
  /** The access key ID. */
  readonly accessKey: string;
  /** The secret access key. */
  readonly secretKey: string;
  /** The present time. Amazon refuses requests that differ by more than 15 minutes. */
  readonly time: Date;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const SERVICE = "s3";

/**
 * Signs a request.
 *
 * @param request The request and the keys.
 * @returns The headers to send with the request.
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
