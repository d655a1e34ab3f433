/**
 * Sends: their order, the window, and repeats.
 *
 * Each message has a local number, from 0 up in the order of `send`.  Messages that are
 * not in flight wait by number, so a message that returns - after a lost connection, or
 * because the server was busy - precedes all newer ones.  After the server has rejected
 * a send temporarily, the client sends nothing until all sends in flight are answered and
 * the time of the hint is over.
 *
 *     waiting --due--> in flight --accepted, rejected--> settled
 *        ^                 |
 *        `- lost, rejected with a hint
 */

import { fromCode, WsmsgError } from "../errors.js";
import type { From, Limits, Submission } from "../frames.js";
import { bytesOf } from "../ids.js";
import type { SendAccepted } from "./events.js";

/** Called once for each send, with its client id and the result. */
export type Settled = (clientId: string, outcome: SendAccepted | WsmsgError) => void;

const RECENT = 1000;
const RECENT_LENGTH = 4 * 2 ** 20;
const NO_HINT_S = 1;

interface Outgoing {
  readonly number: number;
  readonly frame: Submission;
  /** It was in flight once. */
  tried: boolean;
  /** It may have been accepted. */
  uncertain: boolean;
}

/** The sends, group changes and recalls that are not settled. */
export class Outbound {
  readonly #limit: number;
  readonly #onSettled: Settled;
  readonly #byId = new Map<string, Outgoing>();
  /** In the order of numbers. */
  readonly #waiting: Outgoing[] = [];
  #inFlight = new Map<string, Outgoing>();
  #made = 0;
  #window = 1;
  #contentBytes = 0;
  #notBefore = 0;
  #turnedAway = false;
  #pace = new Pace(0, 0);
  readonly #recent = new RecentlyAccepted();
  readonly #again = new Set<string>();
  /** The stored outbox lacks something. */
  changed = false;

