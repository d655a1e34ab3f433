/**
 * The queue of events for the program, bounded whatever the program does.
 *
 * A newer event replaces an older one of the same kind where only the newest matters,
 * and drops the oldest one otherwise.  Messages, which must not be lost, are not queued
 * while there is no room: the client asks for them later.
 */

import { removeExcess } from "./bounded.js";
import { isStored, type Event, type ReceiptReceived } from "./events.js";

// The types of which the last event counts, for a user and a conversation.
const LAST_COUNTS = /^(receipt|typing|readM|presence)/;

/** Events in their order. */
export class EventQueue {
  readonly #waiting = new Map<string | number, Event>();
  readonly #other = new Set<string | number>();
  readonly #limit: number;
  readonly #onPut: (event: Event) => void;
  #messages = 0;
  #made = 0;

  /**
   * @param messages most messages in the queue; as many other events fit.
   * @param onPut called with each event.
   */
  constructor(messages: number, onPut: (event: Event) => void = () => {}) {
    this.#limit = messages;
    this.#onPut = onPut;
  }

  /** The number of messages that still fit. */
  get room(): number {
    return this.#limit - this.#messages;
  }

  /** Queues an event; a receipt, mark, presence or typing replaces the one before it. */
  put(event: Event): void {
    this.#onPut(event);
    if (isStored(event)) {
      this.#messages += 1;
      this.#made += 1;
      this.#waiting.set(this.#made, event);
      return;
    }
    const key = this.#key(event);
    this.#waiting.set(key, event);
    this.#other.add(key);
    const oldest = removeExcess(this.#other, this.#limit);
    if (oldest !== undefined) this.#waiting.delete(oldest);
  }

  /** Removes and returns the oldest event. */
  take(): Event | undefined {
    for (const [key, event] of this.#waiting) {
      this.#waiting.delete(key);
      if (isStored(event)) this.#messages -= 1;
      else this.#other.delete(key);
      return event;
    }
    return undefined;
  }

  #key(event: Event): string | number {
    const { type, user, conversation } = event as Partial<ReceiptReceived>;
    if (LAST_COUNTS.test(event.type)) return `${type} ${user} ${conversation}`;
    this.#made += 1;
    return this.#made;
  }
}
