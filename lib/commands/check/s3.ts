/**
 * The storage of uploaded files: whether the S3 bucket exists and the keys may use it, and whether
 * the settings for Azure Blob Storage are complete.
 *
 * @module
 */

import { showWrongValue } from "../../hidden.ts";
import type { HttpResponse } from "../../os/http.ts";
import { variableOf } from "../../mattermost/effective_value.ts";
import {
  effectiveFlag,
  effectiveText,
} from "../../startup/effective_config.ts";
import type { Plan } from "../../startup/plan.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import { signedHeaders } from "./s3_signature.ts";
import { sendRequest } from "./web.ts";

/** The server's own defaults. */
const DEFAULT_ENDPOINT = "s3.amazonaws.com";
const DEFAULT_REGION = "us-east-1";

interface Bucket {
  readonly name: string;
  readonly region: string;
  readonly url: URL;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** The other file drivers, in words. */
const OTHER_STORAGE: Readonly<Record<string, string>> = {
  local: "a directory",
  azureblob: "Azure Blob Storage, which app:check does not test",
};

/** The value of `FileSettings.AzureAuthMode` that needs an access key. It is the default. */
const SHARED_KEY = "shared_key";

/**
 * Checks the bucket.
 *
 * @param context The settings and the system.
 * @returns The findings.
 */
export async function checkS3(context: CheckContext): Promise<Finding[]> {
  const { plan, system } = context;
  const driver = effectiveText(plan, "FileSettings.DriverName") || "local";
  if (driver !== "amazons3") {
    const storage = OTHER_STORAGE[driver] ?? `the storage ${driver}`;
    return [
      ok(
        "s3",
        `S3 is not used: uploaded files are stored in ${storage} (MATTERMOST_FILE_DRIVER)`,
      ),
      ...(driver === "azureblob" ? missingAzureSettings(plan) : []),
    ];
  }
  const bucket = bucketOf(plan);
  if (bucket === undefined) {
    const endpoint = effectiveText(plan, "FileSettings.AmazonS3Endpoint");
    return [failed("s3.answer", {
      message: `S3_ENDPOINT must be a host name or host:port: it is ${
        showWrongValue(endpoint)
      }`,
      remedy: "S3_ENDPOINT=s3.example.com",
    })];
  }
  const isSigned = bucket.accessKey !== "" && bucket.secretKey !== "";
  const { findings, answer } = await sendRequest({
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
    remedy:
      "Check S3_ENDPOINT and S3_SSL, and allow connections from this host to the service",
    verify: !effectiveFlag(
      plan,
      "ServiceSettings.EnableInsecureOutgoingConnections",
    ),
  }, context);
  if (answer === undefined) return [...findings];
  return [...findings, judge(bucket, answer, isSigned)];
}

/** Reports what the server needs: https://docs.mattermost.com/administration-guide/configure/azure-blob-storage.html */
function missingAzureSettings(plan: Plan): Finding[] {
  const text = (key: string): string =>
    effectiveText(plan, `FileSettings.Azure${key}`);
  const needsKey = (text("AuthMode") || SHARED_KEY) === SHARED_KEY;
  return ["StorageAccount", "Container", ...(needsKey ? ["AccessKey"] : [])]
    .filter((key) => text(key) === "")
    .map((key) => {
      const path = `FileSettings.Azure${key}`;
      return warning("azure", {
        message: `Azure Blob Storage cannot be used without ${path}`,
        remedy: `Set ${variableOf(path)}`,
      });
    });
}

/**
 * Puts the bucket into the host name for Amazon, and into the path for all other services.
 *
 * The server's client, minio-go, decides by the endpoint in the same way:
 * <https://pkg.go.dev/github.com/minio/minio-go/v7#BucketLookupType>.
 */
function bucketOf(plan: Plan): Bucket | undefined {
  const text = (key: string): string =>
    effectiveText(plan, `FileSettings.AmazonS3${key}`);
  const name = text("Bucket");
  const endpoint = text("Endpoint") || DEFAULT_ENDPOINT;
  const scheme = text("SSL").toLowerCase() === "false" ? "http" : "https";
  const isAmazon = /(^|\.)amazonaws\.com(\.cn)?$/.test(endpoint);
  const url = isAmazon && !name.includes(".")
    ? `${scheme}://${name}.${endpoint}/`
    : `${scheme}://${endpoint}/${encodeURIComponent(name)}`;
  // A login or a path would become part of the request.
  if (!URL.canParse(url) || /[/@\s]/.test(endpoint)) return undefined;
  return {
    name,
    region: text("Region") || DEFAULT_REGION,
    url: new URL(url),
    accessKey: text("AccessKeyId"),
    secretKey: text("SecretAccessKey"),
  };
}

/** A name that may be shown, and pasted into a shell. */
const REGION_REGEXP = /^[\w-]{1,63}$/;

function judge(
  { name, region, url }: Bucket,
  { status, headers }: HttpResponse,
  isSigned: boolean,
): Finding {
  const stated = headers["x-amz-bucket-region"] ?? "";
  const actualRegion = REGION_REGEXP.test(stated) ? stated : undefined;
  if (status === 200) {
    return ok(
      "s3.bucket",
      `The bucket ${name} exists, and the server may use it`,
    );
  }
  if (actualRegion !== undefined && actualRegion !== region) {
    return failed("s3.bucket", {
      message:
        `The bucket ${name} is in the region ${actualRegion}, but S3_REGION is ${region}`,
      remedy: `S3_REGION=${actualRegion}`,
    });
  }
  if (status === 404) {
    return failed("s3.bucket", {
      message: `The bucket ${name} does not exist at ${url.host}`,
      remedy: "Create the bucket, or correct S3_BUCKET",
    });
  }
  if (status === 403 && !isSigned) {
    return warning("s3.bucket", {
      message:
        `The bucket ${name} refuses anonymous requests, and app:check does not use the IAM role that the server would use`,
      remedy:
        "Set S3_ACCESS_KEY and S3_SECRET_KEY if this host has no IAM role for the bucket",
    });
  }
  return failed("s3.bucket", {
    message: status === 403
      ? `The bucket ${name} refuses S3_ACCESS_KEY and S3_SECRET_KEY (HTTP status 403)`
      : `The S3 service answers the request for the bucket ${name} with HTTP status ${status}`,
    remedy:
      "Check S3_ACCESS_KEY, S3_SECRET_KEY, S3_REGION and the clock of this host; the policy of the keys must permit s3:ListBucket",
  });
}
