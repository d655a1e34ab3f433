/**
 * Received messages: each once, in the order of numbers, without a gap.
 *
 * Two numbers matter for each conversation: the last that the program was given (`seq`),
 * and the last that exists (`head`).
 *
 *     deliver seq+1   give it to the program, then held messages behind it
 *     deliver <= seq  a repeat, if its id is known: drop it
 *     deliver > seq+1 a gap: hold the message, send sync after seq - 1
 *     head > seq      a gap without a message to hold
 *     a page          complete up to its last message: numbers missing in it are not for
 *                     this user
 *
 * A number alone does not make a message known, as an older copy of the server's store
 * gives numbers a second time.  So a sync asks for the last message once more, and its id
 * shows that the history is the same; a live message is given at once only if the server
 * has shown that on this connection; and one with a known number and an unknown id makes
 * the conversation unsure: nothing of it is given until a check tells.
 *
 * A conversation that is behind waits for its turn, because the number of open syncs is
 * limited, and because the program may not take the messages that it already has.
 */

import type { Deliver, From, Head, Sync } from "../frames.js";
import { isGreater, type Id } from "../ids.js";
import { Inflow, KnownIds, type Position } from "./inflow.js";

/**
 * The point from which a conversation without a position is read: from its first message,
 * after the last that the user has on any device, or from now on.
 */
export type Start = "beginning" | "delivered" | "latest";

const HELD = 256;
const SYNCS = 4;
const STALE_S = 1;

/** What {@link Inbound} is made with. */
export interface InboundOptions {
  /** Called with each message, in order. */
  readonly give: (message: Deliver) => void;
  /** Returns the number of messages that the program can be given now. */
  readonly room: () => number;
  /** Nothing is asked for while there is room for fewer messages. */
  readonly refill: number;
  readonly start: Start;
  /** The positions of an earlier run. */
  readonly positions: ReadonlyMap<string, Position>;
  /** An earlier run knew all conversations. */
  readonly listed: boolean;
}

/** A conversation, and a message in it that the server may not have. */
export interface Place {
  readonly name: string;
  readonly last: Position;
}

/** All conversations of the user. */
export class Inbound {
  /** What is to be checked, in this order. */
  readonly suspects: Place[] = [];
  readonly #options: InboundOptions;
  #inflows = new Map<string, Inflow>();
  readonly #known = new KnownIds();
  readonly #queue = new Set<Inflow>();
  readonly #open = new Map<string, Inflow>();
  #made = 0;
  #listed: boolean;
  #current = false;
  #notBefore = 0;

  constructor(options: InboundOptions) {
    this.#options = options;
    this.#listed = options.listed;
    for (const [name, position] of options.positions) {
      this.#begin(Inflow.resumed(name, position));
    }
  }

  /** Returns the positions from which a later run can continue. */
  *positions(): Iterable<readonly [string, Position]> {
    for (const [name, inflow] of this.#inflows) yield [name, inflow.position];
  }

  /** Has the newest message checked that the program was given. */
  suspectNewest(): void {
    let newest: Place | undefined;
    for (const [name, { last }] of this.#inflows) {
      if (isGreater(last.messageId, newest?.last.messageId ?? "0")) newest = { name, last };
    }
    if (newest) this.suspect(newest);
  }

  /** Has a message checked. */
  suspect(place: Place): void {
    if (!this.suspects.some(({ last }) => last === place.last)) this.suspects.push(place);
  }

  /**
   * Has the last message of a conversation checked, and gives nothing more of it until
   * {@link trust} is called.
   */
  #doubt(inflow: Inflow): void {
    const { name, last } = inflow;
    if (!last.seq) return;
    inflow.doubt();
    this.suspect({ name, last });
  }

  /** Notes that the server has this message, or will not tell. */
  trust({ name, last }: Place): void {
    const inflow = this.#inflows.get(name);
    if (inflow?.last !== last) return;
    inflow.confirm();
    this.#release(inflow);
    this.#lookAt(inflow);
  }

  /** Notes that messages may have been missed, until the next list is complete. */
  outdate(): void {
    this.#current = false;
    for (const inflow of this.#inflows.values()) {
      inflow.outdate();
      // What follows a gap may be of another history: it is asked for again.
      inflow.held.clear();
    }
  }

