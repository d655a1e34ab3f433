/**
 * Both directions of the protocol with the server, without any I/O.
 *
 * The owner of the connection calls {@link Exchange.receive} for each frame, writes the
 * frames of {@link Exchange.due}, checks again at the time of {@link Exchange.nextDue},
 * and calls {@link Exchange.lost} when the connection is lost.  Times are seconds of one
 * clock.
 */

import { fromCode, type WsmsgError } from "../errors.js";
import type {
  ClientFrame, Deliver, From, Head, Hello, Limits, Request, ServerFrame, Submission, Watch,
} from "../frames.js";
import type { Id } from "../ids.js";
import { CursorState, Receipts } from "./cursors.js";
import { EventQueue } from "./event-queue.js";
import {
  isStored, received,
  type Connected, type Event, type HistoryReplaced, type HistoryRewound,
} from "./events.js";
import { Inbound, type Start } from "./inbound.js";
import { Listing } from "./listing.js";
import { Outbound, type Settled } from "./outbound.js";
import { PendingQueries, type Answer } from "./queries.js";
import type { Saved } from "./saved.js";
import { NEWEST, ServerHistory } from "./server-history.js";
import { FrameTracer } from "./tracing.js";
import { Unnumbered } from "./unnumbered.js";

// The interval and the most frames of progress reports.
const CURSOR_S = 0.1;
const CURSORS = 10;
const LAST_CURSORS = 100;
// The time limit for the `resync` that follows a welcome without a list.
const UNSYNCED_S = 3;

/** What an {@link Exchange} is made with. */
export interface ExchangeOptions {
  readonly device: string;
  /** The name and version of this client, for the server's log. */
  readonly client: string;
  /** The state of an earlier run. */
  readonly saved: Saved;
  readonly start: Start;
  readonly queuedMessages: number;
  readonly unsent: number;
  readonly onSettled: Settled;
  readonly onAnswer: (id: string, answer: Answer) => void;
  /** Called when the user has read messages up to a number, here or elsewhere. */
  readonly onRead?: (conversation: string, seq: number) => void;
  /** Called with each event that is queued. */
  readonly onEvent?: (event: Event) => void;
}

/** The state between a program and the server, across connections. */
export class Exchange {
  readonly queue: EventQueue;
  readonly outbound: Outbound;
  readonly inbound: Inbound;
  readonly unnumbered: Unnumbered;
  readonly serverHistory: ServerHistory;
  readonly tracer = new FrameTracer();
  /** `undefined`: there is no connection. */
  connected: Connected | undefined;
  user: Id;
  limits: Limits | undefined;
  readonly #options: ExchangeOptions;
  readonly #cursors = new CursorState();
  #cursorsAt = 0;
  readonly #listing: Listing;
  readonly #queries: PendingQueries;
  readonly #receipts: Receipts;
  readonly #typing = new Set<string>();
  #watched: Watch = { type: "watch", users: [] };
  #watchDue = false;

  constructor(options: ExchangeOptions) {
    const { saved, queuedMessages } = options;
    this.#options = options;
    this.user = saved.user;
    this.queue = new EventQueue(queuedMessages, options.onEvent);
    const give = (message: Deliver) => this.queue.put(received(message, this.user));
    const room = () => this.queue.room;
    this.outbound = new Outbound(
      Math.max(options.unsent, saved.unsent.length), options.onSettled,
    );
    this.inbound = new Inbound({
      give,
      room,
      refill: Math.max(1, Math.floor(queuedMessages / 2)),
      start: options.start,
      positions: saved.positions,
      listed: saved.position !== "",
    });
    this.unnumbered = new Unnumbered(give, room);
    this.serverHistory = new ServerHistory(saved.epoch, saved.witness, this.inbound);
    this.#listing = new Listing(saved.position);
    this.#queries = new PendingQueries(options.onAnswer);
    this.#receipts = new Receipts((event) => this.queue.put(event));
    for (const [name, position] of saved.positions) this.#cursors.resume(name, position.seq);
    for (const frame of saved.unsent) this.outbound.add(frame, true);
    this.outbound.changed = false;
  }

  /** Whether the client is connected and misses no message that it knows of. */
  get caughtUp(): boolean {
    return this.connected !== undefined && (this.inbound.settled || !this.numbers);
  }

  /** Whether the server numbers messages, so that the client can ask for them. */
  get numbers(): boolean {
    return !this.limits?.unnumbered;
  }

  /** The state from which a later run can continue. */
  saved(): Saved {
    return {
      user: this.user,
      position: this.#listing.position,
      epoch: this.serverHistory.epoch,
      witness: this.serverHistory.witness,
      positions: new Map(this.inbound.positions()),
      unsent: this.outbound.unsettled(),
    };
  }

