/**
 * The one tab that has the connection: what the program asks for, in this tab or another,
 * and what is told to all tabs.
 */

import { WsmsgError, type ErrorCode } from "./errors.js";
import type { ClientFrame, Limits, Request, Submission } from "./frames.js";
import type { Id } from "./ids.js";
import type { Saving } from "./saving.js";
import type { Event, SendAccepted, StateChanged } from "./state/events.js";
import { Exchange, type ExchangeOptions } from "./state/exchange.js";
import type { Answer } from "./state/queries.js";
import type { Reconnect } from "./state/reconnect.js";
import { Upkeep, type UpkeepOptions } from "./upkeep.js";

/** What a tab wants done. */
export type Wish =
  | {
      readonly wish: "submit";
      readonly tab: string;
      readonly frame: Submission;
      /** An earlier leader may have sent it. */
      readonly again: boolean;
    }
  | { readonly wish: "ask"; readonly request: Request }
  | { readonly wish: "forget"; readonly id: string }
  | { readonly wish: "hurry" }
  | {
      readonly wish: "markRead";
      readonly conversation: string;
      readonly seq: number;
      readonly messageId: Id;
    }
  | { readonly wish: "typing"; readonly conversation: string }
  | { readonly wish: "watch"; readonly tab: string; readonly users: readonly Id[] };

/** An error as it crosses from one tab to another. */
export interface ToldError {
  readonly failed: ErrorCode;
  readonly reason: string;
  readonly retryAfterMs: number;
}

/** What all tabs know about the connection. */
export interface Status {
  readonly state: StateChanged;
  readonly user: Id;
  readonly limits: Limits | undefined;
  readonly caughtUp: boolean;
  readonly unsent: number;
}

/** What the leader tells all tabs. */
export type News =
  | {
      readonly news: "event";
      readonly event: Event;
      /** The error of a `closed` event, which loses its class between tabs. */
      readonly error?: ToldError;
    }
  | {
      readonly news: "settled";
      readonly clientId: string;
      readonly outcome: SendAccepted | ToldError;
      /** The only tab that this is for; `undefined`: all. */
      readonly tab?: string;
    }
  | {
      readonly news: "queued";
      readonly frame: Submission;
      /** The tab that sends it; `undefined`: an earlier run did. */
      readonly tab?: string;
    }
  | { readonly news: "answer"; readonly id: string; readonly answer: Told }
  | { readonly news: "status"; readonly status: Status };

type Told = Exclude<Answer, WsmsgError> | ToldError;

const told = <T extends object>(outcome: T | WsmsgError): T | ToldError =>
  outcome instanceof WsmsgError
    ? { failed: outcome.code, reason: outcome.reason, retryAfterMs: outcome.retryAfterMs }
    : outcome;

/** Returns the error that was told, or what else it is. */
export const heard = <T extends object>(outcome: T | ToldError): T | WsmsgError =>
  "failed" in outcome
    ? new WsmsgError(outcome.failed, outcome.reason, outcome.retryAfterMs)
    : outcome;

/** What a {@link Leader} is made with. */
export interface LeaderOptions
  extends Omit<ExchangeOptions, "onSettled" | "onAnswer" | "onRead" | "onEvent">,
    Pick<UpkeepOptions, "socket" | "tokenSource" | "heartbeatS"> {
  readonly reconnect: Reconnect;
  readonly saving: Saving;
  readonly onNews: (news: News) => void;
}

/** The exchange with the server, its connection, and its stored state. */
export class Leader {
  readonly exchange: Exchange;
  readonly #saving: Saving;
  readonly #upkeep: Upkeep;
  readonly #onNews: (news: News) => void;
  readonly #watches = new Map<string, readonly Id[]>();
  #state: StateChanged = { type: "reconnecting", reason: "not connected yet", delayS: 0 };
  #told = "";

