import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { run } from "../../tools/shared/process.ts";

const SCRIPT = join(
  import.meta.dirname ?? ".",
  "../../samples/nginx/make_certificates.sh",
);

async function certificateFor(
  directory: string,
  name: string,
): Promise<X509Certificate> {
  await run([SCRIPT, directory, name]);
  return new X509Certificate(
    await Deno.readTextFile(join(directory, "mattermost.crt")),
  );
}

for (
  const [name, entry] of [
    ["localhost", "DNS:localhost"],
    ["chat.example.com", "DNS:chat.example.com"],
    ["2024.example.com", "DNS:2024.example.com"],
    // Longer than a common name may be.
    [`${"a".repeat(63)}.example.com`, `DNS:${"a".repeat(63)}.example.com`],
    ["192.168.1.5", "IP Address:192.168.1.5"],
    ["[fd00::5]", "IP Address:fd00::5"],
  ] as const
) {
  Deno.test(`the nginx sample makes a certificate for ${name}`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      const made = await certificateFor(directory, name);
      assert.equal(made.subjectAltName, entry);
      assert.equal(made.ca, false);
      const { mode } = await Deno.stat(join(directory, "mattermost.key"));
      assert.equal((mode ?? 0) & 0o777, 0o600);
      const again = await certificateFor(directory, "other.example.com");
      assert.equal(again.fingerprint256, made.fingerprint256);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
