/**
 * The bucket of uploaded files: there, and ours to use.
 *
 * @module
 */

import type { HttpResponse } from "../../os/http.ts";
import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { Plan } from "../../startup/plan.ts";
import type { CheckWorld, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import { signedHeaders } from "./s3_signature.ts";
import { requestWeb } from "./web.ts";

/** What the server assumes where nothing is said. */
const DEFAULT_ENDPOINT = "s3.amazonaws.com";
const DEFAULT_REGION = "us-east-1";

interface Bucket {
  readonly name: string;
  readonly region: string;
  readonly url: URL;
  readonly accessKey: string;
  readonly secretKey: string;
}

/**
 * Checks the bucket.
 *
 * @param world The plan.
 * @returns The findings.
 */
export async function checkS3(world: CheckWorld): Promise<Finding[]> {
  const { plan, system } = world;
  if (effectiveText(plan, "FileSettings.DriverName") !== "amazons3") {
    return [ok("s3", "Not used: uploaded files are kept in a directory")];
  }
  const bucket = bucketOf(plan);
  const isSigned = bucket.accessKey !== "" && bucket.secretKey !== "";
  const { findings, answer } = await requestWeb({
    check: "s3",
    what: "The S3 service",
    url: bucket.url,
    method: "HEAD",
    headers: isSigned
      ? signedHeaders({
        ...bucket,
        method: "HEAD",
        time: new Date(system.clock.now()),
      })
      : {},
    unreachable: "failed",
    remedy: "Check S3_ENDPOINT and S3_SSL, and that this machine may reach it",
    verify: !effectiveFlag(
      plan,
      "ServiceSettings.EnableInsecureOutgoingConnections",
    ),
  }, world);
  if (answer === undefined) return [...findings];
  return [...findings, judge(bucket, answer, isSigned)];
}

/** Amazon wants the bucket in the host's name, all others take it in the path: what the server does too. */
function bucketOf(plan: Plan): Bucket {
  const text = (key: string): string =>
    effectiveText(plan, `FileSettings.AmazonS3${key}`);
  const name = text("Bucket");
  const endpoint = text("Endpoint") || DEFAULT_ENDPOINT;
  const scheme = text("SSL").toLowerCase() === "false" ? "http" : "https";
  const isAmazon = /(^|\.)amazonaws\.com(\.cn)?$/.test(endpoint);
  const url = isAmazon && !name.includes(".")
    ? `${scheme}://${name}.${endpoint}/`
    : `${scheme}://${endpoint}/${encodeURIComponent(name)}`;
  return {
    name,
    region: text("Region") || DEFAULT_REGION,
    url: new URL(url),
    accessKey: text("AccessKeyId"),
    secretKey: text("SecretAccessKey"),
  };
}

function judge(
  { name, region, url }: Bucket,
  { status, headers }: HttpResponse,
  isSigned: boolean,
): Finding {
  const theirs = headers["x-amz-bucket-region"];
  if (status === 200) {
    return ok("s3.bucket", `The bucket ${name} is there and open to us`);
  }
  if (theirs !== undefined && theirs !== region) {
    return failed("s3.bucket", {
      message:
        `The bucket ${name} is in the region ${theirs}, not in ${region}`,
      remedy: `S3_REGION=${theirs}`,
    });
  }
  if (status === 404) {
    return failed("s3.bucket", {
      message: `There is no bucket ${name} at ${url.host}`,
      remedy: "Create it, or correct S3_BUCKET",
    });
  }
  if (status === 403 && !isSigned) {
    return warning("s3.bucket", {
      message:
        `The bucket ${name} is closed to strangers; the machine's role, which the server will use, is not tried`,
      remedy: "Set S3_ACCESS_KEY and S3_SECRET_KEY where there is no such role",
    });
  }
  return failed("s3.bucket", {
    message: status === 403
      ? `The keys do not open the bucket ${name} (403)`
      : `The S3 service answers ${status} for the bucket ${name}`,
    remedy:
      "Check S3_ACCESS_KEY, S3_SECRET_KEY and S3_REGION, and that the keys' policy permits s3:ListBucket; a clock that is wrong is refused too",
  });
}
