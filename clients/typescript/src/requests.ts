/**
 * What a client asks the server for, besides sending messages: the history, groups, blocks,
 * invitations, names, recalls.
 *
 *     import { createGroup, history } from "@wsmsg/client/requests";
 *
 *     const group = await createGroup(client, "Trip", ["1002", "1003"]);
 *     const last = await history(client, groupConversation(group));
 *
 * Each is a function of its own, so that a page is built with those that it uses.  Each
 * request is repeated until it is answered, across lost connections.
 */

import { apart, checkedId, checkName, checkNumber, one } from "./checks.js";
import type { Client } from "./client.js";
import type { From, Head, Send, Submission } from "./frames.js";
import { greater, groupIn, isGreater, type Id, type IdLike, type UserLike } from "./ids.js";
import { received, type SendAccepted, type StoredEvent } from "./state/events.js";
import { checkRequest, GROUP_CHANGE_USERS } from "./submissions.js";

// More than any server returns at once.
const PAGE = 10_000;

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
  /** The numbers of the groups with these keys; {@link members} tells if they exist. */
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

/**
 * Reads messages of a conversation from the server, in order: those after a number, the
 * last ones, or the last ones before a number.  They do not count as delivered.
 */
export const history = async (
  client: Client, conversation: string, range: Range = {},
): Promise<StoredEvent[]> => {
  const { limit = 50 } = range;
  checkNumber(limit, "limit");
  if (range.after !== undefined) return readAfter(client, conversation, range.after, limit);
  const before = range.before ?? (await head(client, conversation)) + 1;
  checkNumber(before, "before");
  const first = Math.max(0, before - 1 - limit);
  return readAfter(client, conversation, first, before - 1 - first, before);
};

const readAfter = async (
  client: Client, conversation: string, first: number, limit: number, before = Infinity,
): Promise<StoredEvent[]> => {
  const user = await client.self();
  const found: StoredEvent[] = [];
  checkNumber(first, "after");
  for (let after = first; found.length < limit && after < before; ) {
    const most = Math.min(limit - found.length, PAGE);
    const { messages, more } = await readPage(client, conversation, after, most);
    found.push(...messages.map((message) => received(message, user)));
    const last = messages.at(-1);
    if (!last || !more || last.seq <= after) break;
    after = last.seq;
  }
  // In a group the numbers may start above 1, and skip.
  return found.slice(0, limit).filter(({ seq }) => seq < before);
};

/** Asks the server for the last number of a conversation; 0: it has no messages. */
export const head = async (client: Client, conversation: string): Promise<number> =>
  (await readPage(client, conversation, 0, 1)).head;

const readPage = async (
  client: Client, conversation: string, after: number, limit: number,
): Promise<From<"page">> => {
  checkName(conversation, "conversation");
  return client.ask("page", { type: "sync", conversation, after, limit });
};

/** Reads all conversations of the user from the server, least recently changed first. */
export const conversations = async (client: Client): Promise<Head[]> => {
  const found = new Map<string, Head>();
  let position = "";
  for (let more = true; more; ) {
    const answer = await client.ask("heads", { type: "conversations", position });
    for (const head of answer.heads) found.set(head.conversation, head);
    ({ position, more } = answer);
  }
  return [...found.values()].sort((one, other) => one.time - other.time);
};

const submit = async (
  client: Client, request: Exclude<Submission, Send>,
): Promise<SendAccepted> => client.submit(checkRequest(request));

/**
 * Recalls a message of this user: its content is deleted, and all members are told.
 *
 * @throws WsmsgError - it is of another user, or the time limit is over.
 */
export const recall = async (
  client: Client, conversation: string, seq: number, clientId = "",
): Promise<SendAccepted> =>
  submit(client, { type: "recall", client_id: clientId, conversation, seq });

/**
 * Creates a group that this user owns.
 *
 * @param members at most 1,000; see {@link addMembers} for more.
 * @param options `history`: new members can read from the first message on.
 * @returns the group's number.
 */
export const createGroup = async (
  client: Client, name: string, members: Iterable<UserLike> = [],
  options: { readonly history?: boolean; readonly clientId?: string } = {},
): Promise<Id> => {
  const { history = false, clientId = "" } = options;
  const [numbers, member_names] = apart(members, "members");
  const { conversation } = await submit(client, {
    type: "create_group", client_id: clientId, name, members: numbers, member_names, history,
  });
  return groupIn(conversation);
};

/** Adds and removes members in one change, at most 1,000 users together. */
export const changeGroup = async (
  client: Client, group: IdLike,
  change: {
    readonly add?: Iterable<UserLike>;
    readonly remove?: Iterable<UserLike>;
    readonly clientId?: string;
  },
): Promise<SendAccepted> => {
  const [add, add_names] = apart(change.add ?? [], "add");
  const [remove, remove_names] = apart(change.remove ?? [], "remove");
  return submit(client, {
    type: "change_group", client_id: change.clientId ?? "", group: checkedId(group, "group"),
    add, remove, add_names, remove_names,
  });
};

/** Adds any number of members, a thousand in each change; only the owner may. */
export const addMembers = async (
  client: Client, group: IdLike, users: Iterable<UserLike>,
): Promise<void> => {
  for (const add of thousands(users)) await changeGroup(client, group, { add });
};

