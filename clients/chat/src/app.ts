/**
 * The chat of one user: the client, what is known, and what is shown.
 *
 *     client --events--> models --changes--> views --actions--> client
 */

import {
  Client, conversationOf, groupConversation, isGroup, WsmsgError,
  type Event, type Id, type StateChanged, type StoredEvent,
} from "@wsmsg/client";
import { inBrowser } from "@wsmsg/client/browser";
import {
  acceptInvitation, addMembers, blocks, conversations, createGroup, history, invite, leave, lookUp,
  members, type GroupState,
} from "@wsmsg/client/requests";

import { Chat } from "./chat.js";
import { Blocks } from "./model/blocks.js";
import { Conversations } from "./model/conversations.js";
import { LookUps } from "./model/look-ups.js";
import { newId, OutgoingMessages, type TextStorage } from "./model/outgoing.js";
import { partsOf, People } from "./model/people.js";
import { plainName, sentenceOf, ServerClock, shortTimeOf } from "./model/words.js";
import { clientUrl, forget, subjectOf } from "./session.js";
import { askChat, askGroup, confirmed } from "./view/dialogs.js";
import { byId } from "./view/dom.js";
import { ListView, type Entry } from "./view/list-view.js";
import { Notices } from "./view/notices.js";

const WATCHED = 200;
const MEMBERS = 1000;
const HIDDEN_MS = 250;
const PREVIEW = 120;

const localTexts = (): TextStorage | undefined => {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined; // Denied: the client says so, as it keeps nothing either.
  }
};

/** The page of a user who is signed in. */
export class App {
  readonly client: Client;
  readonly conversations: Conversations;
  readonly outgoing: OutgoingMessages;
  readonly people: People;
  readonly blocks: Blocks;
  readonly groups: LookUps<GroupState>;
  readonly notices: Notices;
  readonly clock = new ServerClock();
  readonly #previews: LookUps<StoredEvent>;
  readonly #list: ListView;
  readonly #chat: Chat;
  #watched = "";
  #due = false;

  constructor(token: string) {
    const subject = subjectOf(token);
    this.client = new Client(clientUrl(), () => token, {
      ...inBrowser(`chat ${subject}`), start: "delivered",
    });
    const changed = () => this.changed();
    this.notices = new Notices({
      onRetry: () => this.client.reconnectNow(),
      onSignIn: () => this.#leave(),
    });
    this.conversations = new Conversations(() => conversations(this.client), {
      onChange: changed,
      onFailure: (reason) => {
        if (this.client.state.type === "closed") return; // The bar says more.
        if (reason) this.notices.show("list", `The list of conversations cannot be read: ${reason}`);
        else this.notices.hide("list");
      },
    });
    this.people = new People(changed);
    this.blocks = new Blocks(() => blocks(this.client), changed);
    this.outgoing = new OutgoingMessages(this.client, subject, localTexts(), {
      onChange: changed,
      onUnkept: (reason) => this.notices.show("unkept", UNKEPT(reason)),
    });
    this.groups = new LookUps((group) => members(this.client, group, MEMBERS), changed);
    this.#previews = new LookUps((key) => this.#lastOf(key), changed);
    this.#chat = new Chat(this);
    this.#list = new ListView((name) => this.#entryOf(name), (name) => this.open(name));
    this.#listen();
  }

  /** Starts to connect, and to show what happens. */
  start(): void {
    this.notices.connecting();
    this.client.start();
    void this.#follow();
    this.#route();
  }

  /** The user; "0" before the first connection. */
  get user(): Id {
    return this.client.user;
  }

  /** Returns what a user is called. */
  readonly nameOf = (user: Id): string => {
    const name = plainName(this.client.nameOf(user));
    return user === this.user ? `${name} (you)` : name;
  };

  /** Returns what a conversation is called. */
  titleOf(name: string): string {
    const { group, peer } = this.conversations.get(name);
    if (!group) return peer === this.user ? "Notes to yourself" : this.nameOf(peer);
    const known = this.groups.get(group);
    return known ? plainName(known.name) : `Group ${group}`;
  }

