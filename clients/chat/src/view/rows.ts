/** The rows of a conversation, made from its messages; no elements. */

import type { Id, StoredEvent } from "@wsmsg/client";

import type { Conversation } from "../model/conversation.js";
import type { Outgoing } from "../model/outgoing.js";
import type { Thread } from "../model/thread.js";
import { isText } from "../model/words.js";
import type { Mark, Row } from "./message-row.js";

const TOGETHER_MS = 5 * 60_000;

/** What the rows depend on, besides the messages. */
export interface RowState {
  readonly user: Id;
  /** The first new message; 0: none. */
  readonly firstNew: number;
  readonly activeKey: string;
  readonly open: ReadonlySet<string>;
}

/** Returns the name of a row; it stays when a message on its way gets its number. */
export const keyOf = (event: StoredEvent): string =>
  event.mine && event.clientId ? `c${event.clientId}`
  : event.seq ? `s${event.seq}`
  : `m${event.messageId}`;

const markOf = (event: StoredEvent, conversation: Conversation): Mark | undefined => {
  if (!event.mine || !isText(event)) return undefined;
  const { peer, others } = conversation;
  const at = peer ? others.get(peer) : undefined;
  return !event.seq || !at ? "accepted"
    : at.read >= event.seq ? "read"
    : at.delivered >= event.seq ? "delivered"
    : "accepted";
};

const days = new WeakMap<StoredEvent, string>();

const dayOf = ({ event, timeMs }: Row): string => {
  let day = event && days.get(event);
  if (day === undefined) {
    day = new Date(timeMs).toDateString();
    if (event) days.set(event, day);
  }
  return day;
};

/** Returns all rows of a conversation. */
export const rowsOf = (
  thread: Thread, outgoing: readonly Outgoing[], state: RowState,
): Row[] => {
  const { conversation, events, atStart, atEnd } = thread;
  const rows: Row[] = [];
  let before: Row | undefined;
  const add = (row: Row): void => {
    const newDay = !before || dayOf(before) !== dayOf(row);
    const continues =
      !newDay && !row.firstNew && before !== undefined && before.sender === row.sender &&
      row.timeMs - before.timeMs < TOGETHER_MS && isMessage(before) && isMessage(row);
    before = { ...row, newDay, continues };
    rows.push(before);
  };
  const common = { begins: false, newDay: false, continues: false, isGroup: conversation.group !== "" };
  for (const [i, event] of events.entries()) {
    const key = keyOf(event);
    add({
      ...common,
      key, event, outgoing: undefined, mine: event.mine, sender: event.sender,
      timeMs: event.timeMs,
      mark: markOf(event, conversation),
      firstNew: event.seq > 0 && event.seq === state.firstNew,
      begins: atStart && i === 0,
      isActive: key === state.activeKey,
      isOpen: state.open.has(key),
      canDelete: event.mine && event.seq > 0 && isText(event),
    });
  }
  if (atEnd || !events.length) {
    for (const one of outgoing) {
      const key = `c${one.clientId}`;
      add({
        ...common,
        key, event: undefined, outgoing: one, mine: true, sender: state.user,
        timeMs: one.timeMs,
        mark: one.state,
        firstNew: false,
        isActive: key === state.activeKey,
        isOpen: state.open.has(key),
        canDelete: false,
      });
    }
  }
  return rows;
};

const isMessage = ({ event }: Row): boolean => !event || event.type === "messageReceived";
