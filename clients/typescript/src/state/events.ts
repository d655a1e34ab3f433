/** Events that the client gives to the program. */

import type { WsmsgError } from "../errors.js";
import {
  BLOCK, DECLINE, GROUP, ids, INVITATION, no, nobody, none, RECALL, RECALLED,
  type Deliver, type Receipt, type Submission,
} from "../frames.js";
import { id, object } from "../decode.js";
import { groupIn, type Id } from "../ids.js";

/** The server has accepted a message, and will not lose it. */
export interface SendAccepted {
  readonly clientId: string;
  /** When it was accepted by the server's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  /**
   * The conversation of the new group, for a request to create one; that with the user, for a
   * message or an invitation to a name; else empty.
   */
  readonly conversation: string;
}

/** What messages and events with a place in a conversation have in common. */
export interface Stored {
  readonly conversation: string;
  /** The number in the conversation; 0: the server does not number messages. */
  readonly seq: number;
  readonly messageId: Id;
  readonly sender: Id;
  /** When it was accepted, in milliseconds since 1970. */
  readonly timeMs: number;
  /** The sender's own id for it; empty if another user sent it. */
  readonly clientId: string;
  /** The user of this client sent it, from any device. */
  readonly mine: boolean;
}

/** A message in a conversation of the user, perhaps one that the user sent. */
export interface MessageReceived extends Stored {
  readonly type: "messageReceived";
  readonly content: string;
  readonly kind: number;
  /** The sender recalled it, so it has no content. */
  readonly recalled: boolean;
}

/** The sender created a group, or added and removed members. */
export interface GroupChanged extends Stored {
  readonly type: "groupChanged";
  readonly group: Id;
  /** The group was created; only then are `name` and `history` set. */
  readonly created: boolean;
  readonly name: string;
  /** New members read from the first message on. */
  readonly history: boolean;
  readonly added: readonly Id[];
  readonly removed: readonly Id[];
}

/** The sender recalled one of their messages, which is not to be shown any more. */
export interface MessageRecalled extends Stored {
  readonly type: "messageRecalled";
  /** The `seq` of that message. */
  readonly recalled: number;
}

/** The user of this client blocked a user or a group, or ended that, from any device. */
export interface BlockChanged extends Stored {
  readonly type: "blockChanged";
  /** The other user; "0": it is a group. */
  readonly user: Id;
  /** The group; "0": it is a user. */
  readonly group: Id;
  /** The block began. */
  readonly on: boolean;
}

/** The sender invited the other user of the conversation to a group. */
export interface InvitationReceived extends Stored {
  readonly type: "invitationReceived";
  readonly group: Id;
}

/** The user of this client declined an invitation, from any device. */
export interface InvitationDeclined extends Stored {
  readonly type: "invitationDeclined";
  readonly group: Id;
}

/** A message or an event in its place. */
export type StoredEvent =
  | MessageReceived | GroupChanged | MessageRecalled
  | BlockChanged | InvitationReceived | InvitationDeclined;

/** Another member has received and read messages up to these numbers. */
export interface ReceiptReceived {
  readonly type: "receiptReceived";
  readonly conversation: string;
  readonly user: Id;
  readonly delivered: number;
  readonly read: number;
}

/** A watched user came online or went offline. */
export interface PresenceChanged {
  readonly type: "presenceChanged";
  readonly user: Id;
  readonly online: boolean;
  /** Milliseconds since 1970; 0: never seen. */
  readonly lastSeenMs: number;
}

/** A user is typing. */
export interface TypingReceived {
  readonly type: "typingReceived";
  readonly conversation: string;
  readonly user: Id;
}

/** The server has authenticated the user; missed messages follow. */
export interface Connected {
  readonly type: "connected";
  readonly user: Id;
  readonly session: string;
}

/** There is no connection; the client will try again. */
export interface Reconnecting {
  readonly type: "reconnecting";
  readonly reason: string;
  /** Seconds until the next attempt. */
  readonly delayS: number;
}

/** There is no connection, and the client will not try again. */
export interface Closed {
  readonly type: "closed";
  readonly reason: string;
  /** `undefined`: the program closed the client. */
  readonly error: WsmsgError | undefined;
}

/** The state of the connection. */
export type StateChanged = Connected | Reconnecting | Closed;

/**
 * The server has another history than before: an older copy of its store was restored.
 * What the program has may not be there any more.  The client gives the program what is
 * new in this history, and sends the user's messages of this run again.
 */
export interface HistoryReplaced {
  readonly type: "historyReplaced";
  readonly epoch: string;
}

/** Like {@link HistoryReplaced}, but the server has not noticed it. */
export interface HistoryRewound {
  readonly type: "historyRewound";
  readonly epoch: string;
  /** The conversation in which the client found it. */
  readonly conversation: string;
}

