/**
 * The history of the server: its name, and the checks that it has what the client has.
 *
 * A restored older copy of the server's store gives numbers a second time, and may still
 * have its name.  The client asks for its newest message to begin a connection, and for
 * the last one of a conversation in which something does not fit.  If the server has
 * another message there, or none, its history was rewound.
 *
 * A check asks for the message that was the last one when something did not fit, however
 * late it is asked or repeated: what follows has the numbers of the newer history, and
 * would agree with it.
 */

import type { From, Ping, Sync } from "../frames.js";
import type { Inbound, Place } from "./inbound.js";
import { isOther } from "./inflow.js";

/** The id of the query for the last message of this client. */
export const NEWEST = "n";

// A ping after so many seconds without a pong, while a newer witness is wanted.
const PING_S = 60;
// So many seconds after a message a witness is newer than the message.
const COVERED_S = 120;

/** The history of the server. */
export class ServerHistory {
  readonly #inbound: Inbound;
  #asked: Place | undefined;
  #notBefore = 0;
  /** When the server last compared what it pushed with what it has, if it said so. */
  checkedAt: number | undefined;
  #heardAt: number | undefined;
  #pongedAt = 0;

  /**
   * @param epoch its name; empty if it is not known.
   * @param witness a text that proves to the server how far it was; it comes with a pong.
   */
  constructor(public epoch: string, public witness: string, inbound: Inbound) {
    this.#inbound = inbound;
  }

  /** Takes the epoch of a frame; empty: the frame has none. */
  note(epoch: string): void {
    this.epoch = epoch || this.epoch;
  }

  /** Whether a frame is of another history. */
  isReplaced(epoch: string): boolean {
    return epoch !== "" && this.epoch !== "" && epoch !== this.epoch;
  }

  /** Forgets what belongs to an earlier history. */
  beginAnew(epoch: string): void {
    this.note(epoch);
    this.#asked = undefined;
    this.witness = "";
  }

  /** Begins a connection. */
  welcomed(now: number): void {
    this.#pongedAt = now;
    this.#inbound.suspectNewest();
  }

  /** Repeats the check of a lost connection on the next one. */
  lost(): void {
    this.#askAgain();
    this.#notBefore = 0;
  }

  #askAgain(): void {
    if (this.#asked) this.#inbound.suspect(this.#asked);
    this.#asked = undefined;
  }

  /** Returns the queries to send now; one check at a time. */
  due(now: number): (Sync | Ping)[] {
    const out: (Sync | Ping)[] = [];
    if (this.#pingAt <= now) {
      this.#pongedAt = now;
      out.push({ type: "ping", nonce: "w" });
    }
    if (this.#asked || this.#notBefore > now) return out;
    this.#asked = this.#inbound.suspects.shift();
    if (this.#asked) {
      const { name: conversation, last } = this.#asked;
      out.push({ type: "sync", id: NEWEST, conversation, after: last.seq - 1, limit: 1 });
    }
    return out;
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(now: number): number {
    if (this.#inbound.suspects.length && !this.#asked) return Math.max(now, this.#notBefore);
    return this.#pingAt;
  }

  /**
   * Processes a page.
   *
   * @returns whether it answers a check or a sync, and lacks the message that the client
   *   has.
   */
  isRewoundIn(page: From<"page">): boolean {
    const asked = this.#asked;
    if (page.id !== NEWEST || !asked) return this.#inbound.isRewoundIn(page);
    this.#asked = undefined;
    const { name, last } = asked;
    if (page.conversation === name && isOther(page, last.seq, last)) return true;
    this.#inbound.trust(asked);
    return false;
  }

  /**
   * Processes an error as the answer to a check.
   *
   * @param retryAt the time to ask again; `undefined`: never.
   */
  refused(retryAt: number | undefined): void {
    if (retryAt !== undefined) {
      this.#notBefore = retryAt;
      this.#askAgain();
    } else if (this.#asked) {
      this.#inbound.trust(this.#asked);
      this.#asked = undefined;
    }
  }

  get #pingAt(): number {
    return this.#heardAt === undefined ? Infinity : this.#pongedAt + PING_S;
  }

  /** Notes that a message arrived, of which the witness knows nothing. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Takes what a pong says. */
  ponged(pong: From<"pong">, now: number): void {
    this.#pongedAt = now;
    this.checkedAt = pong.checked_ms ? now - pong.checked_ms / 1000 : undefined;
    if (pong.witness && (this.#heardAt !== undefined || !this.witness)) {
      this.witness = pong.witness;
    }
    if (this.#heardAt !== undefined && now >= this.#heardAt + COVERED_S) {
      this.#heardAt = undefined;
    }
  }
}
