import assert from "node:assert/strict";
import { answerOf, S3, type S3Request, signatureOf } from "../../support/s3.ts";

const EMPTY =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Examples".
for (
  const [name, url, extra, expected] of [
    [
      "GET Object",
      "/test.txt",
      { range: "bytes=0-9" },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      "GET Bucket Lifecycle",
      "/?lifecycle",
      {},
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      "List Objects",
      "/?prefix=J&max-keys=2",
      {},
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ] as const
) {
  Deno.test(`the fake S3 computes the signature of Amazon's example ${name}`, () => {
    const headers = {
      host: "examplebucket.s3.amazonaws.com",
      "x-amz-content-sha256": EMPTY,
      "x-amz-date": "20130524T000000Z",
      ...extra,
    };
    const signature = signatureOf({ method: "GET", url, headers }, {
      signed: Object.keys(headers).sort(),
      region: "us-east-1",
      secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    });
    assert.equal(signature, expected);
  });
}

/** A request that is signed as it should be, but for what a case changes. */
function request(
  { url = `/${S3.bucket}`, region = S3.region, ...change }: {
    readonly method?: string;
    readonly url?: string;
    readonly region?: string;
    readonly accessKey?: string;
    readonly secretKey?: string;
    readonly time?: Date;
  } = {},
): S3Request {
  const { accessKey, secretKey } = { ...S3, ...change };
  const { method = "HEAD", time = new Date("2026-03-01T12:00:00Z") } = change;
  const headers = {
    host: "127.0.0.1:9000",
    "x-amz-content-sha256": EMPTY,
    "x-amz-date": "20260301T120000Z",
  };
  const signed = Object.keys(headers);
  const signature = signatureOf({ method, url, headers }, {
    signed,
    region,
    secretKey,
  });
  const credential = `${accessKey}/20260301/${region}/s3/aws4_request`;
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${
      signed.join(";")
    }, Signature=${signature}`;
  return { method, url, headers: { ...headers, authorization }, time };
}

const signed = request();
const CASES: Readonly<Record<string, readonly [S3Request, number, string?]>> = {
  "HEAD of the bucket": [signed, 200],
  "GET of the bucket": [request({ method: "GET" }), 200],
  "no signature": [{ ...signed, headers: {} }, 403, "AccessDenied"],
  "no signature and no bucket": [
    { ...signed, url: "/other", headers: {} },
    404,
    "NoSuchBucket",
  ],
  "another bucket": [request({ url: "/other" }), 404, "NoSuchBucket"],
  "an unknown key": [
    request({ accessKey: "OTHER" }),
    403,
    "InvalidAccessKeyId",
  ],
  "a wrong secret": [
    request({ secretKey: "other" }),
    403,
    "SignatureDoesNotMatch",
  ],
  "a signature of another method": [
    { ...signed, method: "GET" },
    403,
    "SignatureDoesNotMatch",
  ],
  "a request to another host": [
    {
      ...signed,
      headers: { ...signed.headers, host: "elsewhere" },
    },
    403,
    "SignatureDoesNotMatch",
  ],
  "another region": [
    request({ region: "eu-west-1" }),
    301,
    "PermanentRedirect",
  ],
  "an old request": [
    request({ time: new Date("2026-03-01T12:15:01Z") }),
    403,
    "RequestTimeTooSkewed",
  ],
  "another kind of authorization": [
    { ...signed, headers: { ...signed.headers, authorization: "Basic x" } },
    400,
    "AuthorizationHeaderMalformed",
  ],
  "what it does not do": [request({ method: "PUT" }), 501, "NotImplemented"],
};

for (const [name, [given, status, code]] of Object.entries(CASES)) {
  Deno.test(`the fake S3 answers ${name} with ${code ?? status}`, () => {
    assert.deepEqual(
      answerOf(given, S3),
      code === undefined ? { status } : { status, code },
    );
  });
}
