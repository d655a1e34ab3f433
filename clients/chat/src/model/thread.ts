/**
 * The loaded messages of the open conversation: a window of its history, without a hole.
 *
 *     first number --- [ older ... window ... newer ] --- head
 *
 * The window grows at both ends as the person scrolls, and is trimmed at the far end, so
 * it stays bounded however long the history is.
 */

import type { StoredEvent } from "@wsmsg/client";
import type { Range } from "@wsmsg/client/requests";

import type { Conversation } from "./conversation.js";

const PAGE = 60;
/** Messages before the first unread one that are shown above it. */
const CONTEXT = 20;
/** Most messages of the window. */
export const WINDOW = 1500;

type Reader = (conversation: string, range: Range) => Promise<StoredEvent[]>;

/** The window of one conversation. */
export class Thread {
  readonly conversation: Conversation;
  /** In the order of numbers. */
  events: StoredEvent[] = [];
  /** There is nothing before the window. */
  atStart = false;
  /** There is nothing after the window. */
  atEnd = false;
  /** What is being loaded now. */
  loading: "" | "first" | "older" | "newer" = "first";
  /** Why the last attempt to load failed. */
  failure = "";
  readonly #read: Reader;
  readonly #onChange: () => void;
  readonly #recalled = new Set<number>();
  #waiting: StoredEvent[] = [];
  #first = 1;

  constructor(read: Reader, conversation: Conversation, onChange: () => void) {
    this.#read = read;
    this.conversation = conversation;
    this.#onChange = onChange;
  }

  /** The number of the last message of the window. */
  get last(): number {
    return this.events.at(-1)?.seq ?? 0;
  }

  /** Loads the messages around the first unread one; the last ones if all are read. */
  async open(): Promise<void> {
    await this.#load("first", async () => {
      const { name, head, read, unread } = this.conversation;
      const [first] = await this.#read(name, { after: 0, limit: 1 });
      this.#first = first?.seq ?? 1;
      const from = unread > CONTEXT ? read - CONTEXT : head - PAGE;
      await this.#begin(Math.max(0, from));
    });
  }

  /** Loads the last messages in place of the window. */
  async toEnd(): Promise<void> {
    if (this.atEnd || this.loading === "first") return;
    await this.#load("first", async () => {
      await this.#begin(Math.max(0, this.conversation.head - PAGE));
    });
  }

  /** Loads messages before the window. */
  async older(): Promise<void> {
    const before = this.events[0]?.seq;
    if (this.atStart || this.loading || !before) return;
    await this.#load("older", async () => {
      let from = before - 1;
      for (let step = PAGE; from >= this.#first; step *= 2) {
        from = Math.max(this.#first - 1, from - step);
        const { name } = this.conversation;
        const events = await this.#read(name, { before, limit: before - 1 - from });
        this.#put(events);
        if (events.length) break; // In a group, numbers may be missing.
      }
      this.#findStart(from);
      if (this.events.length > WINDOW) {
        this.events.length = WINDOW;
        this.atEnd = false;
      }
    });
  }

  /** Loads messages after the window. */
  async newer(): Promise<void> {
    if (this.atEnd || this.loading) return;
    await this.#load("newer", async () => {
      await this.#follow(this.last);
      if (this.events.length > WINDOW) {
        this.events.splice(0, this.events.length - WINDOW);
        this.atStart = false;
      }
    });
  }

  /** Adds a message that arrived. */
  arrived(event: StoredEvent): void {
    if (event.type === "messageRecalled") this.#recall(event.recalled);
    if (this.loading) {
      this.#waiting.push(event);
    } else if (!event.seq) {
      this.events = [...this.events, event]; // The server does not number messages.
    } else if (this.atEnd && event.seq > this.last) {
      if (event.seq === this.last + 1 || !this.last) {
        this.#put([event]);
      } else {
        // What lies between was not told, or there is nothing for this user.
        this.atEnd = false;
        void this.newer();
      }
    }
    this.#onChange();
  }

  /** Tries again what has failed. */
  retry(): void {
    if (!this.failure) return;
    this.failure = "";
    if (this.events.length) this.#onChange();
    else void this.open();
  }

  /** Loads what follows the window, as messages may have been missed. */
  check(): void {
    if (this.conversation.head <= this.last) return;
    this.atEnd = false;
    void this.newer();
  }

  async #load(what: "first" | "older" | "newer", read: () => Promise<void>): Promise<void> {
    this.loading = what;
    this.failure = "";
    this.#onChange();
    try {
      await read();
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error);
    }
    this.loading = "";
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const event of waiting) this.arrived(event);
    this.#onChange();
  }

  async #begin(from: number): Promise<void> {
    const { name } = this.conversation;
    const limit = PAGE + CONTEXT;
    const events = await this.#read(name, { after: from, limit });
    this.events = [];
    this.#put(events);
    this.atEnd = events.length < limit;
    this.#findStart(from);
  }

  async #follow(after: number): Promise<void> {
    const { name } = this.conversation;
    const events = await this.#read(name, { after, limit: PAGE });
    this.#put(events);
    this.atEnd = events.length < PAGE;
  }

  #put(events: readonly StoredEvent[]): void {
    const [first, last] = [this.events[0]?.seq ?? Infinity, this.last];
    const known = events.map((event) =>
      this.#recalled.has(event.seq) ? withoutContent(event) : event,
    );
    const before = last ? known.filter(({ seq }) => seq < first) : [];
    this.events = [...before, ...this.events, ...known.filter(({ seq }) => seq > last)];
  }

  #findStart(from: number): void {
    const first = this.events[0]?.seq ?? 0;
    this.atStart = from < this.#first || !first || first <= this.#first;
  }

  #recall(seq: number): void {
    this.#recalled.add(seq);
    if (this.#recalled.size > WINDOW) this.#recalled.clear();
    this.events = this.events.map((event) => (event.seq === seq ? withoutContent(event) : event));
  }
}

const withoutContent = (event: StoredEvent): StoredEvent =>
  event.type === "messageReceived" ? { ...event, content: "", recalled: true } : event;