/** The result of a send for which no call waits: an earlier run left it unsent. */
export interface SendSettled {
  readonly type: "sendSettled";
  readonly clientId: string;
  /** `undefined`: the server refused it for good. */
  readonly accepted: SendAccepted | undefined;
  readonly error: WsmsgError | undefined;
}

/**
 * A message waits to be accepted, though no call of this tab waits for it: an earlier run
 * left it unsent, or another tab sends it.  `sendSettled` tells its result.
 */
export interface SendQueued {
  readonly type: "sendQueued";
  readonly frame: Submission;
}

/**
 * The user has read messages up to a number: in this tab, in another one or on another
 * device.
 */
export interface ReadMarked {
  readonly type: "readMarked";
  readonly conversation: string;
  readonly read: number;
}

/** Positions and unsent messages are not kept across reloads, for the reason given. */
export interface MemoryOnly {
  readonly type: "memoryOnly";
  readonly reason: string;
}

/**
 * This tab took no events for long, and messages of this conversation were dropped: read
 * those from `after` on with `history`.
 */
export interface MessagesMissed {
  readonly type: "messagesMissed";
  readonly conversation: string;
  readonly after: number;
}

/** An event for the program. */
export type Event =
  | StoredEvent | ReceiptReceived | PresenceChanged | TypingReceived | StateChanged
  | HistoryReplaced | HistoryRewound | SendQueued | SendSettled | ReadMarked
  | MemoryOnly | MessagesMissed;

/** Whether an event has a place in a conversation. */
export const isStored = (event: Event): event is StoredEvent => "messageId" in event;

/** Whether an event is about the connection. */
export const isState = (event: Event): event is StateChanged =>
  event.type === "connected" || event.type === "reconnecting" || event.type === "closed";

const change = object({ created: no, name: none, history: no, add: ids, remove: ids });
const block = object({ user: nobody, group: nobody, on: no });
const invitation = object({ group: id });

const USERS = 1000;

const isPositive = (id: Id) => !id.startsWith("-") && id !== "0";

/** Readers of the contents of events; each returns `undefined` for one that is not valid. */
const EVENTS: { readonly [kind: number]: (frame: Deliver, common: Stored) => StoredEvent | undefined } = {
  [GROUP]: ({ content, conversation }, common) => {
    const group = groupIn(conversation);
    const { created, name, history, add, remove } = change(JSON.parse(content));
    const all = [...add, ...remove];
    const valid =
      group && all.every(isPositive) &&
      all.length <= USERS + Number(created) &&
      (created ? name && !remove.length : all.length) &&
      !add.some((user) => remove.includes(user));
    return valid
      ? { type: "groupChanged", ...common, group, created, name, history, added: add, removed: remove }
      : undefined;
  },
  [RECALL]: ({ content }, common) => {
    const recalled = /^[1-9]\d{0,15}$/.test(content) ? Number(content) : 0;
    return Number.isSafeInteger(recalled) && recalled
      ? { type: "messageRecalled", ...common, recalled }
      : undefined;
  },
  [BLOCK]: ({ content }, common) => {
    const found = block(JSON.parse(content));
    return (found.user === "0") !== (found.group === "0") &&
      isPositive(found.user === "0" ? found.group : found.user)
      ? { type: "blockChanged", ...common, ...found }
      : undefined;
  },
  [INVITATION]: (frame, common) => invited("invitationReceived", frame, common),
  [DECLINE]: (frame, common) => invited("invitationDeclined", frame, common),
};

const invited = (
  type: "invitationReceived" | "invitationDeclined", { content }: Deliver, common: Stored,
): StoredEvent | undefined => {
  const { group } = invitation(JSON.parse(content));
  return isPositive(group) ? { type, ...common, group } : undefined;
};

/** Returns what a message says to this user. */
export const received = (frame: Deliver, user: Id): StoredEvent => {
  const { conversation, seq, content, kind } = frame;
  const common: Stored = {
    conversation,
    seq,
    messageId: frame.message_id,
    sender: frame.from,
    timeMs: frame.time,
    clientId: frame.client_id,
    mine: frame.from === user,
  };
  let event: StoredEvent | undefined;
  try {
    event = EVENTS[kind]?.(frame, common);
  } catch {
    // Perhaps of a newer server: the program gets it as a message.
  }
  return event ?? {
    type: "messageReceived", ...common, content, kind, recalled: kind === RECALLED,
  };
};

/** Returns the numbers of a frame and of an earlier event, whichever are higher. */
export const mergedReceipt = (
  frame: Receipt, known: ReceiptReceived | undefined,
): ReceiptReceived => ({
  type: "receiptReceived",
  conversation: frame.conversation,
  user: frame.user,
  delivered: Math.max(frame.delivered, frame.read, known?.delivered ?? 0),
  read: Math.max(frame.read, known?.read ?? 0),
});