  /** Shows what has changed, once for all changes of a frame. */
  changed(): void {
    if (this.#due) return;
    this.#due = true;
    const show = () => {
      this.#due = false;
      this.#show();
    };
    if (document.visibilityState === "visible") requestAnimationFrame(show);
    else setTimeout(show, HIDDEN_MS); // Frames are not drawn, but the title is seen.
  }

  /** Opens a conversation; empty: the list. */
  open(name: string): void {
    if (`#c=${name}` === location.hash) this.#chat.focus();
    else location.hash = name ? `c=${name}` : "";
  }

  /** Reads a group from the server, and shows it as it is now. */
  async readGroup(group: Id): Promise<GroupState> {
    const state = await members(this.client, group, MEMBERS);
    this.groups.set(group, state);
    this.#chat.groupRead(state);
    return state;
  }

  /** Accepts an invitation, and opens the group. */
  async joinGroup(group: Id): Promise<void> {
    await acceptInvitation(this.client, group);
    this.open(groupConversation(group));
  }

  /**
   * Returns the users in a text: numbers, or names where users have names.
   *
   * @throws Error - there is no such user; the message says so to the person.
   */
  readonly usersIn = async (text: string): Promise<Id[]> => {
    const { users, names } = partsOf(text);
    if (!names.length) return users;
    try {
      const found = await lookUp(this.client, { names });
      const [unknown] = found.unknown;
      if (unknown !== undefined) throw new Error(`There is no user “${unknown}”`);
      return [...new Set([...users, ...found.users.values()])];
    } catch (error) {
      const hasNone = error instanceof WsmsgError && error.code === "unsupported";
      throw hasNone ? new Error(`“${names[0] ?? ""}” is not the number of a user`) : error;
    }
  };

  /** Adds users to a group, or invites them where users are not added. */
  async addToGroup(group: Id, users: readonly Id[]): Promise<void> {
    try {
      await addMembers(this.client, group, users);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      for (const user of users) await invite(this.client, group, user);
      this.notices.show("invited", `Invited: ${users.map(this.nameOf).join(", ")}`);
    }
  }

  async #createGroup(name: string, users: Id[], history: boolean): Promise<Id> {
    try {
      return await createGroup(this.client, name, users, { history, clientId: newId() });
    } catch (error) {
      if (!isForbidden(error) || !users.length) throw error;
      const group = await createGroup(this.client, name, [], { history, clientId: newId() });
      await this.addToGroup(group, users);
      return group;
    }
  }

  /** Leaves a group, whose conversation is not shown any more. */
  async leaveGroup(group: Id): Promise<void> {
    await leave(this.client, group);
    this.open("");
    this.conversations.remove(groupConversation(group));
  }

