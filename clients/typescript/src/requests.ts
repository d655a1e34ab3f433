/** The methods of the client that send something, or ask for something. */

import { checkedId, checkedUsers, checkName, checkNumber } from "./checks.js";
import { WsmsgError } from "./errors.js";
import { TEXT, type From, type Head, type Request, type Submission } from "./frames.js";
import { greater, groupIn, isGreater, madeUp, type Id, type IdLike } from "./ids.js";
import { received, type SendAccepted, type StoredEvent } from "./state/events.js";
import type { Answer } from "./state/queries.js";

// More than any server returns at once.
const PAGE = 10_000;
const GROUP_CHANGE_USERS = 1000;

/** A message to send: to a user, or to a group. */
export interface Message {
  readonly to?: IdLike;
  readonly group?: IdLike;
  readonly content: string;
  /** A repeat with the same id is the same message; a new id if it is left out. */
  readonly clientId?: string;
  /** Plain text if it is left out. */
  readonly kind?: number;
}

/** A group with its members. */
export interface GroupState {
  readonly group: Id;
  readonly name: string;
  readonly owner: Id;
  /** New members can read all messages, not only those after they joined. */
  readonly history: boolean;
  /** The number of members, which may be more than were asked for. */
  readonly count: number;
  /** Each with the number of the change that added the member. */
  readonly members: readonly { readonly user: Id; readonly joined: number }[];
}

/** The part of messages to read. */
export interface Range {
  /** Read those before this number; the last ones if neither this nor `after` is given. */
  readonly before?: number;
  /** Read those after this number. */
  readonly after?: number;
  /** Most messages to read: 50 if it is left out. */
  readonly limit?: number;
}

/** A query without its id. */
type Question = Request extends infer R
  ? R extends Request ? Omit<R, "id"> : never
  : never;

const another = (): never => {
  throw new WsmsgError("internal", "the server sent an answer of another kind");
};

/** Requests, each repeated until it is answered, across lost connections. */
export abstract class Requests {
  /** Submits a frame, and waits until the server accepts it. */
  protected abstract accepted(frame: Submission): Promise<SendAccepted>;

  /** Sends a query, and waits for the answer. */
  protected abstract ask(question: Question): Promise<Exclude<Answer, WsmsgError>>;

  /** Returns the id of this user, once it is known. */
  protected abstract self(): Promise<Id>;

  /**
   * Sends a message, and waits until the server has accepted it: it cannot be lost any
   * more.
   *
   * @throws WsmsgError - the server refused the message for good, or too many messages
   *   wait to be accepted.
   */
  async send({ to = "0", group = "0", content, clientId, kind = TEXT }: Message): Promise<SendAccepted> {
    return this.accepted({
      type: "send",
      client_id: clientId ?? madeUp(),
      to: checkedId(to, "send.to", true),
      group: checkedId(group, "send.group", true),
      content,
      kind,
    });
  }

  /**
   * Recalls a message of this user: its content is deleted, and all members are told.
   *
   * @throws WsmsgError - it is of another user, or the time limit is over.
   */
  async recall(conversation: string, seq: number, clientId = madeUp()): Promise<SendAccepted> {
    return this.accepted({ type: "recall", client_id: clientId, conversation, seq });
  }

  /**
   * Creates a group that this user owns.
   *
   * @param members at most 1,000; see {@link addMembers} for more.
   * @param options `history`: new members can read from the first message on.
   * @returns the group's number.
   */
  async createGroup(
    name: string, members: Iterable<IdLike> = [],
    options: { readonly history?: boolean; readonly clientId?: string } = {},
  ): Promise<Id> {
    const { conversation } = await this.accepted({
      type: "create_group",
      client_id: options.clientId ?? madeUp(),
      name,
      members: checkedUsers(members, "create_group.members"),
      history: options.history ?? false,
    });
    return groupIn(conversation);
  }

