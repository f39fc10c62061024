/**
 * The login to MySQL or MariaDB by the authentication plugins that Mattermost's own driver has too.
 *
 * @see "MySQL Internals, Authentication Method"
 * @module
 */

import type { DataSource } from "./source.ts";
import { Buffer } from "node:buffer";
import {
  constants,
  createPublicKey,
  hash,
  type KeyObject,
  publicEncrypt,
} from "node:crypto";
import { cleanDetail } from "./classify.ts";
import type { Channel } from "./mysql_channel.ts";
import {
  Fields,
  loginRequest,
  Mark,
  offersTls,
  readGreeting,
  tlsRequest,
} from "./mysql_messages.ts";
import { garbled, ProbeError } from "./probe.ts";
import type { TlsOptions } from "./socket.ts";

/** What an answer depends on besides the password. */
interface Circumstances {
  /** What the server has put in, so that no answer can be used twice. */
  readonly salt: Buffer;
  /** Whether the connection is encrypted. */
  readonly isEncrypted: boolean;
  /** Whether it is a unix socket; only the younger of two plugins takes that for private. */
  readonly isLocal: boolean;
}

/** An authentication plugin. */
interface Plugin {
  /** What it says first: the password, so that only who knows it can tell. */
  readonly answer: (password: string, circumstances: Circumstances) => Buffer;
  /** Whether the server may want the password itself, which then is encrypted in some way. */
  readonly revealing: boolean;
}

/** What the server says behind {@linkcode Mark.more}: it knows the password already, or wants it itself. */
const [KNOWN, WANTED] = [3, 4];
/** What `sha256_password` and `caching_sha2_password` say for the server's public key. */
const [KEY_OF_SHA256, KEY_OF_CACHING] = [Buffer.of(1), Buffer.of(2)];

const PLUGINS: Readonly<Record<string, Plugin>> = {
  mysql_native_password: { answer: nativeAnswer, revealing: false },
  caching_sha2_password: { answer: cachingAnswer, revealing: true },
  sha256_password: {
    answer: (password, { isEncrypted }) =>
      password === "" || isEncrypted ? zeroEnded(password) : KEY_OF_SHA256,
    revealing: true,
  },
};
/** Those that a login can begin with; the server switches to the one that the account has. */
const FIRST_PLUGINS: readonly string[] = [
  "caching_sha2_password",
  "mysql_native_password",
];

/**
 * Logs in.
 *
 * @param channel The connection, before anything was read from it.
 * @param source The database and the login.
 * @param tls What TLS has to prove; `undefined` for none.
 * @throws {ProbeError} Where the server has no TLS, or no plugin that is known here for the account.
 * @throws {Error} As {@linkcode Channel.read}.
 */
export async function logIn(
  channel: Channel,
  source: DataSource,
  tls: TlsOptions | undefined,
): Promise<void> {
  const { user, password, database, host } = source;
  const greeting = readGreeting(await channel.read());
  if (tls !== undefined) {
    if (!offersTls(greeting)) {
      throw new ProbeError("tls", "The server does not offer TLS");
    }
    channel.write(tlsRequest(greeting));
    await channel.secure(host, tls);
  }
  const first = FIRST_PLUGINS.includes(greeting.plugin)
    ? greeting.plugin
    : "mysql_native_password";
  let plugin = pluginOf(first, source);
  let circumstances: Circumstances = {
    salt: greeting.salt,
    isEncrypted: tls !== undefined,
    isLocal: source.socket !== undefined,
  };
  channel.write(loginRequest(greeting, {
    encrypted: tls !== undefined,
    user,
    database,
    plugin: first,
    answer: plugin.answer(password, circumstances),
  }));
  for (;;) {
    const packet = await channel.read();
    const fields = new Fields(packet);
    switch (fields.number(1)) {
      case Mark.ok:
        return;
      case Mark.end:
        // Alone it asks for the plugin of servers before 4.1.
        plugin = pluginOf(
          packet.length === 1 ? "mysql_old_password" : fields.name(),
          source,
        );
        circumstances = {
          ...circumstances,
          salt: fields.rest().subarray(0, circumstances.salt.length),
        };
        channel.write(plugin.answer(password, circumstances));
        break;
      case Mark.more: {
        if (!plugin.revealing) throw garbled();
        const more = fields.rest();
        if (more[0] !== KNOWN) {
          channel.write(reveal(password, more, circumstances));
        }
        break;
      }
      default:
        throw garbled();
    }
  }
}

function pluginOf(name: string, source: DataSource): Plugin {
  const plugin = Object.hasOwn(PLUGINS, name) ? PLUGINS[name] : undefined;
  if (plugin !== undefined) return plugin;
  throw new ProbeError(
    "credentials",
    `The account uses the authentication plugin ${
      cleanDetail(name, source)
    }, which only special clients have: for Mattermost it must use ${
      FIRST_PLUGINS.join(" or ")
    }`,
  );
}

/** The password itself, for the eyes of the server only. */
function reveal(
  password: string,
  more: Buffer,
  { salt, isEncrypted, isLocal }: Circumstances,
): Buffer {
  if (more.length === 1 && more[0] === WANTED) {
    return isEncrypted || isLocal ? zeroEnded(password) : KEY_OF_CACHING;
  }
  return encrypted(zeroEnded(password), salt, more.toString());
}

/** Bytes that the padding takes: twice a SHA-1, and two. */
const PADDING = 42;

function encrypted(password: Buffer, salt: Buffer, pem: string): Buffer {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw garbled();
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (password.length > bits / 8 - PADDING) {
    throw new ProbeError(
      "credentials",
      `The password is too long for a login without TLS, at most ${
        bits / 8 - PADDING - 1
      } bytes: set DB_SSL_MODE=require`,
    );
  }
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt({ key, padding }, mixed(password, salt));
}

/** SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))) */
function nativeAnswer(password: string, { salt }: Circumstances): Buffer {
  if (password === "") return Buffer.alloc(0);
  const once = digest("sha1", Buffer.from(password));
  return mixed(once, digest("sha1", salt, digest("sha1", once)));
}

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)) + salt) */
function cachingAnswer(password: string, { salt }: Circumstances): Buffer {
  if (password === "") return Buffer.alloc(0);
  const once = digest("sha256", Buffer.from(password));
  return mixed(once, digest("sha256", digest("sha256", once), salt));
}

function digest(
  name: "sha1" | "sha256",
  ...parts: readonly Buffer[]
): Buffer {
  return hash(name, Buffer.concat(parts), "buffer");
}

/** Each byte XOR one of the key, which begins again where it ends. */
function mixed(bytes: Buffer, key: Buffer): Buffer {
  return Buffer.from(
    bytes.map((byte, index) => byte ^ (key[index % key.length] ?? 0)),
  );
}

function zeroEnded(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}
