/** The open conversation: its messages, its head line, and the field to write in. */

import { WsmsgError, type Id, type StoredEvent } from "@wsmsg/client";
import {
  block, declineInvitation, history, recall, removeMembers, unblock,
  type GroupState, type Range,
} from "@wsmsg/client/requests";

import type { App } from "./app.js";
import { Thread } from "./model/thread.js";
import { momentOf } from "./model/words.js";
import { Composer } from "./view/composer.js";
import { confirmed, showMembers } from "./view/dialogs.js";
import { avatar, byId, set } from "./view/dom.js";
import { ThreadView } from "./view/thread-view.js";

/** Conversations whose messages stay loaded when another one is opened. */
const KEPT = 3;

/** The part of the page beside the list. */
export class Chat {
  /** The conversation that is open; empty: none. */
  name = "";
  readonly #app: App;
  readonly #view: ThreadView;
  readonly #composer: Composer;
  readonly #threads = new Map<string, Thread>();
  readonly #block = byId("block");
  #picture = "";
  #showMembers: ((group: GroupState) => void) | undefined;

  constructor(app: App) {
    this.#app = app;
    this.#view = new ThreadView({
      onRead: (seq) => app.client.markRead(this.name, seq),
      onRetry: (clientId) => app.outgoing.retry(clientId, this.#to),
      onDiscard: (clientId) => app.outgoing.discard(clientId),
      onDelete: (seq) => void this.#delete(seq),
      onJoin: (group) => void this.#invited(() => app.joinGroup(group)),
      onDecline: (group) => void this.#invited(() => declineInvitation(app.client, group)),
      onLeave: () => this.#composer.focus(),
      nameOf: app.nameOf,
      outgoing: () => app.outgoing.of(this.name),
    });
    this.#composer = new Composer({
      onSend: (text) => this.#send(text),
      onTyping: () => app.client.typing(this.name),
      onUp: () => this.#view.focus(),
    });
    byId("back").addEventListener("click", () => app.open(""));
    byId("show-members").addEventListener("click", () => void this.#members());
    this.#block.addEventListener("click", () => void this.#toggleBlock());
  }

  /** Opens a conversation; empty: none. */
  open(name: string): void {
    if (name === this.name) return;
    this.name = name;
    document.documentElement.dataset["open"] = name ? "chat" : "list";
    this.#composer.open(name);
    this.#load();
    if (name) this.focus();
  }

  /** Forgets what is written and not sent, as the user signs out. */
  clear(): void {
    this.#composer.clear();
  }

  /** Gives the keyboard to the field, where there is a keyboard. */
  focus(): void {
    if (matchMedia("(hover: hover)").matches) this.#composer.focus();
  }

  /** Reads the open conversation again: the server has another history. */
  reopen(): void {
    this.#threads.clear();
    this.#load();
  }

  /** Goes on with what waited for a connection. */
  connected(): void {
    this.#composer.limitTo(this.#app.client.limits?.content_bytes ?? 0);
    const thread = this.#threads.get(this.name);
    if (!thread) this.#load();
    else thread.retry();
  }

  /** Adds a message that arrived. */
  arrived(event: StoredEvent): void {
    this.#threads.get(event.conversation)?.arrived(event);
  }

  /** Shows a group as it is now, if its members are shown. */
  groupRead(group: GroupState): void {
    this.#showMembers?.(group);
  }

  /** Loads what was missed in a conversation. */
  check(name: string): void {
    this.#threads.get(name)?.check();
  }

  /** Returns the loaded messages of a conversation; `undefined`: none are. */
  eventsOf(name: string): readonly StoredEvent[] | undefined {
    return this.#threads.get(name)?.events;
  }

  /** Shows what has changed. */
  update(): void {
    if (!this.name || this.#app.user === "0") return;
    const { people, conversations, groups, blocks } = this.#app;
    const { group, peer } = conversations.get(this.name);
    const isBlocked = blocks.has(peer);
    const title = this.#app.titleOf(this.name);
    setText("chat-title", title);
    if (this.#picture !== `${this.name} ${title}`) {
      this.#picture = `${this.name} ${title}`;
      byId("chat-picture").replaceChildren(avatar(peer || group, title, group !== ""));
    }
    byId("show-members").hidden = !group;
    this.#block.hidden = !blocks.isKnown || group !== "" || peer === this.#app.user;
    this.#block.title = isBlocked ? "Unblock" : "Block";
    set(this.#block, "aria-label", `${this.#block.title} ${title}`);
    set(this.#block, "data-on", isBlocked);
    const typing = people.typing(this.name).map(this.#app.nameOf);
    const count = group ? groups.known(group)?.count : undefined;
    setText("chat-state",
      count ? `${count} member${count === 1 ? "" : "s"}`
      : group || peer === this.#app.user ? ""
      : isBlocked ? "blocked: their messages do not reach you"
      : this.#presenceOf(peer));
    setText("typing",
      typing.length > 1 ? `${typing.slice(0, 3).join(", ")} are typing…`
      : typing.length ? `${typing[0] ?? ""} is typing…` : "");
    this.#view.update();
  }

  #presenceOf(user: Id): string {
    const known = this.#app.people.presence(user);
    return !known ? ""
      : known.online ? "online"
      : known.lastSeenMs ? `last seen ${momentOf(known.lastSeenMs)}`
      : "offline";
  }

  /** Loads the open conversation, as soon as the list is there. */
  #load(): void {
    const { conversations, client, outgoing, user } = this.#app;
    const { name } = this;
    byId("chat").hidden = !name || user === "0";
    byId("no-chat").hidden = name !== "";
    if (!name || user === "0") return this.#view.open(undefined, user);
    let thread = this.#threads.get(name);
    if (!thread) {
      const read = (of: string, range: Range) => history(client, of, range);
      const made = new Thread(read, conversations.get(name), () => this.#app.changed());
      thread = made;
      void conversations.listed().then(() => made.open()).then(() => {
        if (made.atEnd) outgoing.loaded(name);
      });
    }
    // The last opened ones are kept.
    this.#threads.delete(name);
    this.#threads.set(name, thread);
    for (const oldest of this.#threads.keys()) {
      if (this.#threads.size <= KEPT) break;
      this.#threads.delete(oldest);
    }
    this.#view.open(thread, user);
  }

  get #to(): { to: Id } | { group: Id } {
    const { group, peer } = this.#app.conversations.get(this.name);
    return group ? { group } : { to: peer };
  }

  #send(text: string): void {
    this.#app.outgoing.send(this.name, this.#to, text);
    this.#view.sent();
  }

  async #invited(answer: () => Promise<unknown>): Promise<void> {
    try {
      await answer();
    } catch (error) {
      const reason = error instanceof WsmsgError ? error.reason : String(error);
      this.#app.notices.show("invitation", `The invitation cannot be answered: ${reason}`);
    }
  }

  async #delete(seq: number): Promise<void> {
    const { name } = this;
    if (!(await confirmed("Delete this message for everyone?", "Delete"))) return;
    try {
      await recall(this.#app.client, name, seq);
    } catch (error) {
      const reason = error instanceof WsmsgError ? error.reason : String(error);
      this.#app.notices.show("delete", `The message cannot be deleted: ${reason}`);
    }
  }

  async #toggleBlock(): Promise<void> {
    const { client, blocks, conversations, nameOf } = this.#app;
    const { peer } = conversations.get(this.name);
    const isBlocked = blocks.has(peer);
    const question =
      `Block ${nameOf(peer)}? Their messages will not reach you, not even later, ` +
      "and they are not told.";
    if (!isBlocked && !(await confirmed(question, "Block"))) return;
    try {
      await (isBlocked ? unblock : block)(client, peer);
    } catch (error) {
      const reason = error instanceof WsmsgError ? error.reason : String(error);
      const what = isBlocked ? "The block cannot be ended" : "The user cannot be blocked";
      this.#app.notices.show("block", `${what}: ${reason}`);
    }
  }

  async #members(): Promise<void> {
    const { client, user, nameOf } = this.#app;
    const { group } = this.#app.conversations.get(this.name);
    try {
      const state = await this.#app.readGroup(group);
      this.#showMembers = showMembers(this.#app.titleOf(this.name), state, {
        user, nameOf,
        find: this.#app.usersIn,
        add: (users) => this.#app.addToGroup(group, users),
        remove: (one) => removeMembers(client, group, [one]),
        leave: () => this.#app.leaveGroup(group),
      });
    } catch (error) {
      const reason = error instanceof WsmsgError ? error.reason : String(error);
      this.#app.notices.show("members", `The members cannot be read: ${reason}`);
    }
  }
}

const setText = (id: string, text: string): void => {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
};