  /** Returns the first frame of a connection, without a token. */
  hello(): Hello {
    return {
      type: "hello",
      device: this.#options.device,
      position: this.#listing.position,
      client: this.#options.client,
      witness: this.serverHistory.witness,
    };
  }

  /** Adds a message to send; throws as {@link Outbound.add} does. */
  send(frame: Submission, uncertain = false): void {
    this.outbound.add(frame, uncertain);
  }

  /** Adds a query; its id must not begin with `i`, `l` or `n`, which are used here. */
  ask(request: Request, now: number): void {
    this.#queries.add(request, now);
  }

  /** Forgets a query whose answer is not needed any more. */
  forget(id: string): void {
    this.#queries.forget(id);
  }

  /** Records that the program has processed an event. */
  took(event: Event): void {
    if (isStored(event) && event.seq) {
      this.inbound.took(event.conversation, event.seq, event.messageId);
      this.#cursors.raise("delivered", event.conversation, event.seq);
    }
  }

  /** Records that the user has read all up to this number; if it is 0, this message. */
  markRead(conversation: string, seq: number, messageId: Id): void {
    const isNews = seq > 0 && this.#cursors.raise("read", conversation, seq);
    if (isNews) this.#options.onRead?.(conversation, seq);
    if (!seq && messageId !== "0") this.unnumbered.read(conversation, messageId);
  }

  /** Reports that the user is typing, if the client is connected. */
  typing(conversation: string): void {
    if (this.connected) this.#typing.add(conversation);
  }

  /** Subscribes to the presence of these users, in place of earlier ones. */
  watch(users: readonly Id[], names: readonly string[] = []): void {
    this.#watched = { type: "watch", users, ...(names.length && { names }) };
    this.#watchDue = true;
  }

  /** Records that the connection is lost. */
  lost(): void {
    this.connected = undefined;
    this.outbound.lost();
    this.inbound.lost();
    this.#cursors.lost();
    this.unnumbered.lost();
    this.#listing.lost();
    this.serverHistory.lost();
    this.tracer.lost();
    this.#typing.clear();
    this.#queries.repeat();
  }

  /** Returns the frames to write before the connection is closed. */
  lastWords(): ClientFrame[] {
    return this.connected ? this.#progress.due(LAST_CURSORS, Infinity) : [];
  }