/** Removes any number of members, a thousand in each change; only the owner may. */
export const removeMembers = async (
  client: Client, group: IdLike, users: Iterable<UserLike>,
): Promise<void> => {
  for (const remove of thousands(users)) await changeGroup(client, group, { remove });
};

function* thousands(users: Iterable<UserLike>): Iterable<UserLike[]> {
  const all = [...new Set(users)];
  while (all.length) yield all.splice(0, GROUP_CHANGE_USERS);
}

/** Leaves a group. */
export const leave = async (client: Client, group: IdLike): Promise<SendAccepted> =>
  changeGroup(client, group, { remove: [await client.self()] });

/** Reads a group of this user with its members, up to a limit. */
export const members = async (
  client: Client, group: IdLike, limit = Infinity,
): Promise<GroupState> => {
  const number = checkedId(group, "group");
  const found = new Map<Id, number>();
  let after = "0";
  for (;;) {
    const most = Math.min(limit - found.size, PAGE);
    const answer = await client.ask("group", {
      type: "members", group: number, after, limit: most,
    });
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
};

/**
 * Hears nothing more of a user: no direct messages, no typing, no invitations.  The other
 * user does not notice it.
 */
export const block = async (
  client: Client, user: UserLike, clientId = "",
): Promise<SendAccepted> => setBlock(client, user, "0", true, clientId);

/** Ends the block of a user.  What the user sent meanwhile does not arrive any more. */
export const unblock = async (
  client: Client, user: UserLike, clientId = "",
): Promise<SendAccepted> => setBlock(client, user, "0", false, clientId);

/** Lets nobody add this user to a group, or invite to it; see also {@link leave}. */
export const blockGroup = async (
  client: Client, group: IdLike, clientId = "",
): Promise<SendAccepted> => setBlock(client, undefined, group, true, clientId);

/** Ends the block of a group. */
export const unblockGroup = async (
  client: Client, group: IdLike, clientId = "",
): Promise<SendAccepted> => setBlock(client, undefined, group, false, clientId);

const setBlock = (
  client: Client, whom: UserLike | undefined, group: IdLike, on: boolean, clientId: string,
): Promise<SendAccepted> => {
  const [user, user_name] = whom === undefined ? ["0", ""] : one(whom, "user");
  return submit(client, {
    type: "block", client_id: clientId, user, group: checkedId(group, "group", true), on, user_name,
  });
};

/** Reads all blocks of the user. */
export const blocks = async (client: Client): Promise<BlockState[]> => {
  const pages = await all(client, "blocked", "blocks");
  return pages.flatMap(({ blocks }) =>
    blocks.map(({ user, group, time }) => ({ user, group, timeMs: time })),
  );
};

/** Invites a user to a group; whoever may add members may. */
export const invite = async (
  client: Client, group: IdLike, user: UserLike, clientId = "",
): Promise<SendAccepted> => {
  const [number, user_name] = one(user, "user");
  return submit(client, {
    type: "invite", client_id: clientId, group: checkedId(group, "group"),
    user: number, user_name,
  });
};

/** Joins a group to which this user is invited. */
export const acceptInvitation = async (
  client: Client, group: IdLike, clientId = "",
): Promise<SendAccepted> => answer(client, "accept_invitation", group, clientId);

/** Declines an invitation; nobody is told. */
export const declineInvitation = async (
  client: Client, group: IdLike, clientId = "",
): Promise<SendAccepted> => answer(client, "decline_invitation", group, clientId);

const answer = (
  client: Client, type: "accept_invitation" | "decline_invitation", group: IdLike,
  clientId: string,
): Promise<SendAccepted> =>
  submit(client, { type, client_id: clientId, group: checkedId(group, "group") });

/** Reads all open invitations of the user. */
export const invitations = async (client: Client): Promise<InvitationState[]> => {
  const pages = await all(client, "invited", "invitations");
  return pages.flatMap(({ invitations }) =>
    invitations.map(({ group, name, by, time, expires }) => ({
      group, name, by, timeMs: time, expiresMs: expires,
    })),
  );
};

const all = async <T extends "blocked" | "invited">(
  client: Client, answer: T, type: "blocks" | "invitations",
): Promise<From<T>[]> => {
  const pages: From<T>[] = [];
  for (let after = ""; ; ) {
    const page = await client.ask(answer, { type, after, limit: PAGE });
    pages.push(page);
    if (!page.next || page.next === after) return pages;
    after = page.next;
  }
};

/**
 * Asks for the numbers of names and of groups' keys, and for the names of users, which
 * {@link Client.nameOf} returns from then on; at most 1,000 of each together.
 *
 * @throws WsmsgError - `unsupported`: users have no names at this server.
 */
export const lookUp = async (
  client: Client,
  { names = [], users = [], keys = [] }: {
    readonly names?: Iterable<string>;
    readonly users?: Iterable<IdLike>;
    readonly keys?: Iterable<string>;
  },
): Promise<FoundNames> => {
  const asked = [...keys];
  const answer = await client.ask("named", {
    type: "names",
    names: [...names],
    users: Array.from(users, (user) => checkedId(user, "users")),
    keys: asked,
  });
  return {
    users: new Map(answer.users.map((user) => [client.nameOf(user), user])),
    unknown: answer.unknown,
    groups: new Map(answer.groups.map((group, i) => [asked[i] ?? "", group])),
  };
};
