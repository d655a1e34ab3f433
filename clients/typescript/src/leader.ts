/**
 * The one tab that has the connection: what the program asks for, in this tab or another,
 * and what is told to all tabs.
 */

import { WsmsgError } from "./errors.js";
import type { ClientFrame, Decoded, Limits, Request, Submission } from "./frames.js";
import type { Id } from "./ids.js";
import type { Saving } from "./saving.js";
import { isState, type Event, type SendAccepted, type StateChanged } from "./state/events.js";
import { Exchange, type ExchangeOptions } from "./state/exchange.js";
import type { Answer } from "./state/queries.js";
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
  | { readonly wish: "hurry" }
  | {
      readonly wish: "markRead";
      readonly conversation: string;
      readonly seq: number;
      readonly messageId: Id;
    }
  | { readonly wish: "typing"; readonly conversation: string }
  | {
      readonly wish: "watch";
      readonly tab: string;
      readonly users: readonly Id[];
      readonly names: readonly string[];
    };

/** What all tabs know about the connection. */
export interface Status {
  readonly state: StateChanged;
  readonly user: Id;
  readonly limits: Limits | undefined;
  readonly caughtUp: boolean;
  readonly unsent: number;
  /** When the server last made sure that nothing is missing, in milliseconds since 1970. */
  readonly checkedAt: number | undefined;
}

/** The state of a client that its program closed. */
export const CLOSED: StateChanged = { type: "closed", reason: "closed", error: undefined };

/** The status before the first connection. */
export const OFFLINE: Status = {
  state: { type: "reconnecting", reason: "not connected yet", delayS: 0 },
  user: "0", limits: undefined, caughtUp: false, unsent: 0, checkedAt: undefined,
};

/** What the leader tells all tabs. */
export type News =
  | { readonly news: "event"; readonly event: Event }
  | {
      readonly news: "settled";
      readonly clientId: string;
      readonly outcome: SendAccepted | WsmsgError;
      /** The only tab that this is for; `undefined`: all. */
      readonly tab?: string;
    }
  | {
      readonly news: "queued";
      readonly frame: Submission;
      /** The tab that sends it; `undefined`: an earlier run did. */
      readonly tab?: string;
    }
  | { readonly news: "answer"; readonly id: string; readonly answer: Answer }
  | { readonly news: "names"; readonly names: Decoded["names"] }
  | { readonly news: "status"; readonly status: Status };

/** What a {@link Leader} is made with. */
export interface LeaderOptions
  extends Omit<ExchangeOptions, "onSettled" | "onAnswer" | "onRead" | "onEvent">,
    Pick<UpkeepOptions, "socket" | "codec" | "tokenSource" | "heartbeatS" | "reconnect"> {
  readonly saving: Saving;
  readonly onNews: (news: News) => void;
}

/** The exchange with the server, its connection, and its stored state. */
export class Leader {
  readonly exchange: Exchange;
  readonly #saving: Saving;
  /** The connection. */
  readonly upkeep: Upkeep;
  readonly #onNews: (news: News) => void;
  readonly #watches = new Map<string, readonly [readonly Id[], readonly string[]]>();
  #state = OFFLINE.state;
  #told = "";

  constructor(options: LeaderOptions) {
    const { saving, onNews } = options;
    this.#saving = saving;
    this.#onNews = onNews;
    this.exchange = new Exchange({
      ...options,
      onSettled: (clientId, outcome) => onNews({ news: "settled", clientId, outcome }),
      onAnswer: (id, answer) => onNews({ news: "answer", id, answer }),
      onRead: (conversation, read) =>
        this.exchange.queue.put({ type: "readMarked", conversation, read }),
      onEvent: (event) => this.#put(event),
    });
    this.upkeep = new Upkeep({
      ...options,
      exchange: this.exchange,
      beforeWrite: (frames: readonly ClientFrame[]) => saving.before(this.exchange, frames),
      onChange: () => this.#changed(),
      onNames: (names) => onNews({ news: "names", names }),
      onRefused: (error) => {
        this.exchange.queue.put({ type: "closed", reason: error.reason, error });
        this.#changed();
      },
    });
  }

  /** Starts to connect. */
  start(): void {
    this.#changed();
    this.#tellQueued();
    this.upkeep.start();
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
          this.#onNews({ news: "settled", clientId: frame.client_id, outcome: error, tab });
        }
        break;
      case "ask":
        exchange.ask(wish.request, performance.now() / 1000);
        break;
      case "hurry":
        this.upkeep.hurry();
        break;
      case "markRead":
        exchange.markRead(wish.conversation, wish.seq, wish.messageId);
        break;
      case "typing":
        exchange.typing(wish.conversation);
        break;
      case "watch":
        this.#watch(wish.tab, wish.users, wish.names);
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
    await this.upkeep.close();
    await this.#saving.last(this.exchange);
    if (this.#state.type !== "closed") this.exchange.queue.put(CLOSED);
  }

  #tellQueued(): void {
    for (const frame of this.exchange.outbound.unsettled()) {
      this.#onNews({ news: "queued", frame });
    }
  }

  #put(event: Event): void {
    if (isState(event)) this.#state = event;
    this.#onNews({ news: "event", event });
  }

  #watch(tab: string, users: readonly Id[], names: readonly string[]): void {
    this.#watches.delete(tab);
    if (users.length + names.length) this.#watches.set(tab, [users, names]);
    const all = [...this.#watches.values()];
    this.exchange.watch(
      [...new Set(all.flatMap((one) => one[0]))], [...new Set(all.flatMap((one) => one[1]))],
    );
  }

  #moved(): void {
    this.upkeep.wake();
    this.#changed();
  }

  #changed(): void {
    this.#saving.soon(this.exchange);
    const { user, limits, caughtUp, outbound, serverHistory } = this.exchange;
    const checkedAt =
      serverHistory.checkedAt && Math.round(performance.timeOrigin + serverHistory.checkedAt * 1000);
    const status = {
      state: this.#state, user, limits, caughtUp, unsent: outbound.size, checkedAt,
    };
    const text = JSON.stringify(status);
    if (text === this.#told) return;
    this.#told = text;
    this.#onNews({ news: "status", status });
  }
}
