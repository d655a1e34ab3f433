/** Times at which the state is stored: before frames that depend on it, else soon. */

import { textOf } from "./errors.js";
import type { ClientFrame } from "./frames.js";
import { madeUp } from "./ids.js";
import type { Exchange } from "./state/exchange.js";
import { MemoryStorage, type Kept, type Storage } from "./storage.js";

const SAVE_S = 0.2;
const AGAIN_S = 5;

/** Keeps a storage in step with the exchange. */
export class Saving {
  readonly #onFailure: (reason: string) => void;
  #storage: Storage;
  #device = "";
  #running: Promise<void> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failing = false;
  #closed = false;

  /** @param onFailure called with the reason when nothing can be kept any more. */
  constructor(storage: Storage, onFailure: (reason: string) => void) {
    this.#storage = storage;
    this.#onFailure = onFailure;
  }

  /** Reads the state of an earlier run; nothing if that is not possible. */
  async load(device = ""): Promise<Kept> {
    let kept: Kept;
    try {
      kept = await this.#storage.load();
    } catch (error) {
      this.#failed(error);
      this.#storage = new MemoryStorage();
      kept = await this.#storage.load();
    }
    this.#device = device || kept.device || madeUp();
    return { ...kept, device: this.#device };
  }

  /** Stores the state soon, after a change; at once if a message is new. */
  soon(exchange: Exchange): void {
    if (exchange.outbound.changed) void this.now(exchange);
    else if (!this.#closed) this.#timer ??= setTimeout(() => void this.now(exchange), SAVE_S * 1000);
  }

  /**
   * Stores the state before frames are written: a message keeps its id from then on, and
   * what is reported as delivered does not come again.
   */
  before(exchange: Exchange, frames: readonly ClientFrame[]): Promise<void> | undefined {
    const reports = frames.some(({ type }) => type === "delivered" || type === "read");
    const sends = frames.some((frame) => "client_id" in frame);
    return exchange.outbound.changed || (sends && this.#running) || reports
      ? this.now(exchange)
      : undefined;
  }

  /** Stores the state as it is now; the same promise serves all who wait meanwhile. */
  async now(exchange: Exchange): Promise<void> {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#all(exchange);
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Stores the state a last time. */
  async last(exchange: Exchange): Promise<void> {
    await this.now(exchange);
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#storage.close();
  }

  async #all(exchange: Exchange): Promise<void> {
    do {
      this.#again = false;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      exchange.outbound.changed = false;
      try {
        await this.#storage.save({ ...exchange.saved(), device: this.#device });
        this.#failing = false;
      } catch (error) {
        this.#failed(error);
        this.#timer = setTimeout(() => void this.now(exchange), AGAIN_S * 1000);
        return;
      }
    } while (this.#again);
  }

  #failed(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#onFailure(textOf(error));
  }
}
