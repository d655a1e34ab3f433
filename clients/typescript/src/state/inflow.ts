/**
 * One conversation, as its messages arrive.
 *
 * When the server has another history, numbers begin anew, and messages of both histories
 * are recognized by their ids: those of the last messages are remembered, and ids rise
 * with time, so a lower one under a number that the program was given before is known.
 */

import type { Deliver } from "../frames.js";
import { greater, isGreater, type Id } from "../ids.js";

/** The program's position in a conversation. */
export interface Position {
  /** The last number that the program processed. */
  readonly seq: number;
  /** The last known number. */
  readonly head: number;
  /** The id of the last message that the program processed; "0": none. */
  readonly messageId: Id;
  /**
   * In an earlier history of which it has not reached the end yet, the last number that
   * the program was given; then `messageId` is the highest id there.
   */
  readonly before: number;
}

const NOWHERE: Position = { seq: 0, head: 0, messageId: "0", before: 0 };

const at = ({ seq, message_id }: Deliver): Position => ({
  seq, head: seq, messageId: message_id, before: 0,
});

/** One conversation. */
export class Inflow {
  /** Messages after a gap. */
  readonly held = new Map<number, Deliver>();
  /** The last message that the program was given, or has from before. */
  last = NOWHERE;
  /** The id of the open sync, which asks for what follows `syncAfter`. */
  syncId = "";
  syncAfter = 0;
  /** The conversation waits for its turn to sync. */
  queued = false;
  /** The last number that the program was given. */
  seq: number;
  /** The last number that the program processed, and its id. */
  taken: number;
  takenId: Id = "0";
  /** The last known number. */
  head: number;
  /** The highest id of a message that the program was given. */
  givenId: Id = "0";
  /** In an earlier history, the last number that the program was given. */
  before = 0;
  #knownId: Id = "0";
  #untaken = 0;
  #stale = 0;

  constructor(seq: number, head: number) {
    this.seq = this.taken = seq;
    this.head = head;
  }

  /** Returns the state of an earlier run. */
  static resumed(position: Position): Inflow {
    const inflow = new Inflow(position.seq, Math.max(position.seq, position.head));
    inflow.givenId = inflow.takenId = inflow.#knownId = position.messageId;
    inflow.before = position.before;
    inflow.last = position.before ? NOWHERE : position;
    return inflow;
  }

  /** The state from which a later run can continue. */
  get position(): Position {
    const { taken: seq, head, before } = this;
    return seq < before
      ? { seq, head, messageId: this.givenId, before }
      : { seq, head, messageId: this.takenId, before: 0 };
  }

  get behind(): boolean {
    return this.head > this.seq;
  }

  /** Forgets the numbers, which belong to another history. */
  beginAnew(): void {
    this.before = Math.max(this.before, this.seq);
    this.seq = this.taken = this.head = 0;
    this.#stale = this.#untaken;
    this.last = NOWHERE;
    this.held.clear();
    this.syncId = "";
    this.queued = false;
  }

  /** Whether the program was given this message in an earlier history, long ago. */
  isKnown(message: Deliver): boolean {
    return message.seq <= this.before && !isGreater(message.message_id, this.#knownId);
  }

  /** Goes on to a message that the program has. */
  skip(message: Deliver): void {
    this.last = at(message);
    if (this.taken === message.seq - 1) {
      this.taken = message.seq;
      this.takenId = message.message_id;
    }
  }

  /** Notes that the program is given a message. */
  give(message: Deliver): void {
    this.#untaken += 1;
    this.last = at(message);
    this.givenId = greater(this.givenId, message.message_id);
  }

  /** Notes that a message is not remembered by its own id any more. */
  know(messageId: Id): void {
    this.#knownId = greater(this.#knownId, messageId);
  }

  /** Notes what the program processed. */
  took(seq: number, messageId: Id): void {
    this.#untaken -= 1;
    if (this.#stale) {
      this.#stale -= 1;
    } else {
      this.taken = seq;
      this.takenId = messageId;
    }
  }

  raiseHead(seq: number): void {
    this.head = Math.max(this.head, seq);
  }

  /** Takes the message that comes next, if it is held. */
  nextHeld(): Deliver | undefined {
    const following = this.held.get(this.seq + 1);
    if (following) {
      this.seq += 1;
      this.held.delete(this.seq);
    }
    return following;
  }

  sync(syncId: string): void {
    this.syncId = syncId;
    this.syncAfter = this.seq;
  }
}
