/**
 * Progress in each conversation, reported to the server.
 *
 * Only the last number counts, so a report is one frame for any number of messages.  The
 * server does not answer it; after a lost connection, the client repeats the reports of
 * that connection.
 */

import type { Delivered, Head, ReadMark, Receipt } from "../frames.js";
import type { Id } from "../ids.js";
import { mergedReceipt, type ReceiptReceived } from "./events.js";

type What = "delivered" | "read";
type Mark = readonly [What, string];

const keyOf = (what: What, conversation: string) => `${what} ${conversation}`;

/** The delivered and read numbers, by conversation. */
export class CursorState {
  readonly #known = new Map<string, number>();
  readonly #untold = new Map<string, Mark>();
  readonly #told = new Map<string, Mark>();

  /** Starts from the number that an earlier run reached and most likely reported. */
  resume(conversation: string, seq: number): void {
    this.#known.set(keyOf("delivered", conversation), seq);
  }

  /**
   * The program has all messages up to this number, or the user has read them.
   *
   * @returns whether that is news.
   */
  raise(what: What, conversation: string, seq: number): boolean {
    const key = keyOf(what, conversation);
    if (seq <= (this.#known.get(key) ?? 0)) return false;
    this.#known.set(key, seq);
    this.#untold.set(key, [what, conversation]);
    return true;
  }

  /** Applies the numbers that the server has. */
  applyHead(head: Head): void {
    for (const what of ["delivered", "read"] as const) {
      const key = keyOf(what, head.conversation);
      const known = this.#known.get(key);
      if (head[what] >= (known ?? 0)) {
        this.#known.set(key, head[what]);
        this.#untold.delete(key);
      } else if (known !== undefined) {
        this.#untold.set(key, [what, head.conversation]);
      }
    }
  }

  /** Returns the frames to write now, up to a limit. */
  due(limit: number): (Delivered | ReadMark)[] {
    const frames: (Delivered | ReadMark)[] = [];
    for (const [key, mark] of this.#untold) {
      if (frames.length >= limit) break;
      this.#untold.delete(key);
      this.#told.set(key, mark);
      const [type, conversation] = mark;
      frames.push({ type, conversation, seq: this.#known.get(key) ?? 0 });
    }
    return frames;
  }

  /** Whether there is something to report. */
  get waiting(): boolean {
    return this.#untold.size > 0;
  }

  /** Repeats the reports of a lost connection, which may not have arrived. */
  lost(): void {
    for (const [key, mark] of this.#told) this.#untold.set(key, mark);
    this.#told.clear();
  }

  /** Forgets all numbers: the server has another history. */
  beginAnew(): void {
    this.#known.clear();
    this.#untold.clear();
    this.#told.clear();
  }
}

/** The last receipt of each user in each conversation. */
export class Receipts {
  readonly #put: (event: ReceiptReceived) => void;
  readonly #last = new Map<string, ReceiptReceived>();

  /** @param put called with each receipt that is news. */
  constructor(put: (event: ReceiptReceived) => void) {
    this.#put = put;
  }

  /** Forgets all receipts: the server has another history. */
  beginAnew(): void {
    this.#last.clear();
  }

  /** Processes a receipt; those of the own user are no news. */
  received(frame: Receipt, own: Id): void {
    const key = `${frame.user} ${frame.conversation}`;
    const known = this.#last.get(key);
    const receipt = mergedReceipt(frame, known);
    const same = receipt.read === known?.read && receipt.delivered === known.delivered;
    if (!same && frame.user !== own) {
      this.#last.set(key, receipt);
      this.#put(receipt);
    }
  }
}
