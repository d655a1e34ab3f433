/**
 * The frames of the client protocol.
 *
 * `docs/reference/protocol.md` describes each of them.  Fields are spelled as on the wire.  A frame
 * to the server leaves out the fields that have their defaults.
 */

import {
  decimal, flag, id, integer, list, named, object, optional, text,
  type Fields, type Read,
} from "./decode.js";
import type { Id } from "./ids.js";

/** Readers of fields that may be missing. */
export const no = optional(flag, false);
export const none = optional(text, "");
const zero = optional(integer, 0);

const many = <S extends Parameters<typeof object>[0]>(fields: S) =>
  optional(list(object(fields)), []);

const receipt = { conversation: text, user: id, read: zero, delivered: zero };

const head = {
  conversation: text,
  head: integer,
  read: zero,
  delivered: zero,
  time: zero,
  others: many(receipt),
  unread: zero,
  message_id: optional(id, "0"),
};

const limits = object({
  content_bytes: integer,
  frame_bytes: integer,
  window: integer,
  sends_per_s: integer,
  page: integer,
  watch: integer,
  unnumbered: no,
});

const deliver = {
  conversation: text,
  seq: integer,
  message_id: id,
  from: id,
  content: text,
  kind: integer,
  time: integer,
  client_id: none,
  ack_ms: zero,
};

const member = { user: id, joined: zero };

const heads = many(head);
export const ids = optional(list(id), []);
const texts = optional(list(text), []);
export const nobody = optional(id, "0");

/** The fields of each frame from the server, by its type. */
export const SERVER = {
  welcome: {
    user: id,
    session: text,
    heartbeat_s: decimal,
    limits,
    time: integer,
    heads,
    more: no,
    synced: optional(flag, true),
    position: none,
    epoch: none,
    expires: zero,
  },
  accepted: { client_id: text, time: integer, conversation: none },
  rejected: {
    client_id: text,
    code: text,
    reason: text,
    retry_after_ms: zero,
    uncertain: no,
  },
  deliver,
  page: {
    id: text,
    conversation: text,
    messages: list(object(deliver)),
    head: integer,
    more: no,
    epoch: none,
  },
  heads: { id: text, heads: list(object(head)), more: no, position: none, epoch: none },
  receipt,
  presence: { user: id, online: flag, last_seen: zero },
  typing: { conversation: text, user: nobody },
  resync: { reason: text },
  goaway: {
    reason: text,
    after_ms: integer,
    alternatives: texts,
    position: none,
  },
  error: { code: text, reason: text, id: none, retry_after_ms: zero },
  pong: { nonce: none, checked_ms: zero, witness: none },
  group: {
    id: text,
    group: id,
    name: text,
    owner: id,
    history: no,
    count: zero,
    members: many(member),
    more: no,
    key: none,
  },
  expiring: { expires: integer },
  refreshed: { id: text, expires: zero },
  blocked: {
    id: text,
    blocks: many({ user: nobody, group: nobody, time: zero }),
    next: none,
  },
  invited: {
    id: text,
    invitations: many({ group: id, by: id, name: none, time: zero, expires: zero }),
    next: none,
  },
  named: { id: text, users: ids, unknown: texts, groups: ids },
} as const;

/** The names of users that stand beside a frame, each with its number before it. */
export const names = optional(named, []);

/** The name of a frame from the server. */
export type ServerType = keyof typeof SERVER;

/** A frame from the server of one type. */
export type From<T extends ServerType> = { readonly type: T } & Fields<(typeof SERVER)[T]>;

/** A frame as it was decoded. */
export interface Decoded {
  readonly frame: ServerFrame;
  /** The names of users whom the frame mentions, each after its number. */
  readonly names: Read<typeof names>;
}

/** A frame from the server. */
export type ServerFrame = { [T in ServerType]: From<T> }[ServerType];

/** A conversation in `welcome` and `heads`: its last number, and the progress in it. */
export type Head = Fields<typeof head>;

/** The limits of a connection. */
export type Limits = Read<typeof limits>;

/** A message, also in a `page`, where it may have a type. */
export type Deliver = Fields<typeof deliver>;

/** How far a user is in a conversation. */
export type Receipt = Fields<typeof receipt>;

/** The first frame of a connection. */
export interface Hello {
  readonly type: "hello";
  readonly token?: string;
  readonly device: string;
  readonly position: string;
  readonly client: string;
  readonly witness: string;
}

