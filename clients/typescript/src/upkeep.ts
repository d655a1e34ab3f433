/**
 * The connection, opened again until the program closes the client or the server refuses
 * it.
 */

import { Connection, type ConnectionOptions } from "./connection.js";
import { NO_CLOSE, textOf, type WsmsgError } from "./errors.js";
import type { Ended } from "./state/reconnect.js";
import { Lost, tokenOf } from "./token-source.js";

/** What an {@link Upkeep} is made with. */
export interface UpkeepOptions extends Omit<ConnectionOptions, "token" | "onEnd" | "now"> {
  /** Called once when there will be no further connection, unless it was closed. */
  readonly onRefused: (error: WsmsgError) => void;
}

const now = (): number => performance.now() / 1000;

/** Opens a connection after each that was lost. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #next = "";
  #closed = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Starts to connect, and reconnects until the client is closed. */
  start(): void {
    void this.#connect(this.#options.reconnect.url);
  }

  /** Checks for frames to write, after the program changed something. */
  wake(): void {
    this.#connection?.wake();
  }

  /** Connects now instead of later, as the network is back. */
  hurry(): void {
    if (!this.#connection && this.#timer !== undefined && !this.#closed) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#connect(this.#next);
    }
  }

  /** Closes the connection and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#connection?.finish();
  }

  async #connect(url: string): Promise<void> {
    try {
      const token = await tokenOf(this.#options.tokenSource);
      if (this.#closed) return;
      this.#connection = new Connection(url, {
        ...this.#options, token, now, onEnd: (how) => this.#ended(how),
      });
    } catch (error) {
      const reason = textOf(error);
      this.#ended(error instanceof Lost ? error.how : { reason, closeCode: NO_CLOSE });
    }
  }

  #ended(how: Ended): void {
    this.#connection = undefined;
    const { exchange, reconnect, onChange, onRefused } = this.#options;
    exchange.lost();
    if (this.#closed) return;
    const after = reconnect.ended(how, now());
    if ("error" in after) {
      this.#closed = true;
      onRefused(after.error);
      return;
    }
    const { reason, delayS, url } = after;
    exchange.queue.put({ type: "reconnecting", reason, delayS });
    onChange();
    this.#next = url;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#connect(url);
    }, delayS * 1000);
  }
}
