/**
 * One conversation, as its messages arrive.
 *
 * When the server has another history, numbers begin anew, and messages of both histories
 * are recognized by their ids: those of the last messages are remembered, and ids rise
 * with time, so a lower one under a number that the program was given before is known.
 */

import type { Deliver, From, Head } from "../frames.js";
import { greater, isGreater, type Id } from "../ids.js";
import { removeExcess } from "./bounded.js";

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
   * the program was given; then `messageId` is the highest id that it processed.
   */
  readonly before: number;
}

// Messages that are recognized by their ids.
const RECENT = 4096;

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
  /**
   * The id of the open sync.  Its page begins with the last message, if that has an id,
   * and shows by it that the server still has the same history.
   */
  syncId = "";
  /** The last number that the program had been given when the sync began. */
  syncSeq = 0;
  #syncLast = NOWHERE;
  /**
   * The server may have another message in the place of `last`, so the program is given
   * nothing until a page tells.
   */
  unsure = false;
  /** The server has `last`, as it said on this connection. */
  confirmed = false;
  /** The next sync continues a page that has just come. */
  continues = false;
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
  #highestId: Id = "0";
  #knownId: Id = "0";
  #untaken = 0;
  #stale = 0;

  constructor(readonly name: string, seq: number, head: number) {
    this.seq = this.taken = seq;
    this.head = head;
  }

  /** Returns the state of an earlier run. */
  static resumed(name: string, position: Position): Inflow {
    // Nothing is kept that would show another history among the repeats: those are read
    // again, and recognized.
    const seq = position.before ? 0 : position.seq;
    const inflow = new Inflow(name, seq, Math.max(position.seq, position.head));
    inflow.givenId = inflow.takenId = inflow.#highestId = inflow.#knownId = position.messageId;
    inflow.before = position.before;
    inflow.last = position.before ? NOWHERE : position;
    return inflow;
  }

  /** The state from which a later run can continue. */
  get position(): Position {
    const { taken: seq, head, before } = this;
    return seq < before
      ? { seq, head, messageId: this.#highestId, before }
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
    this.unsure = false;
    this.outdate();
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
    this.#highestId = greater(this.#highestId, messageId);
    if (this.#stale) {
      this.#stale -= 1;
    } else {
      this.taken = seq;
      this.takenId = messageId;
    }
  }

  /**
   * Processes the end of the conversation, as a list has it.
   *
   * @returns `false` if that may be of another history.
   */
  agreesWith({ head, message_id: id }: Head): boolean {
    this.raiseHead(head);
    if (head > this.seq) {
      // The next page tells; until then, a live message may be of another one.
      this.doubt();
      return true;
    }
    // A message that came while the list was on its way is not in it.
    if (head < this.seq) return this.confirmed;
    const { seq, messageId } = this.last;
    if (seq !== head || id === "0" || messageId === "0") return true;
    this.confirmed ||= id === messageId;
    return id === messageId;
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

  /** Notes that messages may have been missed, so that `last` is to be confirmed. */
  outdate(): void {
    this.confirmed = this.continues = false;
  }

  /** Gives nothing until {@link confirm} is called. */
  doubt(): void {
    this.outdate();
    this.unsure = true;
  }

  /** Notes that the server has `last`. */
  confirm(): void {
    this.unsure = false;
    this.confirmed = true;
  }

  /** Begins a sync, and returns the number after which it asks. */
  sync(syncId: string): number {
    const compared = this.last.messageId !== "0" && !this.continues;
    this.syncId = syncId;
    this.syncSeq = this.seq;
    this.#syncLast = compared ? this.last : NOWHERE;
    this.continues = false;
    return compared ? this.last.seq - 1 : this.seq;
  }

  /**
   * Whether the answer to the open sync shows that the server's conversation ends before
   * what the program was given, or is another one.
   */
  isRewoundIn(page: From<"page">): boolean {
    return isOther(page, this.syncSeq, this.#syncLast);
  }
}

/**
 * Whether a page ends before a number, or begins with another message in the place of
 * `last`.
 */
export const isOther = (page: From<"page">, seq: number, last: Position): boolean => {
  const [first] = page.messages;
  const other = first?.seq === last.seq && first.message_id !== last.messageId;
  return page.head < seq || (other && last.messageId !== "0");
};

/**
 * The ids of the messages that the program was given last, in all conversations, and of
 * as many that came under known numbers and are asked about.
 */
export class KnownIds {
  readonly #given = new Map<Id, Inflow>();
  readonly #questions = new Set<Id>();

  has(messageId: Id): boolean {
    return this.#given.has(messageId);
  }

  /** Notes a message that the program is given. */
  add(messageId: Id, inflow: Inflow): void {
    this.#given.set(messageId, inflow);
    const [[oldest, of] = [messageId, inflow]] = this.#given;
    if (removeExcess(this.#given, RECENT)) of.know(oldest);
  }

  /**
   * Whether a message is not known; true once, as its repeats are no reason to ask again.
   */
  isQuestion(messageId: Id): boolean {
    if (this.#given.has(messageId) || this.#questions.has(messageId)) return false;
    this.#questions.add(messageId);
    removeExcess(this.#questions, RECENT);
    return true;
  }

  /** Begins a connection, or a history. */
  forgetQuestions(): void {
    this.#questions.clear();
  }
}
