/**
 * The packets of one connection to MySQL or MariaDB, in their order.
 *
 * @module
 */

import type { Socket } from "node:net";
import { Buffer } from "node:buffer";
import {
  columnName,
  Fields,
  hasMore,
  HEAD,
  isEnd,
  Mark,
  MYSQL_LANGUAGE,
  question,
  readError,
  readRow,
  type TextRow,
} from "./mysql_messages.ts";
import { garbled } from "./probe.ts";
import { lossOf, screenData, secureSocket, type TlsOptions } from "./socket.ts";

/** A connection as packets. What is asked has to be answered before the next question. */
export class Channel {
  #socket: Socket;
  #lost: Promise<never>;
  /** Whether TLS is to take it over, for which nobody may be reading from it. */
  #isToBeSecured: boolean;
  readonly #packets: { readonly number: number; readonly content: Buffer }[] =
    [];
  #wake: (() => void) | undefined;
  /** Each packet of a question and its answer has the next number, up to 255. */
  #number = 0;

  /**
   * Listens to a connection.
   *
   * @param socket The connection, before anybody listens to its data.
   * @param isToBeSecured Whether {@linkcode Channel.secure} follows upon the first packet.
   */
  constructor(socket: Socket, isToBeSecured = false) {
    this.#socket = socket;
    this.#isToBeSecured = isToBeSecured;
    this.#lost = lossOf(socket);
    screenData(socket, MYSQL_LANGUAGE);
    socket.on("data", this.#receive);
  }

  /** The connection; TLS puts another one in its place. */
  get socket(): Socket {
    return this.#socket;
  }

  /**
   * Encrypts the connection, where the server expects it.
   *
   * @param host The name or address that the certificate must have.
   * @param options What to prove.
   * @throws {ProbeError} With reason `tls`.
   */
  async secure(host: string, options: TlsOptions): Promise<void> {
    this.#socket.off("data", this.#receive);
    this.#isToBeSecured = false;
    const socket = await secureSocket(this.#socket, host, options);
    this.#socket = socket;
    this.#lost = lossOf(socket);
    screenData(socket, { ...MYSQL_LANGUAGE, isGreeting: () => true });
    socket.on("data", this.#receive);
  }

  /**
   * Sends the next packet.
   *
   * @param content Its content.
   */
  write(content: Buffer): void {
    const head = Buffer.alloc(HEAD);
    head.writeUIntLE(content.length, 0, 3);
    head[3] = this.#number++ & 0xff;
    this.#socket.write(Buffer.concat([head, content]));
  }

  /**
   * Waits for the next packet.
   *
   * @returns Its content.
   * @throws {Error} With an `errno`, where it tells an error; or why the connection is gone.
   * @throws {ProbeError} Where it is garbled.
   */
  async read(): Promise<Buffer> {
    let packet = this.#packets.shift();
    while (packet === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await Promise.race([promise, this.#lost]);
      packet = this.#packets.shift();
    }
    const { number, content } = packet;
    // A server that gives up says so at any time.
    if (content[0] === Mark.error) throw readError(content);
    if (number !== (this.#number++ & 0xff)) throw garbled();
    return content;
  }

  /**
   * Asks one message.
   *
   * @param text Statements.
   * @returns The rows of all of them.
   * @throws {Error} As {@linkcode Channel.read}.
   */
  async ask(text: string): Promise<readonly TextRow[]> {
    this.#number = 0;
    this.write(question(text));
    const rows: TextRow[] = [];
    for (let isMore = true; isMore;) {
      const head = await this.read();
      isMore = hasMore(
        head[0] === Mark.ok ? head : await this.#readTable(head, rows),
      );
    }
    return rows;
  }

  /** Reads what comes behind the number of columns, up to its last packet. */
  async #readTable(head: Buffer, rows: TextRow[]): Promise<Buffer> {
    const columns: string[] = [];
    for (let left = new Fields(head).count(); left !== 0; left--) {
      // Nothing is there to be counted where the server asks for a file of ours.
      if (left === undefined) throw garbled();
      columns.push(columnName(await this.read()));
    }
    if (!isEnd(await this.read())) throw garbled();
    let packet;
    while (!isEnd(packet = await this.read())) {
      rows.push(readRow(packet, columns));
    }
    return packet;
  }

  readonly #receive = (packets: Buffer): void => {
    if (this.#isToBeSecured) this.#socket.pause();
    let at = 0;
    while (at < packets.length) {
      const start = at + HEAD;
      const end = start + packets.readUIntLE(at, 3);
      this.#packets.push({
        number: packets[start - 1] ?? 0,
        content: packets.subarray(start, end),
      });
      at = end;
    }
    this.#wake?.();
  };
}
