/** What the page says about events, errors and times.  All text for people is here. */

import type { Closed, ErrorCode, Id, StoredEvent, WsmsgError } from "@wsmsg/client";

const TEXT_KINDS: ReadonlySet<number> = new Set([0, 1]);

/** Whether an event is a text that a person wrote. */
export const isText = (event: StoredEvent): boolean =>
  event.type === "messageReceived" && !event.recalled && TEXT_KINDS.has(event.kind);

// Characters that reorder or hide what is around them.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/** Returns a name that cannot change the text around it. */
export const plainName = (name: string): string =>
  name.replace(CONTROLS, "\ufffd").trim() || "(no name)";

const list = (users: readonly Id[], nameOf: (user: Id) => string): string => {
  const names = users.slice(0, 5).map(nameOf);
  const more = users.length - names.length;
  if (more) names.push(`${more} more`);
  return names.length > 1
    ? `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`
    : (names[0] ?? "");
};

/** Returns the sentence that stands for an event which is no text. */
export const sentenceOf = (event: StoredEvent, nameOf: (user: Id) => string): string => {
  const who = event.mine ? "You" : nameOf(event.sender);
  switch (event.type) {
    case "messageReceived":
      return event.recalled
        ? event.mine ? "You deleted this message" : "This message was deleted"
        : `A message of a kind that this version cannot show (kind ${event.kind})`;
    case "messageRecalled":
      return `${who} deleted a message`;
    case "invitationReceived":
      return event.mine ? "You sent an invitation to a group" : `${who} invites you to a group`;
    case "invitationDeclined":
      return "You declined an invitation to a group";
    case "blockChanged": {
      const whom = event.user === "0" ? `the group ${event.group}` : nameOf(event.user);
      return event.on ? `You blocked ${whom}` : `You do not block ${whom} any more`;
    }
    case "groupChanged": {
      if (event.created) return `${who} created the group “${plainName(event.name)}”`;
      const [only] = event.removed;
      if (!event.added.length && event.removed.length === 1 && only === event.sender) {
        return event.mine ? "You left the group" : `${who} left the group`;
      }
      if (!event.removed.length && event.added.length === 1 && event.added[0] === event.sender) {
        return `${who} joined the group`;
      }
      const done = [];
      if (event.added.length) done.push(`added ${list(event.added, nameOf)}`);
      if (event.removed.length) done.push(`removed ${list(event.removed, nameOf)}`);
      return `${who} ${done.join(" and ")}`;
    }
  }
  return "An event that this version cannot show";
};

const FAILED: Partial<Record<ErrorCode, string>> = {
  too_large: "The message is too long",
  forbidden: "You may not write here",
  not_found: "There is no such user or group",
  conflict: "Another message has the same id",
  limit_reached: "A limit of this server is reached",
  overloaded: "Too many messages are waiting",
  bad_request: "The server cannot accept this message",
  bad_frame: "The server cannot read this message",
  unsupported: "This server does not support it",
};

/** Returns a sentence about an error of the table. */
export const failureOf = (code: string, reason: string): string => {
  const known = FAILED[code as ErrorCode];
  return known ? `${known}: ${reason}` : `${reason} (${code})`;
};

const ENDED: Partial<Record<ErrorCode, string>> = {
  unauthenticated: "The server does not accept the token any more",
  replaced: "This device is signed in in another place",
  kicked: "A service of the operator ended this session",
  forbidden: "The server does not let you in",
};

/** Returns why there will be no connection any more. */
export const endOf = ({ error, reason }: Closed): string => {
  if (!error) return "You are signed out";
  const known = ENDED[(error as WsmsgError).code];
  return known ? `${known}: ${error.reason}` : `The connection has ended: ${reason}`;
};

const day = new Intl.DateTimeFormat(undefined, {
  weekday: "long", day: "numeric", month: "long", year: "numeric",
});
const shortDay = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", year: "numeric",
});
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const shown = (timeMs: number, format: Intl.DateTimeFormat): string => {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? "" : format.format(date);
};

/** Returns the day of a message, such as "Monday, November 30, 2026". */
export const dayOf = (timeMs: number): string => shown(timeMs, day);

/** Returns the time of day, such as "20:15". */
export const clockOf = (timeMs: number): string => shown(timeMs, clock);

/** Returns the date and time with seconds. */
export const momentOf = (timeMs: number): string => shown(timeMs, full);

/** Returns the time of day on the day of another time, else the date. */
export const shortTimeOf = (timeMs: number, nowMs: number): string =>
  !timeMs ? ""
  : shown(timeMs, shortDay) === shown(nowMs, shortDay) ? shown(timeMs, clock)
  : shown(timeMs, shortDay);

/**
 * The server's clock, as far as messages tell it.  The clock of this machine may be wrong,
 * so only the difference counts.
 */
export class ServerClock {
  #aheadMs = 0;

  /** Notes the server's time, told just now. */
  told(timeMs: number): void {
    this.#aheadMs = timeMs - Date.now();
  }

  /** The time by the server's clock, in milliseconds since 1970. */
  get nowMs(): number {
    return Date.now() + this.#aheadMs;
  }
}
