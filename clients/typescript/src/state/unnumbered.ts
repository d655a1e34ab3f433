/**
 * Received messages of a server without numbers: the client cannot ask for a message
 * again, so it gives each to the program on arrival, and drops repeats.
 */

import type { Deliver, ReadMark } from "../frames.js";
import type { Id } from "../ids.js";
import { removeExcess } from "./bounded.js";
import { REMEMBERED, Reports } from "./reports.js";

const remember = <T>(where: Map<string, T>, key: string, value: T): void => {
  where.set(key, value);
  removeExcess(where, REMEMBERED);
};

const hash = (content: string): number => {
  let sum = content.length;
  for (let i = 0; i < content.length; i++) sum = (sum * 31 + content.charCodeAt(i)) | 0;
  return sum;
};

/** The messages of one user. */
export class Unnumbered extends Reports<ReadMark> {
  readonly #give: (message: Deliver) => void;
  readonly #room: () => number;
  readonly #came = new Map<string, true>();

  constructor(give: (message: Deliver) => void, room: () => number) {
    super();
    this.#give = give;
    this.#room = room;
  }

  /** Processes a message.  Ids are not quite unique here, so contents are compared. */
  delivered(message: Deliver): void {
    const { message_id, conversation, from, content } = message;
    const key = `${message_id} ${from} ${hash(content)} ${conversation}`;
    // Where there is no room, the message is lost.
    if (this.#came.has(key) || this.#room() <= 0) return;
    remember(this.#came, key, true);
    this.#give(message);
  }

  /** Records that the user has read this message. */
  read(conversation: string, messageId: Id): void {
    const key = `${messageId} ${conversation}`;
    if (!this.told.has(key)) {
      remember(this.untold, key, {
        type: "read", conversation, seq: 0, message_id: messageId,
      });
    }
  }
}
