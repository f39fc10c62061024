/**
 * A fake S3 service with one bucket. It verifies signatures with Amazon's published algorithm,
 * without code of the program, and refuses requests as S3 does.
 *
 * It supports path-style addresses (`/bucket`), and HEAD and GET of the bucket. It stores no
 * objects.
 *
 * Sources: "Signature Calculations for the Authorization Header" and "Error Responses"
 * of the Amazon S3 API Reference,
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 *
 * @module
 */

import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { type Service, startWeb } from "./services.ts";

/** The largest difference between the clocks, in milliseconds; Amazon's is 15 minutes. */
const CLOCK_TOLERANCE = 15 * 60 * 1000;

const AUTHORIZATION_REGEXP =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$/;

/** The bucket, and the only key that has access to it. */
export interface S3Options {
  readonly bucket: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A received request. */
export interface S3Request {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** When it was received. */
  readonly time: Date;
}

/** An answer: its status, and the error code of a refusal. */
export interface S3Answer {
  readonly status: number;
  readonly code?: string;
}

/** The default options. */
export const S3: S3Options = {
  bucket: "mattermost",
  region: "us-east-1",
  accessKey: "FAKES3ACCESSKEY",
  secretKey: "fake-s3-secret/key+1",
};

/** Starts the fake S3 service over plain HTTP. */
export async function startS3(options: S3Options = S3): Promise<Service> {
  return await startWeb(({ method = "", url = "", headers }, response) => {
    const answer = answerOf(
      { method, url, headers, time: new Date() },
      options,
    );
    const body = answer.code === undefined
      ? listing(options.bucket)
      : `<Error><Code>${answer.code}</Code></Error>`;
    response.writeHead(answer.status, {
      "content-type": "application/xml",
      ...hasRegion(answer) ? { "x-amz-bucket-region": options.region } : {},
    });
    response.end(method === "HEAD" ? undefined : body);
  });
}

/**
 * Decides on a request in the order of S3: it checks the signature, then whether the bucket
 * exists, and then whether the bucket is in the region of the signature.
 */
export function answerOf(request: S3Request, options: S3Options): S3Answer {
  const { method, headers, time } = request;
  if (method !== "HEAD" && method !== "GET") return refuse("NotImplemented");
  const bucketExists = bucketOf(request.url) === options.bucket;
  if (headers.authorization === undefined) {
    return refuse(bucketExists ? "AccessDenied" : "NoSuchBucket");
  }
  const [, accessKey, date = "", region = "", names = "", signature] =
    AUTHORIZATION_REGEXP.exec(headers.authorization) ?? [];
  const stamp = header(headers, "x-amz-date");
  if (signature === undefined || !stamp.startsWith(date)) {
    return refuse("AuthorizationHeaderMalformed");
  }
  if (accessKey !== options.accessKey) return refuse("InvalidAccessKeyId");
  const distance = Math.abs(time.getTime() - timeOf(stamp));
  if (!(distance <= CLOCK_TOLERANCE)) return refuse("RequestTimeTooSkewed");
  const signed = names.split(";");
  const expected = signatureOf(request, {
    signed,
    region,
    secretKey: options.secretKey,
  });
  if (!signed.includes("host") || signature !== expected) {
    return refuse("SignatureDoesNotMatch");
  }
  if (!bucketExists) return refuse("NoSuchBucket");
  return region === options.region
    ? { status: 200 }
    : refuse("PermanentRedirect");
}

/**
 * Computes the expected signature of a request from its headers: the last three of the four
 * steps in Amazon's description.
 */
export function signatureOf(
  { method, url, headers }: Omit<S3Request, "time">,
  { signed, region, secretKey }: {
    readonly signed: readonly string[];
    readonly region: string;
    readonly secretKey: string;
  },
): string {
  const [path = "", query = ""] = url.split("?");
  const canonical = [
    method,
    path,
    canonicalQuery(query),
    ...signed.map((name) => `${name}:${header(headers, name)}`),
    "",
    signed.join(";"),
    header(headers, "x-amz-content-sha256"),
  ].join("\n");
  const stamp = header(headers, "x-amz-date");
  const date = stamp.slice(0, 8);
  const toSign = [
    "AWS4-HMAC-SHA256",
    stamp,
    `${date}/${region}/s3/aws4_request`,
    createHash("sha256").update(canonical).digest("hex"),
  ].join("\n");
  let key: Uint8Array = new TextEncoder().encode(`AWS4${secretKey}`);
  for (const part of [date, region, "s3", "aws4_request"]) {
    key = createHmac("sha256", key).update(part).digest();
  }
  return createHmac("sha256", key).update(toSign).digest("hex");
}

/** The parameters sorted by name; a missing value becomes an empty one. */
function canonicalQuery(query: string): string {
  return query.split("&").filter((pair) => pair !== "")
    .map((pair) => pair.includes("=") ? pair : `${pair}=`)
    .sort().join("&");
}

/** HTTP statuses, from "List of error codes". */
const STATUSES = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  InvalidAccessKeyId: 403,
  NoSuchBucket: 404,
  NotImplemented: 501,
  PermanentRedirect: 301,
  RequestTimeTooSkewed: 403,
  SignatureDoesNotMatch: 403,
} as const;

function refuse(code: keyof typeof STATUSES): S3Answer {
  return { status: STATUSES[code], code };
}

/** S3 also sends the region with these refusals. */
function hasRegion({ code }: S3Answer): boolean {
  return code === undefined || code === "AccessDenied" ||
    code === "PermanentRedirect";
}

function bucketOf(url: string): string {
  const [, bucket = ""] = url.split(/[/?]/);
  return decodeURIComponent(bucket);
}

function timeOf(stamp: string): number {
  return Date.parse(
    stamp.replace(
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
      "$1-$2-$3T$4:$5:$6Z",
    ),
  );
}

function header(headers: Readonly<IncomingHttpHeaders>, name: string): string {
  return String(headers[name] ?? "").trim().replace(/ +/g, " ");
}

function listing(bucket: string): string {
  return `<ListBucketResult><Name>${bucket}</Name><KeyCount>0</KeyCount></ListBucketResult>`;
}