  /** Returns the frames to write now. */
  due(now: number): ClientFrame[] {
    if (!this.connected) return [];
    const out: ClientFrame[] = [];
    if (this.#watchDue) {
      this.#watchDue = false;
      out.push(this.#watched);
    }
    if (this.numbers) {
      out.push(...this.#listing.due(now), ...this.inbound.due(now));
      out.push(...this.serverHistory.due(now));
    }
    out.push(...this.#queries.due(now), ...this.outbound.due(now));
    for (const conversation of this.#typing) out.push({ type: "typing", conversation });
    this.#typing.clear();
    if (now >= this.#progress.nextReport(this.#cursorsAt)) {
      this.#cursorsAt = now + CURSOR_S;
      out.push(...this.#progress.due(CURSORS, now));
    }
    return this.tracer.traced(out);
  }

  get #progress(): CursorState | Unnumbered {
    return this.numbers ? this.#cursors : this.unnumbered;
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(now: number): number {
    if (!this.connected) return Infinity;
    const next = Math.min(
      this.outbound.nextDue(now),
      this.#progress.nextReport(this.#cursorsAt),
      this.#queries.nextDue(),
    );
    if (!this.numbers) return next;
    const { serverHistory, inbound } = this;
    return Math.min(
      next, serverHistory.nextDue(now), this.#listing.nextDue(), inbound.nextDue(now),
    );
  }

  /** Processes a frame, except those that are for the owner of the connection. */
  receive(frame: ServerFrame, now: number): void {
    switch (frame.type) {
      case "deliver":
        return this.#delivered(frame, now);
      case "accepted":
        return this.outbound.accepted(frame);
      case "rejected":
        return this.outbound.rejected(frame, now);
      case "page":
        return this.#page(frame, now);
      case "heads":
        return this.#listing.isOpen(frame.id)
          ? this.#heads(frame, now)
          : this.#queries.answered(frame.id, frame);
      case "group":
      case "blocked":
      case "invited":
      case "named":
        return this.#queries.answered(frame.id, frame);
      case "receipt":
        if (frame.user === this.user && frame.read) {
          this.#options.onRead?.(frame.conversation, frame.read);
        }
        return this.#receipts.received(frame, this.user);
      case "presence":
        return this.queue.put({
          type: "presenceChanged",
          user: frame.user,
          online: frame.online,
          lastSeenMs: frame.last_seen,
        });
      case "typing":
        return this.queue.put({
          type: "typingReceived", conversation: frame.conversation, user: frame.user,
        });
      case "resync":
        if (this.numbers) {
          this.inbound.outdate();
          this.inbound.suspectNewest();
          this.#listing.begin(now);
        }
        return;
      case "error":
        return this.#error(frame, now);
      case "welcome":
        return this.#welcomed(frame, now);
      case "pong":
        this.tracer.answered(frame.nonce);
        return this.serverHistory.ponged(frame, now);
      case "goaway":
        return this.#listing.reached(frame.position);
      case "expiring":
      case "refreshed":
    }
  }

  #welcomed(frame: From<"welcome">, now: number): void {
    this.connected = { type: "connected", user: frame.user, session: frame.session };
    this.user = frame.user;
    this.limits = frame.limits;
    this.#watchDue = this.#watched.users.length > 0 || "names" in this.#watched;
    this.outbound.welcomed(frame.limits, now);
    this.queue.put(this.connected);
    if (!this.numbers) return;
    this.serverHistory.welcomed(now);
    this.#checkEpoch(frame.epoch, now);
    this.serverHistory.note(frame.epoch);
    if (frame.synced) this.#listed(frame, now);
    else this.#listing.begin(now + UNSYNCED_S);
  }

  #heads(frame: From<"heads">, now: number): void {
    this.#checkEpoch(frame.epoch, now);
    this.#listed(frame, now);
  }

  #checkEpoch(epoch: string, now: number): boolean {
    const replaced = this.serverHistory.isReplaced(epoch);
    if (replaced) this.#beginAnew({ type: "historyReplaced", epoch }, now);
    return replaced;
  }

  #delivered(frame: From<"deliver">, now: number): void {
    if (this.numbers) {
      this.serverHistory.heard(now);
      this.#cursors.pace(frame, now);
      this.inbound.delivered(frame);
    } else if (!frame.seq) {
      this.unnumbered.delivered(frame);
    }
  }

  #page(frame: From<"page">, now: number): void {
    if (this.#checkEpoch(frame.epoch, now)) return;
    if (this.serverHistory.isRewoundIn(frame)) {
      const { epoch, conversation } = frame;
      this.#beginAnew({ type: "historyRewound", epoch, conversation }, now);
    } else if (this.inbound.page(frame, now)) {
      this.serverHistory.heard(now);
    } else {
      this.#queries.answered(frame.id, frame);
    }
  }

  #beginAnew(event: HistoryReplaced | HistoryRewound, now: number): void {
    this.serverHistory.beginAnew(event.epoch);
    this.#listing.restart(now);
    this.inbound.beginAnew();
    this.#cursors.beginAnew();
    this.#receipts.beginAnew();
    this.outbound.sendAgain();
    this.queue.put(event);
  }

  #listed(
    page: { heads: readonly Head[]; more: boolean; position: string }, now: number,
  ): void {
    const complete = this.#listing.page(page, now);
    this.inbound.merge(page.heads, complete);
    for (const head of page.heads) {
      this.#cursors.applyHead(head);
      for (const receipt of head.others) this.#receipts.received(receipt, this.user);
    }
  }

  /**
   * Processes a frame that cannot be sent, or that the server cannot decode: what waits
   * for its answer fails.
   */
  refused(frame: ClientFrame, error: WsmsgError, now: number): void {
    if ("client_id" in frame) {
      this.outbound.refused(frame.client_id, error);
    } else if ("id" in frame) {
      this.#failed(frame.id, error, now);
    }
  }

  #badFrame(frame: From<"error">, now: number): void {
    if (!this.tracer.active) {
      // The cause may be any frame without an answer: repeat them, traced.
      this.tracer.begin();
      this.outbound.lost();
      this.#queries.repeat();
      return;
    }
    const cause = this.tracer.cause();
    if (cause) this.refused(cause, fromCode(frame.code, frame.reason), now);
  }

  #error(frame: From<"error">, now: number): void {
    const { code, reason, id } = frame;
    if (code === "bad_frame" && !id) return this.#badFrame(frame, now);
    this.#failed(id, fromCode(code, reason, frame.retry_after_ms), now);
  }

  #failed(id: string, error: WsmsgError, now: number): void {
    const waitS = error.retryAfterMs / 1000;
    const retryAt = error.retry ? now + (waitS || 1) : undefined;
    if (this.#listing.isOpen(id)) {
      this.#listing.refused(now, waitS);
    } else if (id === NEWEST) {
      this.serverHistory.refused(retryAt);
    } else if (
      !this.inbound.refused(id, retryAt) && !this.#queries.refused(id, error, now)
    ) {
      const { code, reason } = error;
      const rejected = { client_id: id, code, reason, retry_after_ms: 0, uncertain: false };
      this.outbound.rejected(rejected, now);
    }
  }
}
