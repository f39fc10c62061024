/**
 * What the drivers use of node's sockets, without the streams below those: they are
 * made for much more than a login, and their first use takes two milliseconds.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Connection } from "../system.ts";

/**
 * A plain connection with the events `data`, `end`, `error` and `close`, and with the
 * methods of a socket of node's that a conversation needs. It reads as soon as
 * somebody listens to `data`, and it cannot be half open.
 */
export class LightSocket extends EventEmitter {
  /** Whether it is over. */
  destroyed = false;
  /** Why it is over, if that was an error. */
  errored: Error | null = null;
  readonly #connection: Connection;
  #isRead = false;
  /** Ends when all that was written is on its way. */
  #written: Promise<void> = Promise.resolve();

  /**
   * Takes a connection over.
   *
   * @param connection Nobody else uses it.
   */
  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  /** As the PostgreSQL driver asks for it. */
  get readyState(): "open" | "closed" {
    return this.destroyed ? "closed" : "open";
  }

  /**
   * Listens.
   *
   * @param event The name of the event; with `data` it begins to read.
   * @param listener Who is called.
   * @returns The socket.
   */
  override on(
    event: string,
    // deno-lint-ignore no-explicit-any -- As EventEmitter has it.
    listener: (...values: any[]) => void,
  ): this {
    super.on(event, listener);
    if (event === "data" && !this.#isRead) {
      this.#isRead = true;
      this.#read();
    }
    return this;
  }

  /**
   * Sends, behind all that was sent before.
   *
   * @param data Bytes, or a text.
   * @param done Called when they are on their way, or cannot be.
   * @returns Always `true`: nobody has to wait.
   */
  write(data: Uint8Array | string, done?: () => void): true {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    this.#written = this.#written
      .then(() => this.destroyed ? undefined : this.#connection.write(bytes))
      .catch((error) => this.destroy(error))
      .then(() => done?.());
    return true;
  }

  /**
   * Says a last word.
   *
   * @param data Bytes, or a text.
   */
  end(data: Uint8Array | string): void {
    this.write(data, () => this.destroy());
  }

  /**
   * Ends the connection, once; the events follow.
   *
   * @param error Why.
   */
  destroy(error?: Error): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.errored = error ?? null;
    this.#connection.close();
    queueMicrotask(() => {
      if (error !== undefined) this.emit("error", error);
      this.emit("close", error !== undefined);
    });
  }

  async #read(): Promise<void> {
    try {
      for (let bytes; (bytes = await this.#connection.read()) !== undefined;) {
        this.emit(
          "data",
          Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        );
        if (this.destroyed) return;
      }
      this.emit("end");
      this.destroy();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