/** The fields that submissions have in common. */
interface Once {
  readonly client_id: string;
  readonly repeat?: true;
}

/** A message to a user or to a group. */
export interface Send extends Once {
  readonly type: "send";
  readonly to: Id;
  readonly group: Id;
  readonly content: string;
  readonly kind: number;
  readonly to_name?: string;
  readonly traceparent?: string | undefined;
}

/** A request to recall a message of the user. */
export interface Recall extends Once {
  readonly type: "recall";
  readonly conversation: string;
  readonly seq: number;
}

/** A request to create a group. */
export interface CreateGroup extends Once {
  readonly type: "create_group";
  readonly name: string;
  readonly members: readonly Id[];
  readonly member_names?: readonly string[];
  readonly history: boolean;
}

/** A request to add members to a group, and to remove others. */
export interface ChangeGroup extends Once {
  readonly type: "change_group";
  readonly group: Id;
  readonly add: readonly Id[];
  readonly remove: readonly Id[];
  readonly add_names?: readonly string[];
  readonly remove_names?: readonly string[];
}

/** A request to block a user or a group, or to end that. */
export interface Block extends Once {
  readonly type: "block";
  readonly user: Id;
  readonly group: Id;
  readonly on: boolean;
  readonly user_name?: string;
}

/** A request to invite a user to a group. */
export interface Invite extends Once {
  readonly type: "invite";
  readonly user: Id;
  readonly group: Id;
  readonly user_name?: string;
}

/** The answer to an invitation. */
export interface Invited extends Once {
  readonly type: "accept_invitation" | "decline_invitation";
  readonly group: Id;
}

/** What the server accepts or rejects, once for each `client_id`. */
export type Submission = Send | Recall | CreateGroup | ChangeGroup | Block | Invite | Invited;

/** A query for messages. */
export interface Sync {
  readonly type: "sync";
  readonly id: string;
  readonly conversation: string;
  readonly after: number;
  readonly limit?: number;
}

/** A query for conversations. */
export interface Conversations {
  readonly type: "conversations";
  readonly id: string;
  readonly position: string;
}

/** A query for a group and its members. */
export interface Members {
  readonly type: "members";
  readonly id: string;
  readonly group: Id;
  readonly after: Id;
  readonly limit: number;
}

/** A query for the blocks or the open invitations of the user. */
export interface Listed {
  readonly type: "blocks" | "invitations";
  readonly id: string;
  /** The `next` of the page before. */
  readonly after: string;
  readonly limit: number;
}

/** A query for numbers of names and of keys of groups, and for names of users. */
export interface Names {
  readonly type: "names";
  readonly id: string;
  readonly names: readonly string[];
  readonly users: readonly Id[];
  readonly keys: readonly string[];
}

/** A query that the server answers by its id. */
export type Request = Sync | Conversations | Members | Listed | Names;

/** A report of what this device has. */
export interface Delivered {
  readonly type: "delivered";
  readonly conversation: string;
  readonly seq: number;
}

/** A report of what the person has seen. */
export interface ReadMark {
  readonly type: "read";
  readonly conversation: string;
  readonly seq: number;
  readonly message_id?: Id;
}

/** The other frames to the server. */
export interface Typing {
  readonly type: "typing";
  readonly conversation: string;
}

/** The users whose presence is of interest. */
export interface Watch {
  readonly type: "watch";
  readonly users: readonly Id[];
  readonly names?: readonly string[];
}

/** A question whether the server is alive. */
export interface Ping {
  readonly type: "ping";
  readonly nonce: string;
}

/** A new token for the session. */
export interface Refresh {
  readonly type: "refresh";
  readonly token: string;
  readonly id: string;
}

/** A frame to the server. */
export type ClientFrame =
  | Hello | Submission | Request | Delivered | ReadMark | Typing | Watch | Ping | Refresh;

/** The kind of a plain text. */
export const TEXT = 1;
/** The kinds from this one up are the server's. */
export const FIRST_EVENT = 1000;
/** The kind of an event that changes a group. */
export const GROUP = 1001;
/** The kind of an event that recalls a message. */
export const RECALL = 1002;
/** The kind of a message that was recalled. */
export const RECALLED = 1003;
/** The kind of an event that blocks a user or a group, or ends that. */
export const BLOCK = 1008;
/** The kind of an event that invites the other user to a group. */
export const INVITATION = 1009;
/** The kind of an event that declines an invitation. */
export const DECLINE = 1010;
