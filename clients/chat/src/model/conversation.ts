/** One conversation of the list: its numbers, and how far everybody is in it. */

import { groupIn, isGroup, type Head, type Id, type StoredEvent } from "@wsmsg/client";

/** The kinds from this one up are events, which are not counted as unread. */
const FIRST_EVENT = 1000;

/** How far another user is. */
export interface Progress {
  readonly delivered: number;
  readonly read: number;
}

/** Whether a message adds to the unread ones of this user. */
export const counts = (event: StoredEvent): boolean =>
  event.type === "messageReceived" && !event.mine && !event.recalled && event.kind < FIRST_EVENT;

/** Returns the other user of a conversation of two; the user, in one with themself. */
export const peerOf = (name: string, user: Id): Id => {
  const [, one = "", two = ""] = name.split(":");
  return one === user ? two : one;
};

/** A conversation of the user. */
export class Conversation {
  readonly name: string;
  /** The group; empty: it is a conversation of two. */
  readonly group: Id;
  /** The other user; empty: it is a group. */
  readonly peer: Id;
  /** The last number that is known. */
  head = 0;
  /** The number up to which this user has read, on any device. */
  read = 0;
  unread = 0;
  /** The time of the last message by the server's clock, in milliseconds. */
  timeMs = 0;
  /** The last message, once it is known. */
  last: StoredEvent | undefined;
  readonly others = new Map<Id, Progress>();
  /** Numbers of messages that arrived while the list was being read. */
  #arrived: number[] | undefined;

  constructor(name: string, user: Id) {
    this.name = name;
    this.group = isGroup(name) ? groupIn(name) : "";
    this.peer = this.group ? "" : peerOf(name, user);
  }

  /** Prepares for a head that is asked for now. */
  asked(): void {
    this.#arrived = [];
  }

  /** Applies what the server says; messages that arrived since count on top. */
  applyHead(head: Head, user: Id): void {
    this.read = Math.max(this.read, head.read);
    this.unread = head.unread;
    for (const seq of this.#arrived ?? []) {
      if (seq > head.head && seq > this.read) this.unread += 1;
    }
    if (this.read >= Math.max(head.head, this.head)) this.unread = 0;
    this.#arrived = undefined;
    this.head = Math.max(this.head, head.head);
    if (this.last && this.last.seq < this.head) this.last = undefined;
    this.timeMs = Math.max(this.timeMs, head.time);
    for (const { user: other, read, delivered } of head.others) {
      if (other !== user) this.applyReceipt(other, delivered, read);
    }
  }

  /** Applies a message that arrived.  Returns whether it is new here. */
  arrived(event: StoredEvent): boolean {
    const isNew = event.seq === 0 || event.seq > this.head;
    if (isNew) {
      this.last = event;
      this.timeMs = Math.max(this.timeMs, event.timeMs);
      if (counts(event) && (event.seq > this.read || !event.seq)) {
        this.unread += 1;
        this.#arrived?.push(event.seq);
      }
    }
    this.head = Math.max(this.head, event.seq);
    return isNew;
  }

  /** Applies how far another user is.  Returns whether that is news. */
  applyReceipt(user: Id, delivered: number, read: number): boolean {
    const known = this.others.get(user);
    const next = {
      delivered: Math.max(delivered, read, known?.delivered ?? 0),
      read: Math.max(read, known?.read ?? 0),
    };
    this.others.set(user, next);
    return next.delivered !== known?.delivered || next.read !== known.read;
  }

  /**
   * Applies that the user has read up to a number.
   *
   * @param known the loaded messages, without a hole from one number to the last.
   * @returns `false` if only the server can tell how many are unread now.
   */
  markedRead(seq: number, known: readonly StoredEvent[] | undefined): boolean {
    if (seq <= this.read) return true;
    const before = this.read;
    this.read = seq;
    if (seq >= this.head || !this.unread) {
      this.unread = 0;
      return true;
    }
    const first = known?.[0]?.seq ?? Infinity;
    const last = known?.at(-1)?.seq ?? 0;
    if (first > before + 1 || last < seq) return false;
    const gone = known?.filter((event) => event.seq > before && event.seq <= seq && counts(event));
    this.unread = Math.max(0, this.unread - (gone?.length ?? 0));
    return true;
  }
}
