/** What the page says about the connection, and about what it cannot keep. */

import type { StateChanged } from "@wsmsg/client";

import { endOf } from "../model/words.js";
import { byId, h, iconButton } from "./dom.js";

const SOON_MS = 400;

/** What {@link Notices} call. */
export interface NoticesListener {
  readonly onRetry: () => void;
  readonly onSignIn: () => void;
}

/** The bar with the state of the connection, and the notices below it. */
export class Notices {
  readonly #listener: NoticesListener;
  readonly #bar = byId("connection");
  readonly #list = byId("notices");
  readonly #live = byId("announcements");
  readonly #shown = new Map<string, HTMLElement>();
  readonly #told = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: NoticesListener) {
    this.#listener = listener;
  }

  /** Shows the state of the connection. */
  tell(state: StateChanged): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    document.documentElement.dataset["connection"] = state.type;
    if (state.type === "connected") {
      this.#bar.hidden = true;
      this.#bar.replaceChildren();
    } else if (state.type === "closed") {
      this.#bar.hidden = false;
      this.#bar.className = "bar ended";
      this.#bar.replaceChildren(
        h("span", {}, endOf(state)), button("Sign in again", this.#listener.onSignIn),
      );
    } else {
      this.#reconnecting(state.reason, state.delayS);
    }
  }

  /** Shows that the first connection is being made, unless it is there soon. */
  connecting(): void {
    this.#soon = setTimeout(() => {
      this.#bar.hidden = false;
      this.#bar.className = "bar";
      this.#bar.replaceChildren(h("span", {}, "Connecting…"));
    }, SOON_MS);
  }

  /** Shows a notice, once for each name, until the person closes it. */
  show(name: string, text: string): void {
    if (this.#shown.get(name)?.firstElementChild?.textContent === text) return;
    this.hide(name);
    const close = iconButton("close", "Close", () => this.hide(name));
    const notice = h("div", { class: "notice", role: "status" }, h("p", { dir: "auto" }, text), close);
    this.#told.add(name);
    this.#shown.set(name, notice);
    this.#list.append(notice);
  }

  /** Whether a notice of this name is shown, or was shown and closed. */
  has(name: string): boolean {
    return this.#told.has(name);
  }

  /** Removes a notice. */
  hide(name: string): void {
    this.#shown.get(name)?.remove();
    this.#shown.delete(name);
  }

  /** Tells a screen reader something, such as a message that arrived. */
  announce(text: string): void {
    this.#live.replaceChildren(h("p", {}, text));
  }

  #reconnecting(reason: string, delayS: number): void {
    const at = performance.now() + delayS * 1000;
    const left = h("span", { class: "left" });
    const count = () => {
      const seconds = Math.ceil((at - performance.now()) / 1000);
      left.textContent = seconds > 0 ? `Next attempt in ${seconds} s.` : "Connecting…";
    };
    count();
    this.#timer = setInterval(count, 1000);
    this.#bar.hidden = false;
    this.#bar.className = "bar lost";
    this.#bar.replaceChildren(
      h("span", { dir: "auto" }, `No connection: ${reason}.`),
      // A count that changes each second is not read aloud.
      h("span", { "aria-hidden": "true" }, left),
      button("Try now", this.#listener.onRetry),
    );
  }
}

const button = (text: string, onClick: () => void): HTMLButtonElement => {
  const made = h("button", { type: "button", class: "link-button" }, text);
  made.addEventListener("click", onClick);
  return made;
};