  /** @param limit most of them; a further one is refused. */
  constructor(limit: number, onSettled: Settled) {
    this.#limit = limit;
    this.#onSettled = onSettled;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Returns everything that is not settled, in order. */
  unsettled(): Submission[] {
    const all = [...this.#byId.values()];
    return all.sort((a, b) => a.number - b.number).map((outgoing) => outgoing.frame);
  }

  /**
   * Adds a message to send in its turn; a repeat with the same id and body adds nothing.
   *
   * @param uncertain an earlier run may have sent it.
   * @throws WsmsgError - `conflict`: another message with this id is not settled yet;
   *   `too_large`; `overloaded`: too many messages are not settled.
   */
  add(frame: Submission, uncertain = false): void {
    const known = this.#byId.get(frame.client_id);
    if (known) {
      if (JSON.stringify(known.frame) !== JSON.stringify(frame)) {
        const reason = `${frame.client_id} is the id of another message`;
        throw new WsmsgError("conflict", reason);
      }
      this.#again.delete(frame.client_id);
      return;
    }
    const tooLarge = this.#tooLarge(frame);
    if (tooLarge) throw tooLarge;
    if (this.#byId.size >= this.#limit) {
      throw new WsmsgError("overloaded", `${this.#limit} messages wait to be sent`);
    }
    this.#begin({ number: this.#made, frame, tried: uncertain, uncertain });
    this.#made += 1;
    this.changed = true;
  }

  /**
   * Sends the messages again that were accepted not long ago, before all others: the
   * server has another history, which may lack them.
   */
  sendAgain(): void {
    const frames = this.#recent.frames().filter((f) => !this.#byId.has(f.client_id));
    let number = this.#made;
    for (const outgoing of this.#byId.values()) number = Math.min(number, outgoing.number);
    number -= frames.length;
    for (const frame of frames) {
      this.#again.add(frame.client_id);
      this.#begin({ number, frame, tried: false, uncertain: true });
      number += 1;
    }
  }

  /**
   * Removes a message.
   *
   * @returns `false` if it was in flight once, so that the server may have it.
   */
  withdraw(clientId: string): boolean {
    const outgoing = this.#byId.get(clientId);
    if (!outgoing || outgoing.tried) return false;
    this.#remove(outgoing);
    return true;
  }

  /**
   * Starts to send on a new connection with these limits.  Messages that exceed them,
   * queued before the limits were known, are refused.
   */
  welcomed(limits: Limits, now: number): void {
    this.#window = Math.max(1, limits.window);
    this.#contentBytes = limits.content_bytes;
    this.#notBefore = 0;
    this.#turnedAway = false;
    this.#pace = new Pace(limits.sends_per_s, now);
    for (const outgoing of [...this.#waiting]) {
      const tooLarge = this.#tooLarge(outgoing.frame);
      if (tooLarge) {
        this.#remove(outgoing);
        this.#onSettled(outgoing.frame.client_id, tooLarge);
      }
    }
  }

  /** Returns the sends in flight on a lost connection to the queue. */
  lost(): void {
    const inFlight = this.#inFlight;
    this.#inFlight = new Map();
    for (const outgoing of inFlight.values()) {
      outgoing.uncertain = true;
      this.#wait(outgoing);
    }
  }

  /** Returns the frames to write now; they are in flight from then on. */
  due(now: number): Submission[] {
    const frames: Submission[] = [];
    while (
      this.#waiting.length && this.#hasRoom() &&
      now >= this.#notBefore && now >= this.#pace.readyAt(now)
    ) {
      const outgoing = this.#waiting.shift();
      if (!outgoing) break;
      this.#inFlight.set(outgoing.frame.client_id, outgoing);
      this.#pace.spend();
      outgoing.tried = true;
      frames.push(outgoing.uncertain ? { ...outgoing.frame, repeat: true } : outgoing.frame);
    }
    return frames;
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(now: number): number {
    if (!this.#waiting.length || !this.#hasRoom()) return Infinity;
    return Math.max(this.#notBefore, this.#pace.readyAt(now));
  }

  /** Settles a send that the server accepted. */
  accepted({ client_id: clientId, time: timeMs, conversation }: From<"accepted">): void {
    const known = this.#byId.get(clientId);
    if (known) this.#recent.add(known.frame);
    if (this.#settle(clientId)) {
      this.#onSettled(clientId, { clientId, timeMs, conversation });
    }
  }

  /** Settles a rejected send, or queues it again if the rejection is temporary. */
  rejected(frame: Omit<From<"rejected">, "type">, now: number): void {
    const error = fromCode(frame.code, frame.reason, frame.retry_after_ms);
    if (!error.retry && !frame.retry_after_ms) {
      this.refused(frame.client_id, error);
      return;
    }
    const outgoing = this.#inFlight.get(frame.client_id);
    if (!outgoing) return;
    if (frame.uncertain) outgoing.uncertain = true;
    this.#inFlight.delete(frame.client_id);
    this.#wait(outgoing);
    // All sends wait, because a newer message must not overtake this one.
    this.#turnedAway = true;
    const afterS = frame.retry_after_ms / 1000 || NO_HINT_S;
    this.#notBefore = Math.max(this.#notBefore, now + afterS);
  }

  /** Settles a send that is refused for good. */
  refused(clientId: string, error: WsmsgError): void {
    if (this.#settle(clientId)) this.#onSettled(clientId, error);
  }

  #tooLarge(frame: Submission): WsmsgError | undefined {
    if (frame.type !== "send" || this.#contentBytes <= 0) return undefined;
    const size = bytesOf(frame.content);
    return size <= this.#contentBytes
      ? undefined
      : new WsmsgError("too_large", `${size} bytes; the limit is ${this.#contentBytes}`);
  }

  #hasRoom(): boolean {
    if (this.#turnedAway && this.#inFlight.size) return false;
    this.#turnedAway = false;
    return this.#inFlight.size < this.#window;
  }

  #settle(clientId: string): boolean {
    if (!this.#inFlight.delete(clientId)) return false;
    this.#forget(clientId);
    return !this.#again.delete(clientId); // else the program has the result
  }

  #begin(outgoing: Outgoing): void {
    this.#byId.set(outgoing.frame.client_id, outgoing);
    this.#wait(outgoing);
  }

  #wait(outgoing: Outgoing): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.number ?? 0) > outgoing.number) at -= 1;
    this.#waiting.splice(at, 0, outgoing);
  }

  #remove(outgoing: Outgoing): void {
    this.#waiting.splice(this.#waiting.indexOf(outgoing), 1);
    this.#forget(outgoing.frame.client_id);
  }

  #forget(clientId: string): void {
    this.#byId.delete(clientId);
    this.changed = true;
  }
}

/** The messages that the server accepted last, within bounds. */
class RecentlyAccepted {
  readonly #frames = new Map<string, readonly [Submission, number]>();
  #length = 0;

  frames(): Submission[] {
    return [...this.#frames.values()].map(([frame]) => frame);
  }

  /** Keeps a message, and drops the oldest ones beyond the bounds. */
  add(frame: Submission): void {
    this.#drop(frame.client_id);
    const length = frame.type === "send" ? frame.content.length : 0;
    this.#frames.set(frame.client_id, [frame, length]);
    this.#length += length;
    for (const oldest of this.#frames.keys()) {
      if (this.#frames.size <= RECENT && this.#length <= RECENT_LENGTH) break;
      this.#drop(oldest);
    }
  }

  #drop(clientId: string): void {
    this.#length -= this.#frames.get(clientId)?.[1] ?? 0;
    this.#frames.delete(clientId);
  }
}

/** A rate limit in any second, so that the server need not refuse. */
class Pace {
  readonly #perS: number;
  #left: number;
  #at: number;

  /** @param perS 0: no limit. */
  constructor(perS: number, now: number) {
    this.#perS = this.#left = perS;
    this.#at = now;
  }

  /** The time of the next send; not later than `now`: at once. */
  readyAt(now: number): number {
    if (!this.#perS) return now;
    this.#left = Math.min(this.#perS, this.#left + (now - this.#at) * this.#perS);
    this.#at = now;
    return this.#left >= 1 ? now : now + (1 - this.#left) / this.#perS;
  }

  /** Counts a send. */
  spend(): void {
    this.#left -= 1;
  }
}
