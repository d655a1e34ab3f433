/** What a client keeps across reloads, and where. */

import { NOTHING, type Saved } from "./state/saved.js";

/** What is kept: the state of the exchange, and the name of the device. */
export interface Kept extends Saved {
  readonly device: string;
}

/** A place for the state. */
export interface Storage {
  load(): Promise<Kept>;
  /** Stores all of it, or nothing. */
  save(kept: Kept): Promise<void>;
  close(): void;
}

/** What is kept before the first run. */
export const EMPTY: Kept = { ...NOTHING, device: "" };

/** A place that lasts as long as the page. */
export class MemoryStorage implements Storage {
  #kept = EMPTY;

  async load(): Promise<Kept> {
    return this.#kept;
  }

  async save(kept: Kept): Promise<void> {
    this.#kept = kept;
  }

  close(): void {}
}