  /**
   * Forgets all numbers: the server has another history.  A conversation of which the
   * program was given nothing begins as a new one.
   */
  beginAnew(): void {
    this.#open.clear();
    this.#queue.clear();
    this.#listed = this.#current = false;
    this.suspects.length = 0;
    this.#known.forgetQuestions();
    this.#inflows = new Map([...this.#inflows].filter(([, i]) => i.givenId !== "0"));
    for (const inflow of this.#inflows.values()) inflow.beginAnew();
  }

  /** Records that the program has processed a message. */
  took(conversation: string, seq: number, messageId: Id): void {
    this.#inflows.get(conversation)?.took(seq, messageId);
  }

  /** Whether no message that is known to exist is missing. */
  get settled(): boolean {
    return !this.#queue.size && !this.#open.size;
  }

  /**
   * Applies the known lengths of conversations.
   *
   * @param complete the list of changed conversations ends with these.
   */
  merge(heads: Iterable<Head>, complete: boolean): void {
    for (const head of heads) {
      const name = head.conversation;
      const inflow = this.#inflows.get(name);
      if (!inflow) {
        this.#begin(new Inflow(name, this.#startOf(head), head.head));
        continue;
      }
      if (!inflow.agreesWith(head)) this.#doubt(inflow);
      this.#lookAt(inflow);
    }
    this.#listed ||= complete;
    this.#current ||= complete;
  }

  /** Processes a message that arrived live. */
  delivered(message: Deliver): void {
    const inflow = this.#inflows.get(message.conversation) ?? this.#beginLive(message);
    if (inflow && message.seq <= inflow.seq) this.#compare(inflow, message);
    else if (inflow) this.#arrived(inflow, message);
  }

  /**
   * Has a conversation checked if a message in the place of one that the program was given
   * is not known to be the same.
   */
  #compare(inflow: Inflow, { message_id: id }: Deliver): void {
    if (id !== inflow.last.messageId && this.#known.isQuestion(id)) this.#doubt(inflow);
  }

  /** Whether a page answers a sync, and shows another history. */
  isRewoundIn(page: From<"page">): boolean {
    return this.#open.get(page.id)?.isRewoundIn(page) ?? false;
  }

  /**
   * Processes a page.
   *
   * @returns whether it answers a sync of this object.
   */
  page(page: From<"page">, now: number): boolean {
    const flow = this.#answered(page.id);
    if (!flow) return false;
    const messages = page.messages.filter((m) => m.conversation === flow.name);
    flow.confirm();
    this.#release(flow);
    const added = messages.filter((m) => m.seq > flow.syncSeq);
    for (const message of added) {
      if (message.seq <= flow.seq) this.#compare(flow, message);
    }
    if (added.length) {
      flow.raiseHead(page.head);
      this.#walk(flow, added);
    } else if (messages.length && page.head > flow.seq) {
      // There was no room for more than the message that was asked for again.
      flow.raiseHead(page.head);
    } else if (flow.held.size) {
      // The page ends before the held messages; a repeat would give the same now.
      this.#notBefore = Math.max(this.#notBefore, now + STALE_S);
    } else {
      flow.head = flow.seq;
    }
    flow.continues = flow.behind && !flow.unsure;
    this.#lookAt(flow);
    return true;
  }

  /**
   * Processes an error as the answer to a sync.
   *
   * @param retryAt the time to ask again; `undefined`: never, as for a group that the user
   *   has left: the held messages are all that will come.
   * @returns whether it answers a sync of this object.
   */
  refused(syncId: string, retryAt: number | undefined): boolean {
    const flow = this.#answered(syncId);
    if (!flow) return false;
    if (retryAt === undefined) this.#giveUp(flow);
    else this.#notBefore = Math.max(this.#notBefore, retryAt);
    this.#lookAt(flow);
    return true;
  }

  #answered(syncId: string): Inflow | undefined {
    const inflow = this.#open.get(syncId);
    this.#open.delete(syncId);
    if (inflow) inflow.syncId = "";
    return inflow;
  }

