/**
 * Messages on their way: those that wait to be accepted, and those that were refused.
 *
 * The client keeps what waits in its outbox.  What was refused is kept here, so that the
 * person can send it again or discard it, also after a reload and in any tab.
 */

import {
  conversationOf, groupConversation,
  type Client, type Id, type SendAccepted, type SendQueued, WsmsgError,
} from "@wsmsg/client";

/** What has become of a message. */
export type OutgoingState = "waiting" | "accepted" | "failed";

/** A message that has no number yet. */
export interface Outgoing {
  readonly clientId: string;
  readonly conversation: string;
  readonly content: string;
  readonly state: OutgoingState;
  /** By the clock of this machine, until it is accepted. */
  readonly timeMs: number;
  /** The name of the error, and a sentence about it; empty unless it failed. */
  readonly code: string;
  readonly reason: string;
  /** It was sent before this page was loaded. */
  readonly restored: boolean;
}

const MOST_FAILED = 100;

/** Returns a new id for a message. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

/** The part of `localStorage` that is needed. */
export type TextStorage = Pick<Storage, "getItem" | "setItem">;

/** What {@link OutgoingMessages} call. */
export interface OutgoingListener {
  readonly onChange: (conversation: string) => void;
  /** Refused messages are not kept across reloads, for this reason. */
  readonly onUnkept: (reason: string) => void;
}

/** All messages on their way, of all tabs. */
export class OutgoingMessages {
  readonly #client: Client;
  readonly #listener: OutgoingListener;
  readonly #storage: TextStorage | undefined;
  readonly #key: string;
  readonly #all = new Map<string, Outgoing>();

  /** @param user the user, whose messages are kept apart from those of others. */
  constructor(
    client: Client, user: string, storage: TextStorage | undefined, listener: OutgoingListener,
  ) {
    this.#client = client;
    this.#storage = storage;
    this.#listener = listener;
    this.#key = `wsmsg chat failed ${user}`;
    this.reload();
  }

  /** Returns those of a conversation, in their order. */
  of(conversation: string): Outgoing[] {
    return [...this.#all.values()].filter((one) => one.conversation === conversation);
  }

  /** Sends a message. */
  send(conversation: string, to: { to: Id } | { group: Id }, content: string): void {
    const clientId = newId();
    this.#put({
      clientId, conversation, content, state: "waiting", timeMs: Date.now(),
      code: "", reason: "", restored: false,
    });
    this.#submit(clientId, to, content);
  }

  /** Sends a refused message again. */
  retry(clientId: string, to: { to: Id } | { group: Id }): void {
    const failed = this.#all.get(clientId);
    if (failed?.state !== "failed") return;
    this.discard(clientId);
    // The id of another message cannot be used again.
    const again = failed.code === "conflict" ? newId() : clientId;
    this.#put({
      ...failed, clientId: again, state: "waiting", code: "", reason: "", restored: false,
    });
    this.#submit(again, to, failed.content);
  }

  /** Forgets a refused message. */
  discard(clientId: string): void {
    const one = this.#all.get(clientId);
    if (one?.state === "failed") {
      this.#remove(one);
      this.#keep();
    }
  }

  /** Adds a message that an earlier run or another tab sends. */
  queued({ frame }: SendQueued, user: Id): void {
    if (frame.type !== "send" || this.#all.get(frame.client_id)?.state === "waiting") return;
    const conversation =
      frame.group === "0" ? conversationOf(user, frame.to) : groupConversation(frame.group);
    this.#put({
      clientId: frame.client_id, conversation, content: frame.content, state: "waiting",
      timeMs: Date.now(), code: "", reason: "", restored: true,
    });
    this.#keep();
  }

  /** Applies the result of a message for which no call waits. */
  settled(clientId: string, accepted: SendAccepted | undefined, error: WsmsgError | undefined): void {
    const one = this.#all.get(clientId);
    if (!one) return;
    if (accepted) this.#put({ ...one, state: "accepted", timeMs: accepted.timeMs });
    else if (error) this.#failed(one, error);
  }

  /** Forgets a message that has come back with its number. */
  stored(clientId: string): void {
    const one = this.#all.get(clientId);
    if (!one) return;
    this.#remove(one);
    if (one.state === "failed") this.#keep();
  }

  /** Forgets accepted messages of an earlier run: the history that was loaded has them. */
  loaded(conversation: string): void {
    for (const one of this.of(conversation)) {
      if (one.restored && one.state === "accepted") this.#remove(one);
    }
  }

  /** Reads the refused messages again, as another tab has changed them. */
  reload(): void {
    const kept = this.#read();
    const ids = new Set(kept.map(({ clientId }) => clientId));
    for (const one of [...this.#all.values()]) {
      if (one.state === "failed" && !ids.has(one.clientId)) this.#remove(one);
    }
    for (const one of kept) if (!this.#all.has(one.clientId)) this.#put(one);
  }

  get #isClosed(): boolean {
    return this.#client.state.type === "closed";
  }

  #submit(clientId: string, to: { to: Id } | { group: Id }, content: string): void {
    const isTaken = !this.#isClosed;
    this.#client.send({ ...to, content, clientId }).then(
      (accepted) => this.settled(clientId, accepted, undefined),
      (error: unknown) => {
        const one = this.#all.get(clientId);
        const known =
          error instanceof WsmsgError ? error : new WsmsgError("internal", String(error));
        // A client that was closed since then still has the message in its outbox.
        const isKept = isTaken && this.#isClosed;
        if (one && !isKept) this.#failed(one, known);
      },
    );
  }

  #failed(one: Outgoing, { code, reason }: WsmsgError): void {
    this.#put({ ...one, state: "failed", code, reason });
    this.#keep();
  }

  #put(one: Outgoing): void {
    this.#all.set(one.clientId, one);
    this.#listener.onChange(one.conversation);
  }

  #remove(one: Outgoing): void {
    this.#all.delete(one.clientId);
    this.#listener.onChange(one.conversation);
  }

  #read(): Outgoing[] {
    try {
      const kept: unknown = JSON.parse(this.#storage?.getItem(this.#key) ?? "[]");
      return Array.isArray(kept) ? kept.filter(isFailed) : [];
    } catch {
      return []; // Denied, or of another version.
    }
  }

  #keep(): void {
    const failed = [...this.#all.values()].filter(({ state }) => state === "failed");
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(failed.slice(-MOST_FAILED)));
    } catch (error) {
      this.#listener.onUnkept(error instanceof Error ? error.message : String(error));
    }
  }
}

const isFailed = (one: unknown): one is Outgoing => {
  if (typeof one !== "object" || one === null) return false;
  const { clientId, conversation, content, state, timeMs, code, reason } =
    one as Record<string, unknown>;
  return (
    [clientId, conversation, content, code, reason].every((text) => typeof text === "string") &&
    state === "failed" && typeof timeMs === "number"
  );
};
