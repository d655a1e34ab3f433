/** All conversations of the user, with their exact unread counts. */

import type { Head, Id, StoredEvent } from "@wsmsg/client";

import { Conversation } from "./conversation.js";

const SOON_MS = 300;
const AGAIN_MS = 3000;

/** What {@link Conversations} call. */
export interface ConversationsListener {
  readonly onChange: () => void;
  /** The list cannot be read, for this reason; empty: it can. */
  readonly onFailure: (reason: string) => void;
}

/** The conversations by their names. */
export class Conversations {
  readonly #list: () => Promise<Head[]>;
  readonly #listener: ConversationsListener;
  #all = new Map<string, Conversation>();
  #order: readonly string[] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  #again = false;
  readonly #waiting: (() => void)[] = [];
  /** The list has been read once. */
  isKnown = false;
  /** The user; "0" before the first connection. */
  user: Id = "0";

  constructor(list: () => Promise<Head[]>, listener: ConversationsListener) {
    this.#list = list;
    this.#listener = listener;
  }

  /** Resolves when the list has been read. */
  async listed(): Promise<void> {
    while (!this.isKnown) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The number of unread messages in all conversations. */
  get unread(): number {
    let sum = 0;
    for (const { unread } of this.#all.values()) sum += unread;
    return sum;
  }

  /** The names of all conversations, the last changed first. */
  get names(): readonly string[] {
    this.#order ??= [...this.#all.values()]
      .filter(({ head, last }) => head > 0 || last)
      .sort((one, other) => other.timeMs - one.timeMs || (one.name < other.name ? -1 : 1))
      .map(({ name }) => name);
    return this.#order;
  }

  /** Returns a conversation; a new one if there is none of this name. */
  get(name: string): Conversation {
    let found = this.#all.get(name);
    if (!found) {
      found = new Conversation(name, this.user);
      if (this.#reading) found.asked();
      this.#all.set(name, found);
      this.#order = undefined;
    }
    return found;
  }

  /** Returns a conversation if it is known. */
  known(name: string): Conversation | undefined {
    return this.#all.get(name);
  }

  /** Removes a conversation without messages, or one that the user has left. */
  remove(name: string): void {
    this.#all.delete(name);
    this.#changed();
  }

  /** Adds a message that arrived.  Returns whether it is new. */
  arrived(event: StoredEvent): boolean {
    const conversation = this.get(event.conversation);
    const isNew = conversation.arrived(event);
    const recalled = event.type === "messageRecalled" && event.recalled > conversation.read;
    // Only the server knows whether that one counted.
    if (recalled && !event.mine && conversation.unread) this.refresh();
    this.#changed();
    return isNew;
  }

  /** Applies that the user has read up to a number. */
  markedRead(name: string, seq: number, known: readonly StoredEvent[] | undefined): void {
    const conversation = this.#all.get(name);
    if (!conversation) return;
    if (!conversation.markedRead(seq, known)) this.refresh();
    this.#changed();
  }

  /** Reads the list from the server soon. */
  refresh(afterMs = SOON_MS): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#read();
    }, afterMs);
  }

  /** Forgets all conversations: the server has another history. */
  beginAnew(): void {
    this.#all = new Map();
    this.isKnown = false;
    this.#changed();
    this.refresh(0);
  }

  async #read(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    const all = this.#all;
    for (const conversation of all.values()) conversation.asked();
    try {
      const heads = await this.#list();
      if (all === this.#all) {
        for (const head of heads) this.get(head.conversation).applyHead(head, this.user);
        this.isKnown = true;
        this.#waiting.splice(0).forEach((call) => call());
        this.#listener.onFailure("");
      }
    } catch (error) {
      this.#listener.onFailure(error instanceof Error ? error.message : String(error));
      this.refresh(AGAIN_MS);
    }
    this.#reading = false;
    if (this.#again) {
      this.#again = false;
      this.refresh();
    }
    this.#changed();
  }

  #changed(): void {
    this.#order = undefined;
    this.#listener.onChange();
  }
}