  #show(): void {
    const { names, unread, isKnown } = this.conversations;
    this.#list.update(names);
    byId("no-conversations").hidden = !isKnown || names.length > 0;
    document.title = unread ? `(${unread}) Chat` : "Chat";
    this.#chat.update();
    this.#watch(names);
  }

  #entryOf(name: string): Entry {
    const conversation = this.conversations.get(name);
    const { group, peer, unread, timeMs } = conversation;
    const typing = this.people.typing(name).map(this.nameOf);
    const { head, last = head ? this.#previews.get(`${name} ${head}`) : undefined } = conversation;
    return {
      name, unread,
      id: peer || group,
      title: this.titleOf(name),
      preview: typing.length ? "typing…" : last ? this.#previewOf(last, group !== "") : "",
      time: shortTimeOf(timeMs, this.clock.nowMs),
      isGroup: group !== "",
      isOnline: !group && peer !== this.user && (this.people.presence(peer)?.online ?? false),
      isOpen: name === this.#chat.name,
      isTyping: typing.length > 0,
    };
  }

  #previewOf(event: StoredEvent, isOfGroup: boolean): string {
    if (event.type !== "messageReceived" || event.recalled || event.kind > 1) {
      return sentenceOf(event, this.nameOf);
    }
    const text = event.content.slice(0, PREVIEW * 2).replaceAll(/\s+/g, " ").slice(0, PREVIEW);
    return event.mine ? `You: ${text}` : isOfGroup ? `${this.nameOf(event.sender)}: ${text}` : text;
  }

  async #lastOf(key: string): Promise<StoredEvent> {
    const [name = "", head] = key.split(" ");
    const [last] = await history(this.client, name, { after: Number(head) - 1, limit: 1 });
    if (!last) throw new Error("there is no last message");
    return last;
  }

  #watch(names: readonly string[]): void {
    const most = Math.min(WATCHED, this.client.limits?.watch ?? 0);
    const users = new Set<Id>();
    const add = (user: Id | undefined) => {
      if (user && user !== this.user && user !== "0" && users.size < most) users.add(user);
    };
    add(this.conversations.known(this.#chat.name)?.peer);
    for (const name of names) add(this.conversations.known(name)?.peer);
    const watched = [...users].sort().join();
    if (watched === this.#watched) return;
    this.#watched = watched;
    this.client.watch(users);
  }

  // -- events

  async #follow(): Promise<void> {
    for await (const event of this.client) this.#heard(event);
  }

  #heard(event: Event): void {
    this.#knowUser();
    switch (event.type) {
      case "blockChanged":
        this.blocks.changed(event);
        return this.#arrived(event);
      case "messageReceived":
      case "groupChanged":
      case "messageRecalled":
      case "invitationReceived":
      case "invitationDeclined":
        return this.#arrived(event);
      case "receiptReceived":
        this.conversations.known(event.conversation)
          ?.applyReceipt(event.user, event.delivered, event.read);
        break;
      case "readMarked":
        this.conversations.markedRead(
          event.conversation, event.read, this.#chat.eventsOf(event.conversation),
        );
        break;
      case "presenceChanged":
        this.people.changed(event);
        break;
      case "typingReceived":
        if (event.user !== this.user) this.people.types(event.conversation, event.user);
        break;
      case "sendQueued":
        this.outgoing.queued(event, this.user);
        break;
      case "sendSettled":
        this.outgoing.settled(event.clientId, event.accepted, event.error);
        break;
      case "memoryOnly":
        this.notices.show("memory", UNKEPT(event.reason));
        break;
      case "messagesMissed":
        this.conversations.refresh();
        this.#chat.check(event.conversation);
        break;
      case "historyReplaced":
      case "historyRewound":
        this.notices.show("history", REPLACED);
        this.conversations.beginAnew();
        this.#previews.clear();
        this.#chat.reopen();
        break;
      case "connected":
      case "reconnecting":
      case "closed":
        this.#stateChanged(event);
    }
    this.changed();
  }

  /** Notes who the user is: the state of an earlier run tells it before the server does. */
  #knowUser(): void {
    if (this.user === "0" || this.conversations.user === this.user) return;
    this.conversations.user = this.user;
    byId("me").textContent = plainName(this.client.nameOf(this.user));
    this.#chat.reopen();
  }

  #arrived(event: StoredEvent): void {
    const { conversation, sender, clientId, timeMs } = event;
    if (event.mine && clientId) this.outgoing.stored(clientId);
    this.people.stops(conversation, sender);
    const isNew = this.conversations.arrived(event);
    if (isNew && this.client.state.type === "connected") this.clock.told(timeMs);
    if (event.type === "groupChanged") {
      const group = event.group;
      if (event.created) this.groups.forget(group);
      else if (this.groups.known(group)) {
        // A user who is not a member any more knows the last name.
        this.readGroup(group).catch(() => this.changed());
      }
    }
    this.#chat.arrived(event);
    if (isNew && !event.mine) this.#announce(event);
    this.changed();
  }

  #announce(event: StoredEvent): void {
    if (this.conversations.isKnown && event.type === "messageReceived") {
      const where = isGroup(event.conversation) ? ` in ${this.titleOf(event.conversation)}` : "";
      const text = event.content.slice(0, PREVIEW);
      this.notices.announce(`${this.nameOf(event.sender)}${where}: ${text}`);
    }
  }

  #stateChanged(state: StateChanged): void {
    this.notices.tell(state);
    if (state.type === "connected") {
      this.groups.retry();
      this.#previews.retry();
      this.conversations.refresh(0);
      void this.blocks.refresh();
      this.#chat.connected();
    } else {
      this.people.lost();
    }
  }

  // -- actions

  #listen(): void {
    globalThis.addEventListener("hashchange", () => this.#route());
    globalThis.addEventListener("storage", () => this.outgoing.reload());
    globalThis.addEventListener("beforeunload", (event) => {
      if (this.notices.has("memory") && this.client.unsent) event.preventDefault();
    });
    byId("start-chat").addEventListener("click", () =>
      askChat(this.usersIn, (user) => this.open(conversationOf(this.user, user))));
    byId("start-group").addEventListener("click", () =>
      askGroup(this.usersIn, async (name, users, history) => {
        this.open(groupConversation(await this.#createGroup(name, users, history)));
      }));
    byId("sign-out").addEventListener("click", () => void this.#signOut());
  }

  #route(): void {
    const name = new URLSearchParams(location.hash.slice(1)).get("c") ?? "";
    this.#chat.open(/^(u:\d{1,19}:\d{1,19}|g:\d{1,19})$/.test(name) ? name : "");
    this.changed();
  }

  async #signOut(): Promise<void> {
    const { unsent } = this.client;
    const question = `${unsent} message${unsent === 1 ? " is" : "s are"} not sent yet. ` +
      "Your next session in this browser will send them.";
    if (unsent && !(await confirmed(question, "Sign out"))) return;
    await this.client.close();
    this.#leave();
  }

  #leave(): void {
    forget();
    this.#chat.clear();
    globalThis.history.replaceState(null, "", location.pathname);
    location.reload();
  }
}

const isForbidden = (error: unknown): boolean =>
  error instanceof WsmsgError && error.code === "forbidden";

const UNKEPT = (reason: string): string =>
  `This browser does not keep your messages across a reload (${reason}). ` +
  "Stay on this page until they are sent.";

const REPLACED =
  "The operator has restored an older copy of the messages. What was sent since then " +
  "may be missing; your own recent messages are being sent again.";
