/** The messages of the open conversation, on the screen. */

import type { Id } from "@wsmsg/client";

import { counts } from "../model/conversation.js";
import type { Outgoing } from "../model/outgoing.js";
import type { Thread } from "../model/thread.js";
import { byId, h, set } from "./dom.js";
import { isSame, rowElement, type Row, type RowActions } from "./message-row.js";
import { rowsOf } from "./rows.js";
import { VirtualList } from "./virtual-list.js";

/** Rows from either end at which more are loaded. */
const NEAR = 20;
const OPEN_ROWS = 200;

/** What a {@link ThreadView} calls. */
export interface ThreadListener extends Omit<RowActions, "onOpen"> {
  /** All up to this number has been in sight. */
  readonly onRead: (seq: number) => void;
  /** Returns the messages on their way. */
  readonly outgoing: () => readonly Outgoing[];
  /** The person wants to write. */
  readonly onLeave: () => void;
}

/** Shows a {@link Thread}. */
export class ThreadView {
  readonly #listener: ThreadListener;
  readonly #viewport = byId("messages");
  readonly #jump = byId<HTMLButtonElement>("jump");
  readonly #jumpText = byId("jump-text");
  readonly #state = byId("messages-state");
  readonly #list: VirtualList;
  readonly #elements = new WeakMap<HTMLElement, Row>();
  readonly #open = new Set<string>();
  #thread: Thread | undefined;
  #user: Id = "0";
  #rows: Row[] = [];
  #activeKey = "";
  #firstNew = 0;
  #isFresh = false;
  #wasAtEnd = false;
  #stateText = "";

