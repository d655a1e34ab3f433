/**
 * Progress in each conversation, reported to the server.
 *
 * Only the last number counts, so a report is one frame for any number of messages.  The
 * server does not answer it; after a lost connection, the client repeats the reports of
 * that connection.
 *
 * The server asks the members of a large group to report at a pace (`ack_ms`): once in
 * each slot of that length, on the client's own clock.
 */

import type { Deliver, Delivered, Head, ReadMark, Receipt } from "../frames.js";
import type { Id } from "../ids.js";
import { mergedReceipt, type ReceiptReceived } from "./events.js";
import { Reports } from "./reports.js";

type What = "delivered" | "read";

const keyOf = (what: What, conversation: string) => `${what} ${conversation}`;

/** The delivered and read numbers, by conversation. */
export class CursorState extends Reports<Delivered | ReadMark> {
  readonly #known = new Map<string, number>();

  /** Starts from the number that an earlier run reached and most likely reported. */
  resume(conversation: string, seq: number): void {
    this.#known.set(keyOf("delivered", conversation), seq);
  }

  /** Holds back what is delivered until the end of a slot, if the message asks for it. */
  pace({ conversation, ack_ms }: Deliver, now: number): void {
    const slot = ack_ms / 1000;
    const key = keyOf("delivered", conversation);
    if (slot && !this.held.has(key)) this.held.set(key, now - (now % slot) + slot);
  }

  /**
   * The program has all messages up to this number, or the user has read them.
   *
   * @returns whether that is news.
   */
  raise(type: What, conversation: string, seq: number): boolean {
    const key = keyOf(type, conversation);
    const isNews = seq > (this.#known.get(key) ?? 0);
    if (isNews) {
      this.#known.set(key, seq);
      this.untold.set(key, { type, conversation, seq });
    }
    return isNews;
  }

  /** Applies the numbers that the server has. */
  applyHead(head: Head): void {
    const { conversation } = head;
    for (const type of ["delivered", "read"] as const) {
      const key = keyOf(type, conversation);
      const known = this.#known.get(key);
      if (head[type] >= (known ?? 0)) {
        this.#known.set(key, head[type]);
        this.untold.delete(key);
      } else if (known) {
        this.untold.set(key, { type, conversation, seq: known });
      }
    }
  }

  /** Forgets all numbers: the server has another history. */
  override beginAnew(): void {
    super.beginAnew();
    this.#known.clear();
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
