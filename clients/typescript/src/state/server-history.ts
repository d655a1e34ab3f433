/**
 * The history of the server: its name, and the checks that it has what the client has.
 *
 * A restored older copy of the server's store gives numbers a second time, and may still
 * have its name.  The client asks for its newest message to begin a connection, and for
 * the last one of a conversation in which something does not fit.  If the server has
 * another message there, or none, its history was rewound.
 */

import type { From, Ping, Sync } from "../frames.js";
import type { Position } from "./inflow.js";

/** The id of the query for the last message of this client. */
export const NEWEST = "n";

/** Returns the last message of a conversation; of an empty name, the newest of all. */
export type LastOf = (conversation: string) => readonly [string, Position] | undefined;

// A ping after so many seconds without a pong, while a newer witness is wanted.
const PING_S = 60;
// So many seconds after a message a witness is newer than the message.
const COVERED_S = 120;

/** The history of the server. */
export class ServerHistory {
  readonly #lastOf: LastOf;
  readonly #suspects = new Set<string>();
  #asked: readonly [string, Position] | undefined;
  #notBefore = 0;
  /** When the server last compared what it pushed with what it has, if it said so. */
  checkedAt: number | undefined;
  #heardAt: number | undefined;
  #pongedAt = 0;

  /**
   * @param epoch its name; empty if it is not known.
   * @param witness a text that proves to the server how far it was; it comes with a pong.
   */
  constructor(public epoch: string, public witness: string, lastOf: LastOf) {
    this.#lastOf = lastOf;
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
    this.#suspects.clear();
  }

  /** Begins a connection. */
  welcomed(now: number): void {
    this.#pongedAt = now;
    this.suspect("");
  }

  /** Forgets the check of a lost connection; the next one begins with another. */
  lost(): void {
    if (this.#asked) this.suspect(this.#asked[0]);
    this.#asked = undefined;
    this.#notBefore = 0;
  }

  /** Has the last message of a conversation checked; empty: the newest of all. */
  suspect(conversation: string): void {
    this.#suspects.add(conversation);
  }

  /** Returns the queries to send now; one check at a time. */
  due(now: number): (Sync | Ping)[] {
    const out: (Sync | Ping)[] = [];
    if (this.#pingAt !== undefined && this.#pingAt <= now) {
      this.#pongedAt = now;
      out.push({ type: "ping", nonce: "w" });
    }
    for (const suspect of this.#suspects) {
      if (this.#asked || this.#notBefore > now) break;
      this.#suspects.delete(suspect);
      this.#asked = this.#lastOf(suspect);
      if (this.#asked) {
        const [conversation, last] = this.#asked;
        out.push({ type: "sync", id: NEWEST, conversation, after: last.seq - 1, limit: 1 });
      }
    }
    return out;
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(now: number): number | undefined {
    if (this.#suspects.size && !this.#asked) return Math.max(now, this.#notBefore);
    return this.#pingAt;
  }

  /**
   * Processes a page.
   *
   * @returns whether it answers a check, and lacks the message.
   */
  isRewoundIn(page: From<"page">): boolean {
    const asked = this.#asked;
    if (page.id !== NEWEST || !asked) return false;
    this.#asked = undefined;
    const [conversation, last] = asked;
    if (page.conversation !== conversation) return false;
    const first = page.messages[0];
    if (first?.seq === last.seq) {
      return last.messageId !== "0" && last.messageId !== first.message_id;
    }
    return page.head < last.seq;
  }

  /**
   * Processes an error as the answer to a check.
   *
   * @param retryAt the time to ask again; `undefined`: never.
   */
  refused(retryAt: number | undefined): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked && retryAt !== undefined) {
      this.#notBefore = retryAt;
      this.suspect(asked[0]);
    }
  }

  get #pingAt(): number | undefined {
    return this.#heardAt === undefined ? undefined : this.#pongedAt + PING_S;
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