  constructor(listener: ThreadListener) {
    this.#listener = listener;
    const all = () => this.#rows;
    const rows = {
      get count() {
        return all().length;
      },
      key: (i: number) => all()[i]?.key ?? "",
      element: (i: number, old: HTMLElement | undefined) => this.#element(i, old),
    };
    this.#list = new VirtualList(this.#viewport, rows, {
      estimate: 44, follows: true, onView: (first, last) => this.#seen(first, last),
    });
    this.#viewport.addEventListener("keydown", (event) => this.#key(event));
    this.#jump.addEventListener("click", () => void this.toEnd());
    const look = () => this.#list.update();
    globalThis.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
  }

  /** Shows another conversation; `undefined`: none. */
  open(thread: Thread | undefined, user: Id): void {
    this.#thread = thread;
    this.#user = user;
    this.#activeKey = "";
    this.#firstNew = 0;
    this.#open.clear();
    this.#rows = [];
    this.#isFresh = true;
    this.#wasAtEnd = false;
    this.#list.reset(true);
    this.update();
  }

  /** Shows what has changed. */
  update(): void {
    const thread = this.#thread;
    this.#tellState();
    if (!thread) return;
    this.#noteNew(thread);
    // The end of the window is not the end of the conversation, which alone is followed.
    if (!this.#wasAtEnd) this.#list.hold();
    this.#wasAtEnd = thread.atEnd;
    this.#rows = rowsOf(thread, this.#listener.outgoing(), {
      user: this.#user, firstNew: this.#firstNew, activeKey: this.#activeKey, open: this.#open,
    });
    if (this.#isFresh && thread.events.length) {
      this.#isFresh = false;
      const index = this.#rows.findIndex(({ firstNew }) => firstNew);
      this.#list.reset(index < 0);
      this.#list.update();
      if (index >= 0) this.#list.toRow(index, this.#viewport.clientHeight / 4);
    } else {
      this.#list.update();
    }
    this.#tellJump();
  }

  /** Scrolls to the last message. */
  async toEnd(): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    if (!thread.atEnd) await thread.toEnd();
    this.#list.toEnd();
    this.#tellJump();
  }

  /** Goes to the end, as the person has sent a message. */
  sent(): void {
    this.#firstNew = 0;
    void this.toEnd();
  }

  /** Gives the keyboard to the last message in sight. */
  focus(): void {
    this.#activate(this.#rows.length - 1);
  }

  #element(i: number, old: HTMLElement | undefined): HTMLElement {
    const row = this.#rows[i];
    if (!row) throw new Error(`there is no row ${i}`);
    if (old && isSame(this.#elements.get(old), row)) return old;
    const hadFocus = old?.contains(document.activeElement) ?? false;
    const element = rowElement(row, {
      ...this.#listener,
      onOpen: (key) => {
        if (this.#open.size > OPEN_ROWS) this.#open.clear();
        this.#open.add(key);
        this.#list.hold();
        this.update();
      },
    });
    set(element, "aria-setsize", -1);
    set(element, "aria-posinset", i + 1);
    this.#elements.set(element, row);
    if (hadFocus) queueMicrotask(() => element.focus({ preventScroll: true }));
    return element;
  }

  /** Notes the first message that is not read, once for each time that all were read. */
  #noteNew({ conversation, events }: Thread): void {
    const { read, unread } = conversation;
    if (!unread || this.#firstNew > read) return;
    if (this.#isFresh || !this.#isWatched || !this.#list.isAtEnd) {
      this.#firstNew = events.find((event) => event.seq > read && counts(event))?.seq ?? 0;
    }
  }

  get #isWatched(): boolean {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  #seen(first: number, last: number): void {
    const thread = this.#thread;
    if (!thread || !this.#rows.length) return;
    if (!thread.failure) {
      if (first < NEAR) void thread.older();
      if (last > this.#rows.length - NEAR) void thread.newer();
    }
    this.#tellJump();
    if (this.#isFresh || !this.#isWatched || !this.#viewport.clientHeight) return;
    for (let i = last; i >= 0; i--) {
      const event = this.#rows[i]?.event;
      if (!event) continue;
      if (event.seq > thread.conversation.read) this.#listener.onRead(event.seq);
      break;
    }
  }

  #tellJump(): void {
    const thread = this.#thread;
    const isAway =
      thread !== undefined && thread.events.length > 0 &&
      (!thread.atEnd || (!this.#list.isAtEnd && this.#list.beyond > 120));
    this.#jump.hidden = !isAway;
    const unread = thread?.conversation.unread ?? 0;
    this.#jumpText.textContent =
      unread ? `${unread} new message${unread === 1 ? "" : "s"}` : "Latest messages";
  }

  #tellState(): void {
    const thread = this.#thread;
    const text =
      !thread ? ""
      : thread.failure ? `Messages cannot be loaded: ${thread.failure}`
      : thread.loading === "first" ? "Loading messages…"
      : thread.loading === "older" ? "Loading older messages…"
      : !thread.events.length && !this.#listener.outgoing().length
        ? "There are no messages yet. Write the first one."
      : "";
    if (this.#stateText !== text) {
      this.#stateText = text;
      this.#state.replaceChildren(text);
      if (thread?.failure) {
        const again = h("button", { type: "button", class: "link-button" }, "Try again");
        again.addEventListener("click", () => thread.retry());
        this.#state.append(" ", again);
      }
    }
    this.#state.hidden = !text;
    set(this.#viewport, "aria-busy", thread?.loading ? "true" : undefined);
  }

  #key(event: KeyboardEvent): void {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const index = this.#rows.findIndex(({ key }) => key === this.#activeKey);
    if (event.key === "Escape") {
      this.#listener.onLeave();
    } else if (event.key === "End") {
      void this.toEnd().then(() => this.#activate(this.#rows.length - 1));
    } else if (event.key === "Home") {
      this.#activate(0);
    } else if (step && index + step >= this.#rows.length) {
      this.#listener.onLeave();
    } else if (step) {
      this.#activate(index < 0 ? this.#rows.length - 1 : Math.max(0, index + step));
    } else {
      return;
    }
    event.preventDefault();
  }

  #activate(index: number): void {
    const row = this.#rows[index];
    if (!row) return this.#listener.onLeave();
    this.#activeKey = row.key;
    this.update();
    this.#list.toRow(index);
    this.#list.shown(row.key)?.focus({ preventScroll: true });
  }
}
