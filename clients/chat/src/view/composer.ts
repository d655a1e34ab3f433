/** The field in which a message is written. */

import { byId, set } from "./dom.js";

const TYPING_MS = 2500;
const NEARLY = 0.8;
const DRAFTS = "wsmsg chat drafts";

const utf8 = new TextEncoder();

/** What a {@link Composer} calls. */
export interface ComposerListener {
  readonly onSend: (text: string) => void;
  readonly onTyping: () => void;
  /** Up was pressed in an empty field: the person wants to go through the messages. */
  readonly onUp: () => void;
}

// A draft lasts as long as its tab, like the token.
const draftsOfTab = (): Map<string, string> => {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(DRAFTS) ?? "{}");
    const all = Object.entries(kept ?? {});
    return new Map(all.filter((draft): draft is [string, string] => typeof draft[1] === "string"));
  } catch {
    return new Map(); // Denied.
  }
};

const keepDrafts = (drafts: ReadonlyMap<string, string>): void => {
  try {
    sessionStorage.setItem(DRAFTS, JSON.stringify(Object.fromEntries(drafts)));
  } catch {
    // Denied, or full: a draft is lost on a reload.
  }
};

/** The form below the messages, with a draft for each conversation. */
export class Composer {
  readonly #listener: ComposerListener;
  readonly #field = byId<HTMLTextAreaElement>("text");
  readonly #button = byId<HTMLButtonElement>("send");
  readonly #hint = byId("text-hint");
  readonly #drafts = draftsOfTab();
  #conversation = "";
  #limit = 0;
  #typedAt = -Infinity;

  constructor(listener: ComposerListener) {
    this.#listener = listener;
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#input());
    globalThis.addEventListener("pagehide", () => {
      this.#keepDraft();
      keepDrafts(this.#drafts);
    });
  }

  /** Shows the draft of a conversation. */
  open(conversation: string): void {
    this.#keepDraft();
    this.#conversation = conversation;
    this.#field.value = this.#drafts.get(conversation) ?? "";
    this.#typedAt = -Infinity;
    this.#changed();
  }

  /** Sets the most bytes of a message; 0: it is not known. */
  limitTo(bytes: number): void {
    this.#limit = bytes;
    this.#changed();
  }

  /** Forgets all drafts. */
  clear(): void {
    this.#drafts.clear();
    this.#field.value = "";
  }

  /** Puts the cursor into the field. */
  focus(): void {
    this.#field.focus({ preventScroll: true });
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.#send();
    } else if (event.key === "ArrowUp" && !this.#field.value) {
      event.preventDefault();
      this.#listener.onUp();
    }
  }

  #input(): void {
    this.#changed();
    const now = performance.now();
    if (!this.#field.value.trim() || now - this.#typedAt < TYPING_MS) return;
    this.#typedAt = now;
    this.#listener.onTyping();
  }

  #send(): void {
    const text = this.#field.value;
    if (!this.#isSendable(text)) return;
    this.#field.value = "";
    this.#typedAt = -Infinity;
    this.#drafts.delete(this.#conversation);
    this.#changed();
    this.#listener.onSend(text);
    this.focus();
  }

  #isSendable(text: string): boolean {
    return text.trim() !== "" && (!this.#limit || this.#sizeOf(text) <= this.#limit);
  }

  #sizeOf(text: string): number {
    // No character has more than three bytes for each of its units.
    return text.length * 3 < this.#limit * NEARLY ? text.length : utf8.encode(text).length;
  }

  #changed(): void {
    const text = this.#field.value;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    set(this.#button, "disabled", !this.#isSendable(text));
    const size = this.#sizeOf(text);
    const left = this.#limit - size;
    const isNear = this.#limit > 0 && size > this.#limit * NEARLY;
    this.#hint.textContent =
      !isNear ? ""
      : left < 0 ? `The message is ${(-left).toLocaleString()} bytes too long`
      : `${left.toLocaleString()} bytes left`;
    set(this.#field, "aria-invalid", isNear && left < 0 ? "true" : undefined);
  }

  #keepDraft(): void {
    const text = this.#field.value;
    if (text) this.#drafts.set(this.#conversation, text);
    else this.#drafts.delete(this.#conversation);
  }
}