  constructor(options: LeaderOptions) {
    const { saving, onNews } = options;
    this.#saving = saving;
    this.#onNews = onNews;
    this.exchange = new Exchange({
      ...options,
      onSettled: (clientId, outcome) =>
        onNews({ news: "settled", clientId, outcome: told(outcome) }),
      onAnswer: (id, answer) => onNews({ news: "answer", id, answer: told(answer) }),
      onRead: (conversation, read) =>
        this.exchange.events.put({ type: "readMarked", conversation, read }),
      onEvent: (event) => this.#put(event),
    });
    this.#upkeep = new Upkeep({
      ...options,
      exchange: this.exchange,
      beforeWrite: (frames: readonly ClientFrame[]) => saving.before(this.exchange, frames),
      onChange: () => this.#changed(),
      onRefused: (error) => {
        this.exchange.events.put({ type: "closed", reason: error.reason, error });
        this.#changed();
      },
    });
  }

  /** Starts to connect. */
  start(): void {
    this.#changed();
    this.#tellQueued();
    this.#upkeep.start();
  }

  /** Connects now instead of later, as the network is back. */
  hurry(): void {
    this.#upkeep.hurry();
  }

  /** Does what a tab wants. */
  perform(wish: Wish): void {
    const { exchange } = this;
    switch (wish.wish) {
      case "submit":
        try {
          exchange.send(wish.frame, wish.again);
          this.#onNews({ news: "queued", frame: wish.frame, tab: wish.tab });
        } catch (error) {
          if (!(error instanceof WsmsgError)) throw error;
          const { frame, tab } = wish;
          const outcome = told<SendAccepted>(error);
          this.#onNews({ news: "settled", clientId: frame.client_id, outcome, tab });
        }
        break;
      case "ask":
        exchange.ask(wish.request, performance.now() / 1000);
        break;
      case "forget":
        exchange.forget(wish.id);
        break;
      case "hurry":
        this.hurry();
        break;
      case "markRead":
        exchange.markRead(wish.conversation, wish.seq, wish.messageId);
        break;
      case "typing":
        exchange.typing(wish.conversation);
        break;
      case "watch":
        if (wish.users.length) this.#watches.set(wish.tab, wish.users);
        else this.#watches.delete(wish.tab);
        exchange.watch([...new Set([...this.#watches.values()].flat())]);
    }
    this.#moved();
  }

  /** Records that the program of this tab has processed an event. */
  took(event: Event): void {
    this.exchange.took(event);
    this.#moved();
  }

  /** Tells a new tab the status, though it has not changed, and what is unsent. */
  tell(): void {
    this.#told = "";
    this.#changed();
    this.#tellQueued();
  }

  /** Stores the state now, as the page may go. */
  async store(): Promise<void> {
    await this.#saving.now(this.exchange);
  }

  /** Closes the connection and stops. */
  async close(): Promise<void> {
    await this.#upkeep.close();
    await this.#saving.last(this.exchange);
    if (this.#state.type !== "closed") {
      this.exchange.events.put({ type: "closed", reason: "closed", error: undefined });
    }
  }

  #tellQueued(): void {
    for (const frame of this.exchange.outbound.unsettled()) {
      this.#onNews({ news: "queued", frame });
    }
  }

  #put(event: Event): void {
    if (event.type === "connected" || event.type === "reconnecting" || event.type === "closed") {
      this.#state = event;
    }
    if (event.type === "closed" && event.error) {
      this.#state = { ...event, error: undefined };
      this.#onNews({ news: "event", event: this.#state, error: told<never>(event.error) });
    } else {
      this.#onNews({ news: "event", event });
    }
  }

  #moved(): void {
    this.#upkeep.wake();
    this.#changed();
  }

  #changed(): void {
    this.#saving.soon(this.exchange);
    const { user, limits, caughtUp, outbound } = this.exchange;
    const status = { state: this.#state, user, limits, caughtUp, unsent: outbound.size };
    const text = JSON.stringify(status);
    if (text === this.#told) return;
    this.#told = text;
    this.#onNews({ news: "status", status });
  }
}
