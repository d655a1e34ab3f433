/** The methods of the client that send something, or ask for something. */

import {
  apart, checkedId, checkName, checkNumber, GROUP_CHANGE_USERS, one,
} from "./checks.js";
import { WsmsgError } from "./errors.js";
import { TEXT, type From, type Head, type Request, type Submission } from "./frames.js";
import { greater, groupIn, isGreater, madeUp, type Id, type IdLike, type UserLike } from "./ids.js";
import { received, type SendAccepted, type Stored, type StoredEvent } from "./state/events.js";
import type { Answer } from "./state/queries.js";

// More than any server returns at once.
const PAGE = 10_000;

/** A message to send: to a user, or to a group. */
export interface Message {
  readonly to?: UserLike;
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
  /** The application's own id of the group; empty: it has none. */
  readonly key: string;
}

/** A block of the user: of another user, or of a group; the other id is "0". */
export interface BlockState {
  readonly user: Id;
  readonly group: Id;
  readonly timeMs: number;
}

/** An open invitation of the user. */
export interface InvitationState {
  readonly group: Id;
  readonly name: string;
  /** The user who invited. */
  readonly by: Id;
  readonly timeMs: number;
  /** When it ends. */
  readonly expiresMs: number;
}

/** The answer to a look-up. */
export interface FoundNames {
  /** The numbers of the names that were found. */
  readonly users: ReadonlyMap<string, Id>;
  /** The names that no user has. */
  readonly unknown: readonly string[];
  /** The numbers of the groups with these keys; {@link Client.members} tells if they exist. */
  readonly groups: ReadonlyMap<string, Id>;
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

/** Requests, each repeated until it is answered, across lost connections. */
export abstract class Requests {
  /** Submits a frame, and waits until the server accepts it. */
  protected abstract accepted(frame: Submission): Promise<SendAccepted>;

  /** Sends a query, and waits for the answer. */
  protected abstract ask(question: Question): Promise<Exclude<Answer, WsmsgError>>;

  /** Returns the id of this user, once it is known. */
  protected abstract self(): Promise<Id>;

  /** Returns the name of a user; the digits of the number if none is known. */
  abstract nameOf(user: IdLike): string;