  /** Adds and removes members in one change, at most 1,000 users together. */
  async changeGroup(
    group: IdLike,
    change: {
      readonly add?: Iterable<IdLike>;
      readonly remove?: Iterable<IdLike>;
      readonly clientId?: string;
    },
  ): Promise<SendAccepted> {
    return this.accepted({
      type: "change_group",
      client_id: change.clientId ?? madeUp(),
      group: checkedId(group, "change_group.group"),
      add: checkedUsers(change.add ?? [], "change_group.add"),
      remove: checkedUsers(change.remove ?? [], "change_group.remove"),
    });
  }

  /** Adds any number of members, a thousand in each change; only the owner may. */
  async addMembers(group: IdLike, users: Iterable<IdLike>): Promise<void> {
    const all = checkedUsers(users, "change_group.add");
    while (all.length) {
      await this.changeGroup(group, { add: all.splice(0, GROUP_CHANGE_USERS) });
    }
  }

  /** Removes any number of members, a thousand in each change; only the owner may. */
  async removeMembers(group: IdLike, users: Iterable<IdLike>): Promise<void> {
    const all = checkedUsers(users, "change_group.remove");
    while (all.length) {
      await this.changeGroup(group, { remove: all.splice(0, GROUP_CHANGE_USERS) });
    }
  }

  /** Leaves a group. */
  async leave(group: IdLike): Promise<SendAccepted> {
    return this.changeGroup(group, { remove: [await this.self()] });
  }

  /** Reads a group of this user with its members, up to a limit. */
  async members(group: IdLike, limit = Infinity): Promise<GroupState> {
    const number = checkedId(group, "members.group");
    const found = new Map<Id, number>();
    let after = "0";
    let answer: From<"group">;
    for (;;) {
      const most = Math.min(limit - found.size, PAGE);
      const told = await this.ask({ type: "members", group: number, after, limit: most });
      answer = told.type === "group" ? told : another();
      const before = after;
      for (const { user, joined } of answer.members) {
        found.set(user, joined);
        after = greater(after, user);
      }
      if (!answer.more && found.size >= answer.count) break;
      if (found.size >= limit || !isGreater(after, before)) break;
    }
    const { name, owner, history, count } = answer;
    const members = Array.from(found, ([user, joined]) => ({ user, joined }));
    return { group: number, name, owner, history, count, members };
  }

  /**
   * Reads messages of a conversation from the server, in order: those after a number, the
   * last ones, or the last ones before a number.  They do not count as delivered.
   */
  async history(conversation: string, range: Range = {}): Promise<StoredEvent[]> {
    const { limit = 50 } = range;
    checkName(conversation, "sync.conversation");
    checkNumber(limit, "sync.limit");
    if (range.after !== undefined) return this.#after(conversation, range.after, limit);
    const before = range.before ?? (await this.#page(conversation, 0, 1)).head + 1;
    checkNumber(before, "before");
    const first = Math.max(0, before - 1 - limit);
    return this.#after(conversation, first, before - 1 - first, before);
  }

  /** Reads all conversations of the user from the server, least recently changed first. */
  async conversations(): Promise<Head[]> {
    const found = new Map<string, Head>();
    let position = "";
    for (let more = true; more; ) {
      const told = await this.ask({ type: "conversations", position });
      const answer = told.type === "heads" ? told : another();
      for (const head of answer.heads) found.set(head.conversation, head);
      ({ position, more } = answer);
    }
    return [...found.values()].sort((one, other) => one.time - other.time);
  }

  async #after(
    conversation: string, first: number, limit: number, before = Infinity,
  ): Promise<StoredEvent[]> {
    const user = await this.self();
    const found: StoredEvent[] = [];
    checkNumber(first, "sync.after");
    for (let after = first; found.length < limit && after < before; ) {
      const most = Math.min(limit - found.length, PAGE);
      const { messages, more } = await this.#page(conversation, after, most);
      found.push(...messages.map((message) => received(message, user)));
      const last = messages.at(-1);
      if (!last || !more || last.seq <= after) break;
      after = last.seq;
    }
    // In a group the numbers may start above 1, and skip.
    return found.slice(0, limit).filter(({ seq }) => seq < before);
  }

  async #page(conversation: string, after: number, limit: number): Promise<From<"page">> {
    const told = await this.ask({ type: "sync", conversation, after, limit });
    return told.type === "page" ? told : another();
  }
}
