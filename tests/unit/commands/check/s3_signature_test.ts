import assert from "node:assert/strict";
import { signedHeaders } from "../../../../lib/commands/check/s3_signature.ts";

Deno.test("signedHeaders() makes the signature of Amazon's example", () => {
  // Amazon S3 API Reference, "Signature Calculations for the Authorization Header", GET Bucket Lifecycle.
  const { authorization } = signedHeaders({
    method: "GET",
    url: new URL("https://examplebucket.s3.amazonaws.com/?lifecycle"),
    region: "us-east-1",
    accessKey: "AKIAIOSFODNN7EXAMPLE",
    secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    time: new Date("2013-05-24T00:00:00Z"),
  });
  assert.equal(
    authorization,
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
      "SignedHeaders=host;x-amz-content-sha256;x-amz-date, " +
      "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  );
});
