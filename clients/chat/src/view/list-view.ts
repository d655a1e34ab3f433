/** The list of conversations, on the screen. */

import { avatar, byId, h, set } from "./dom.js";
import { VirtualList } from "./virtual-list.js";

/** One line of the list. */
export interface Entry {
  readonly name: string;
  /** The user or the group, which gives the picture its colour. */
  readonly id: string;
  readonly title: string;
  /** What was last said, or who is typing. */
  readonly preview: string;
  readonly time: string;
  readonly unread: number;
  readonly isGroup: boolean;
  readonly isOnline: boolean;
  readonly isOpen: boolean;
  readonly isTyping: boolean;
}

/** Shows conversations, the last changed first. */
export class ListView {
  readonly #onOpen: (name: string) => void;
  readonly #entryOf: (name: string) => Entry;
  readonly #viewport = byId("conversations");
  readonly #empty = byId("no-conversations");
  readonly #list: VirtualList;
  readonly #entries = new WeakMap<HTMLElement, Entry>();
  #names: readonly string[] = [];
  #active = "";

  /**
   * @param entryOf returns a line; it is called for those in sight only.
   * @param onOpen called with the conversation that the person chooses.
   */
  constructor(entryOf: (name: string) => Entry, onOpen: (name: string) => void) {
    this.#entryOf = entryOf;
    this.#onOpen = onOpen;
    const names = () => this.#names;
    const rows = {
      get count() {
        return names().length;
      },
      key: (i: number) => names()[i] ?? "",
      element: (i: number, old: HTMLElement | undefined) => this.#element(i, old),
    };
    this.#list = new VirtualList(this.#viewport, rows, { estimate: 68, follows: false });
    this.#list.band.setAttribute("role", "list");
    this.#viewport.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows these conversations, in this order. */
  update(names: readonly string[]): void {
    this.#names = names;
    this.#empty.hidden = names.length > 0;
    set(this.#list.band, "role", names.length ? "list" : undefined);
    this.#list.update();
  }

  /** Gives the keyboard to a conversation. */
  focus(name: string): void {
    const index = this.#names.indexOf(name);
    this.#activate(Math.max(0, index));
  }

  #element(i: number, old: HTMLElement | undefined): HTMLElement {
    const name = this.#names[i] ?? "";
    const entry = this.#entryOf(name);
    const known = old && this.#entries.get(old);
    const isTarget = name === this.#active || (!this.#names.includes(this.#active) && i === 0);
    if (old && known && JSON.stringify(known) === JSON.stringify(entry)) {
      const button = old.firstElementChild;
      if (button) set(button, "tabindex", isTarget ? 0 : -1);
      return old;
    }
    const hadFocus = old?.contains(document.activeElement) ?? false;
    const button = h("button", {
      type: "button", class: entry.unread ? "entry has-badge" : "entry", "data-name": name,
      "aria-current": entry.isOpen ? "true" : undefined, tabindex: isTarget ? 0 : -1,
    });
    const picture = avatar(entry.id, entry.title, entry.isGroup);
    if (entry.isOnline) picture.append(h("span", { class: "online" }));
    const preview = h(
      "bdi", entry.isTyping ? { class: "preview typing" } : { class: "preview", lang: "" },
      entry.preview,
    );
    button.append(
      picture,
      h(
        "span", { class: "entry-title" }, h("bdi", { lang: "" }, entry.title),
        entry.isOnline && h("span", { class: "for-readers" }, ", online"),
      ),
      h("span", { class: "entry-time" }, entry.time),
      preview,
    );
    if (entry.unread) {
      const unread = h("span", { class: "for-readers" }, " unread");
      button.append(h("span", { class: "badge" }, badgeOf(entry.unread), unread));
    }
    button.addEventListener("click", () => {
      this.#active = name;
      this.#onOpen(name);
    });
    const element = h("div", { role: "listitem", class: "entry-row" }, button);
    this.#entries.set(element, entry);
    if (hadFocus) queueMicrotask(() => button.focus({ preventScroll: true }));
    return element;
  }

  #key(event: KeyboardEvent): void {
    const last = this.#names.length - 1;
    const at = this.#names.indexOf(this.#active);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#activate(Math.min(last, Math.max(0, to)));
  }

  #activate(index: number): void {
    const name = this.#names[index];
    if (name === undefined) return;
    this.#active = name;
    this.#list.toRow(index);
    this.#list.update();
    this.#list.shown(name)?.querySelector("button")?.focus({ preventScroll: true });
  }
}

const badgeOf = (unread: number): string => unread.toLocaleString();
