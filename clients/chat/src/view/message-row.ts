/** The rows of a conversation: messages, events, and messages on their way. */

import type { StoredEvent } from "@wsmsg/client";

import type { Outgoing } from "../model/outgoing.js";
import { clockOf, dayOf, failureOf, isText, momentOf, sentenceOf } from "../model/words.js";
import { avatar, h, icon, iconButton, type Icon } from "./dom.js";
import { isEmoji, isVisible, LONG, startOf, textNodes } from "./text.js";

/** How far a message has come. */
export type Mark = "waiting" | "accepted" | "delivered" | "read" | "failed";

const MARKS: Readonly<Record<Mark, readonly [Icon, string]>> = {
  waiting: ["waiting", "Sending"],
  accepted: ["one", "Accepted by the server"],
  delivered: ["two", "Delivered"],
  read: ["two", "Read"],
  failed: ["failed", "Not sent"],
};

/** One row. */
export interface Row {
  readonly key: string;
  /** `undefined`: the message is on its way. */
  readonly event: StoredEvent | undefined;
  readonly outgoing: Outgoing | undefined;
  readonly mine: boolean;
  readonly sender: string;
  readonly timeMs: number;
  readonly mark: Mark | undefined;
  /** The day, if this is its first message. */
  readonly newDay: boolean;
  /** The first message that was not read when the conversation was opened. */
  readonly firstNew: boolean;
  /** The conversation begins here. */
  readonly begins: boolean;
  /** The row before is of the same sender, not long ago. */
  readonly continues: boolean;
  readonly isGroup: boolean;
  readonly isActive: boolean;
  readonly isOpen: boolean;
  readonly canDelete: boolean;
}

/** What a person can do with a row. */
export interface RowActions {
  readonly onRetry: (clientId: string) => void;
  readonly onDiscard: (clientId: string) => void;
  readonly onDelete: (seq: number) => void;
  readonly onJoin: (group: string) => void;
  readonly onDecline: (group: string) => void;
  /** Shows all of a long text. */
  readonly onOpen: (key: string) => void;
  readonly nameOf: (user: string) => string;
}

/** Whether two versions of a row look the same. */
export const isSame = (one: Row | undefined, other: Row): boolean =>
  one !== undefined &&
  (Object.keys(other) as (keyof Row)[]).every((field) => one[field] === other[field]);

/** Makes the element of a row. */
export const rowElement = (row: Row, actions: RowActions): HTMLElement => {
  const element = h("div", { class: "row", role: "article", "data-key": row.key });
  if (row.event?.seq) element.dataset["seq"] = String(row.event.seq);
  element.tabIndex = row.isActive ? 0 : -1;
  if (row.begins) element.append(h("p", { class: "beginning" }, "The conversation begins here"));
  if (row.newDay) {
    element.append(h("p", { class: "day" }, h("span", {}, dayOf(row.timeMs))));
  }
  if (row.firstNew) element.append(h("p", { class: "new" }, h("span", {}, "New messages")));
  const { event } = row;
  element.append(
    event && !isText(event) && event.type !== "messageReceived"
      ? noteElement(event, actions)
      : messageElement(row, actions),
  );
  return element;
};

const noteElement = (event: StoredEvent, actions: RowActions): HTMLElement => {
  const note = h(
    "p", { class: "note" },
    h("span", { dir: "auto" }, sentenceOf(event, actions.nameOf)),
    " ", time(event.timeMs),
  );
  if (event.type === "invitationReceived" && !event.mine) {
    const { group } = event;
    note.append(
      " ", linkButton("Join", () => actions.onJoin(group)),
      " ", linkButton("Decline", () => actions.onDecline(group)),
    );
  }
  return note;
};

const linkButton = (text: string, onClick: () => void): HTMLButtonElement => {
  const made = h("button", { type: "button", class: "link-button" }, text);
  made.addEventListener("click", onClick);
  return made;
};

const messageElement = (row: Row, actions: RowActions): HTMLElement => {
  const { event, outgoing, mine, sender, mark } = row;
  const name = mine ? "You" : actions.nameOf(sender);
  const classes = ["message"];
  if (mine) classes.push("mine");
  if (row.continues) classes.push("continues");
  if (mark) classes.push(`is-${mark}`);
  const bubble = h("div", { class: "bubble" });
  const label = h("bdi", { class: "sender", lang: "" }, name);
  if (mine || row.continues || !row.isGroup) label.classList.add("for-readers");
  bubble.append(label);
  const content = outgoing?.content ?? (event?.type === "messageReceived" ? event.content : "");
  if (event && !isText(event)) {
    bubble.append(h("p", { class: "text placeholder" }, sentenceOf(event, actions.nameOf)));
  } else {
    bubble.append(...textElements(row, content, actions));
    if (isEmoji(content)) bubble.classList.add("emoji");
  }
  bubble.append(meta(row));
  const message = h("div", { class: classes.join(" ") });
  if (row.isGroup && !mine) {
    message.append(row.continues ? h("span", { class: "avatar-space" }) : avatar(sender, name, false));
  }
  message.append(bubble);
  if (row.canDelete && event) {
    const remove = iconButton("trash", "Delete for everyone", () => actions.onDelete(event.seq));
    remove.classList.add("row-action");
    message.append(remove);
  }
  if (outgoing && mark === "failed") message.append(failure(outgoing, actions));
  return message;
};

const textElements = (row: Row, content: string, actions: RowActions): HTMLElement[] => {
  if (!isVisible(content)) {
    return [h("p", { class: "text placeholder" }, "A message without visible text")];
  }
  const isLong = content.length > LONG || content.split("\n", 31).length > 30;
  const shown = row.isOpen || !isLong ? content : startOf(firstLines(content, 20), LONG);
  const text = h("p", { class: "text", dir: "auto", lang: "" });
  text.append(...textNodes(shown));
  if (shown === content) return [text];
  const more = h(
    "button", { type: "button", class: "more" },
    `Show all (${content.length.toLocaleString()} characters)`,
  );
  more.addEventListener("click", () => actions.onOpen(row.key));
  text.append("…");
  return [text, more];
};

const firstLines = (text: string, lines: number): string => text.split("\n", lines).join("\n");

const time = (timeMs: number): HTMLElement => {
  const date = new Date(timeMs);
  const valid = !Number.isNaN(date.getTime());
  return h(
    "time", { datetime: valid ? date.toISOString() : undefined, title: momentOf(timeMs) },
    clockOf(timeMs),
  );
};

const meta = ({ timeMs, mark }: Row): HTMLElement => {
  const element = h("span", { class: "meta" }, time(timeMs));
  if (mark) {
    const [name, label] = MARKS[mark];
    const shown = h("span", { class: `mark mark-${mark}`, role: "img", "aria-label": label, title: label });
    shown.append(icon(name));
    element.append(shown);
  }
  return element;
};

const failure = (outgoing: Outgoing, actions: RowActions): HTMLElement => {
  const { clientId, code, reason } = outgoing;
  return h(
    "p", { class: "failure" },
    h("span", { dir: "auto" }, failureOf(code, reason)), " ",
    linkButton("Try again", () => actions.onRetry(clientId)), " ",
    linkButton("Discard", () => actions.onDiscard(clientId)),
  );
};