  /**
   * Sends a message, and waits until the server has accepted it: it cannot be lost any
   * more.
   *
   * @throws WsmsgError - the server refused the message for good, or too many messages
   *   wait to be accepted.
   */
  async send({ to, group = "0", content, clientId = "", kind = TEXT }: Message): Promise<SendAccepted> {
    const [number, to_name] = to === undefined ? ["0", ""] : one(to, "to");
    return this.#submit({
      type: "send",
      client_id: clientId,
      to: number,
      group: checkedId(group, "group", true),
      content,
      kind,
      to_name,
    });
  }

  /** Sends a text to the conversation of an event, as {@link send} does. */
  async reply({ conversation }: Stored, content: string, clientId = ""): Promise<SendAccepted> {
    const user = await this.self();
    const group = groupIn(conversation);
    const [, one = "", other = ""] = conversation.split(":");
    return this.send({ ...(group ? { group } : { to: one === user ? other : one }), content, clientId });
  }

  /**
   * Recalls a message of this user: its content is deleted, and all members are told.
   *
   * @throws WsmsgError - it is of another user, or the time limit is over.
   */
  async recall(conversation: string, seq: number, clientId = ""): Promise<SendAccepted> {
    return this.#submit({ type: "recall", client_id: clientId, conversation, seq });
  }

  /**
   * Creates a group that this user owns.
   *
   * @param members at most 1,000; see {@link addMembers} for more.
   * @param options `history`: new members can read from the first message on.
   * @returns the group's number.
   */
  async createGroup(
    name: string, members: Iterable<UserLike> = [],
    options: { readonly history?: boolean; readonly clientId?: string } = {},
  ): Promise<Id> {
    const { history = false, clientId = "" } = options;
    const [numbers, member_names] = apart(members, "members");
    const { conversation } = await this.#submit({
      type: "create_group", client_id: clientId, name, members: numbers, member_names, history,
    });
    return groupIn(conversation);
  }

  /** Adds and removes members in one change, at most 1,000 users together. */
  async changeGroup(
    group: IdLike,
    change: {
      readonly add?: Iterable<UserLike>;
      readonly remove?: Iterable<UserLike>;
      readonly clientId?: string;
    },
  ): Promise<SendAccepted> {
    const [add, add_names] = apart(change.add ?? [], "add");
    const [remove, remove_names] = apart(change.remove ?? [], "remove");
    return this.#group("change_group", group, change.clientId, {
      add, remove, add_names, remove_names,
    });
  }

  /** Adds any number of members, a thousand in each change; only the owner may. */
  async addMembers(group: IdLike, users: Iterable<UserLike>): Promise<void> {
    for (const add of thousands(users)) await this.changeGroup(group, { add });
  }

  /** Removes any number of members, a thousand in each change; only the owner may. */
  async removeMembers(group: IdLike, users: Iterable<UserLike>): Promise<void> {
    for (const remove of thousands(users)) await this.changeGroup(group, { remove });
  }

  /** Leaves a group. */
  async leave(group: IdLike): Promise<SendAccepted> {
    return this.changeGroup(group, { remove: [await this.self()] });
  }

  /** Reads a group of this user with its members, up to a limit. */
  async members(group: IdLike, limit = Infinity): Promise<GroupState> {
    const number = checkedId(group, "group");
    const found = new Map<Id, number>();
    let after = "0";
    for (;;) {
      const most = Math.min(limit - found.size, PAGE);
      const answer = await this.#get("group", { type: "members", group: number, after, limit: most });
      const before = after;
      for (const { user, joined } of answer.members) {
        found.set(user, joined);
        after = greater(after, user);
      }
      const more = answer.more || found.size < answer.count;
      if (more && found.size < limit && isGreater(after, before)) continue;
      const { name, owner, history, count, key } = answer;
      const members = Array.from(found, ([user, joined]) => ({ user, joined }));
      return { group: number, name, owner, history, count, members, key };
    }
  }

  /**
   * Hears nothing more of a user: no direct messages, no typing, no invitations.  The other
   * user does not notice it.
   */
  async block(user: UserLike, clientId = ""): Promise<SendAccepted> {
    return this.#block(user, "0", true, clientId);
  }

  /** Ends the block of a user.  What the user sent meanwhile does not arrive any more. */
  async unblock(user: UserLike, clientId = ""): Promise<SendAccepted> {
    return this.#block(user, "0", false, clientId);
  }

  /** Lets nobody add this user to a group, or invite to it; see also {@link leave}. */
  async blockGroup(group: IdLike, clientId = ""): Promise<SendAccepted> {
    return this.#block(undefined, group, true, clientId);
  }

  /** Ends the block of a group. */
  async unblockGroup(group: IdLike, clientId = ""): Promise<SendAccepted> {
    return this.#block(undefined, group, false, clientId);
  }

  /** Reads all blocks of the user. */
  async blocks(): Promise<BlockState[]> {
    const pages = await this.#all("blocked", "blocks");
    return pages.flatMap(({ blocks }) =>
      blocks.map(({ user, group, time }) => ({ user, group, timeMs: time })),
    );
  }

  /** Invites a user to a group; whoever may add members may. */
  async invite(group: IdLike, user: UserLike, clientId = ""): Promise<SendAccepted> {
    const [number, user_name] = one(user, "user");
    return this.#group("invite", group, clientId, { user: number, user_name });
  }

  /** Joins a group to which this user is invited. */
  async acceptInvitation(group: IdLike, clientId = ""): Promise<SendAccepted> {
    return this.#group("accept_invitation", group, clientId, {});
  }

  /** Declines an invitation; nobody is told. */
  async declineInvitation(group: IdLike, clientId = ""): Promise<SendAccepted> {
    return this.#group("decline_invitation", group, clientId, {});
  }

  /** Reads all open invitations of the user. */
  async invitations(): Promise<InvitationState[]> {
    const pages = await this.#all("invited", "invitations");
    return pages.flatMap(({ invitations }) =>
      invitations.map(({ group, name, by, time, expires }) => ({
        group, name, by, timeMs: time, expiresMs: expires,
      })),
    );
  }

  /**
   * Asks for the numbers of names and of groups' keys, and for the names of users, which
   * {@link nameOf} returns from then on; at most 1,000 of each together.
   *
   * @throws WsmsgError - `unsupported`: users have no names at this server.
   */
  async lookUp({ names = [], users = [], keys = [] }: {
    readonly names?: Iterable<string>;
    readonly users?: Iterable<IdLike>;
    readonly keys?: Iterable<string>;
  }): Promise<FoundNames> {
    const asked = [...keys];
    const answer = await this.#get("named", {
      type: "names",
      names: [...names],
      users: Array.from(users, (user) => checkedId(user, "users")),
      keys: asked,
    });
    return {
      users: new Map(answer.users.map((user) => [this.nameOf(user), user])),
      unknown: answer.unknown,
      groups: new Map(answer.groups.map((group, i) => [asked[i] ?? "", group])),
    };
  }

  /**
   * Reads messages of a conversation from the server, in order: those after a number, the
   * last ones, or the last ones before a number.  They do not count as delivered.
   */
  async history(conversation: string, range: Range = {}): Promise<StoredEvent[]> {
    const { limit = 50 } = range;
    checkNumber(limit, "limit");
    if (range.after !== undefined) return this.#after(conversation, range.after, limit);
    const before = range.before ?? (await this.head(conversation)) + 1;
    checkNumber(before, "before");
    const first = Math.max(0, before - 1 - limit);
    return this.#after(conversation, first, before - 1 - first, before);
  }

  /** Asks the server for the last number of a conversation; 0: it has no messages. */
  async head(conversation: string): Promise<number> {
    return (await this.#page(conversation, 0, 1)).head;
  }

  /** Reads all conversations of the user from the server, least recently changed first. */
  async conversations(): Promise<Head[]> {
    const found = new Map<string, Head>();
    let position = "";
    for (let more = true; more; ) {
      const answer = await this.#get("heads", { type: "conversations", position });
      for (const head of answer.heads) found.set(head.conversation, head);
      ({ position, more } = answer);
    }
    return [...found.values()].sort((one, other) => one.time - other.time);
  }

  #submit<F extends Submission>(frame: F): Promise<SendAccepted> {
    // Servers that know no names get frames without them.
    const needed = Object.entries({ ...frame, client_id: frame.client_id || madeUp() })
      .filter(([name, value]) => !/_names?$/.test(name) || String(value));
    return this.accepted(Object.fromEntries(needed) as unknown as F);
  }

  #group<T extends "change_group" | "invite" | "accept_invitation" | "decline_invitation">(
    type: T, group: IdLike, clientId = "", fields: object,
  ): Promise<SendAccepted> {
    return this.#submit({
      type, client_id: clientId, group: checkedId(group, "group"), ...fields,
    } as unknown as Submission);
  }

  #block(
    whom: UserLike | undefined, group: IdLike, on: boolean, clientId: string,
  ): Promise<SendAccepted> {
    const [user, user_name] = whom === undefined ? ["0", ""] : one(whom, "user");
    return this.#submit({
      type: "block", client_id: clientId, user,
      group: checkedId(group, "group", true), on, user_name,
    });
  }

  async #after(
    conversation: string, first: number, limit: number, before = Infinity,
  ): Promise<StoredEvent[]> {
    const user = await this.self();
    const found: StoredEvent[] = [];
    checkNumber(first, "after");
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
    checkName(conversation, "conversation");
    return this.#get("page", { type: "sync", conversation, after, limit });
  }

  async #all<T extends "blocked" | "invited">(
    answer: T, type: "blocks" | "invitations",
  ): Promise<From<T>[]> {
    const pages: From<T>[] = [];
    for (let after = ""; ; ) {
      const page = await this.#get(answer, { type, after, limit: PAGE });
      pages.push(page);
      if (!page.next || page.next === after) return pages;
      after = page.next;
    }
  }

  async #get<T extends Exclude<Answer, WsmsgError>["type"]>(
    type: T, question: Question,
  ): Promise<From<T>> {
    const answer = await this.ask(question);
    if (answer.type === type) return answer as unknown as From<T>;
    throw new WsmsgError("internal", "the server sent an answer of another kind");
  }
}

function* thousands(users: Iterable<UserLike>): Iterable<UserLike[]> {
  const all = [...new Set(users)];
  while (all.length) yield all.splice(0, GROUP_CHANGE_USERS);
}