  /** Gives the held messages to the program, since no others will come. */
  #giveUp(inflow: Inflow): void {
    inflow.confirm();
    while (inflow.held.size && this.#options.room() > 0) {
      inflow.seq = Math.min(...inflow.held.keys()) - 1;
      this.#release(inflow);
    }
    inflow.head = inflow.held.size ? Math.max(...inflow.held.keys()) : inflow.seq;
  }

  /** Forgets the open syncs of a lost connection. */
  lost(): void {
    this.#open.clear();
    this.#known.forgetQuestions();
    this.#notBefore = 0;
    this.outdate();
    for (const inflow of this.#inflows.values()) {
      inflow.syncId = "";
      this.#lookAt(inflow);
    }
  }

  /** Returns the queries to send now. */
  due(now: number): Sync[] {
    const frames: Sync[] = [];
    while (this.nextDue(now) <= now) {
      const [inflow] = this.#queue;
      if (!inflow) break;
      this.#queue.delete(inflow);
      this.#release(inflow);
      if (inflow.behind) {
        this.#made += 1;
        const id = `i${this.#made}`;
        const after = inflow.sync(id);
        this.#open.set(id, inflow);
        frames.push({ type: "sync", id, conversation: inflow.name, after });
      }
    }
    return frames;
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(now: number): number {
    if (!this.#queue.size || this.#open.size >= SYNCS) return Infinity;
    if (this.#options.room() < this.#options.refill) return Infinity;
    return Math.max(now, this.#notBefore);
  }

  #begin(inflow: Inflow): void {
    this.#inflows.set(inflow.name, inflow);
    this.#lookAt(inflow);
  }

  #startOf(head: Head): number {
    switch (this.#options.start) {
      case "beginning":
        return 0;
      case "delivered":
        return Math.min(head.delivered, head.head);
      case "latest":
        return this.#listed ? 0 : head.head;
    }
  }

  #arrived(inflow: Inflow, message: Deliver): void {
    if (inflow.last.seq && !this.#current && !inflow.confirmed) {
      // Messages may have been missed, and their numbers given to others.
      inflow.doubt();
    } else if (!inflow.unsure) {
      inflow.confirm();
    }
    inflow.raiseHead(message.seq);
    this.#passOn(inflow, message);
    this.#lookAt(inflow);
  }

  #walk(inflow: Inflow, messages: Iterable<Deliver>): void {
    let before = inflow.seq;
    for (const message of messages) {
      if (message.seq > before + 1 && inflow.seq >= before) {
        // No message there is for this user; a wait would never end.
        inflow.seq = message.seq - 1;
      }
      inflow.raiseHead(message.seq);
      this.#passOn(inflow, message);
      before = message.seq;
    }
  }

  #passOn(inflow: Inflow, message: Deliver): void {
    if (message.seq <= inflow.seq) return;
    if (message.seq === inflow.seq + 1 || inflow.held.size < HELD) {
      inflow.held.set(message.seq, message);
      this.#release(inflow);
    }
  }

  #release(inflow: Inflow): void {
    while (inflow.held.size && this.#options.room() > 0 && !inflow.unsure) {
      const following = inflow.nextHeld();
      if (!following) break;
      const known = this.#known.has(following.message_id) || inflow.isKnown(following);
      if (inflow.before && known) {
        inflow.skip(following);
        continue;
      }
      inflow.give(following);
      this.#known.add(following.message_id, inflow);
      this.#options.give(following);
    }
  }

  /**
   * Begins a conversation that a live message is the first sign of, unless the list of
   * conversations, which is still to come, decides where.
   */
  #beginLive({ conversation, seq }: Deliver): Inflow | undefined {
    const { start } = this.#options;
    const first = this.#listed || start === "beginning";
    if (!first && start === "delivered") return undefined;
    const at = first ? 0 : seq - 1;
    const inflow = new Inflow(conversation, at, at);
    this.#inflows.set(conversation, inflow);
    return inflow;
  }

  #lookAt(inflow: Inflow): void {
    if (!inflow.behind) inflow.held.clear();
    else if (!inflow.syncId) this.#queue.add(inflow);
  }
}
