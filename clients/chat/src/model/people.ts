/** The other users: who is online, who is typing, and how each is called. */

import type { Id, PresenceChanged } from "@wsmsg/client";

const TYPING_MS = 6000;

const isUser = (text: string): boolean =>
  /^[1-9]\d{0,18}$/.test(text) && BigInt(text) < 2n ** 63n;

/** Returns the numbers and the names of users in a text, separated by commas or lines. */
export const partsOf = (text: string): { readonly users: Id[]; readonly names: string[] } => {
  const parts = text.split(/[,;\n]/).map((part) => part.trim()).filter(Boolean);
  // Numbers may have spaces between them; names may have spaces inside.
  const all = parts.flatMap((part) => (/^[\d\s]+$/.test(part) ? part.split(/\s+/) : [part]));
  return {
    users: [...new Set(all.filter(isUser))],
    names: [...new Set(all.filter((part) => !isUser(part)))],
  };
};

/** Presence and typing, as far as the server tells. */
export class People {
  readonly #presence = new Map<Id, PresenceChanged>();
  readonly #typing = new Map<string, Map<Id, number>>();
  readonly #onTyping: (conversation: string) => void;

  /** @param onTyping called when the users who type in a conversation change. */
  constructor(onTyping: (conversation: string) => void) {
    this.#onTyping = onTyping;
  }

  /** Applies that a user came online or went offline. */
  changed(event: PresenceChanged): void {
    this.#presence.set(event.user, event);
  }

  /** Returns what is known about a user; `undefined`: nothing. */
  presence(user: Id): PresenceChanged | undefined {
    return this.#presence.get(user);
  }

  /** Forgets who is online, as nothing is heard of it without a connection. */
  lost(): void {
    this.#presence.clear();
    const names = [...this.#typing.keys()];
    this.#typing.clear();
    names.forEach(this.#onTyping);
  }

  /** Notes that a user is typing. */
  types(conversation: string, user: Id): void {
    const typing = this.#typing.get(conversation) ?? new Map<Id, number>();
    this.#typing.set(conversation, typing);
    clearTimeout(typing.get(user));
    const timer = setTimeout(() => this.stops(conversation, user), TYPING_MS);
    typing.set(user, Number(timer));
    this.#onTyping(conversation);
  }

  /** Notes that a user is not typing any more: their message is there. */
  stops(conversation: string, user: Id): void {
    const typing = this.#typing.get(conversation);
    if (!typing?.has(user)) return;
    clearTimeout(typing.get(user));
    typing.delete(user);
    if (!typing.size) this.#typing.delete(conversation);
    this.#onTyping(conversation);
  }

  /** Returns the users who are typing in a conversation. */
  typing(conversation: string): Id[] {
    return [...(this.#typing.get(conversation)?.keys() ?? [])];
  }
}
