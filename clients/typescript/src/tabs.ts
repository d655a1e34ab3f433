/**
 * The tabs of one browser that have the same client: one leads, the others follow it.
 *
 * A Web Lock elects the leader; the browser gives it to the next tab when the leader is
 * closed, crashes or lets go.  The tabs talk over a BroadcastChannel.
 */

import { WsmsgError } from "./errors.js";
import { madeUp } from "./ids.js";
import type { News, Wish } from "./leader.js";
import type { EventQueue } from "./state/event-queue.js";
import { isStored, type Event } from "./state/events.js";

/** The version of what tabs say to each other. */
const VERSION = 3;
const LEAVE_MS = 1000;

/** What one tab says to the others. */
type Word =
  | { readonly to: "leader"; readonly wish: Wish }
  | { readonly to: "leader"; readonly hello: string }
  | { readonly to: "tabs"; readonly leader: string; readonly news: readonly News[] };

/** What {@link Tabs} call. */
export interface TabsListener {
  /** This tab leads from now on. */
  readonly onLead: () => void;
  /** A follower wants something; only the leader is called. */
  readonly onWish: (wish: Wish) => void;
  /** A new tab asks what the status is; only the leader is called. */
  readonly onHello: () => void;
  /** The leader tells something; only followers are called. */
  readonly onNews: (news: News) => void;
  /** Another tab leads from now on; only followers are called. */
  readonly onLeader: () => void;
  /** Something happened that the leader does not tell. */
  readonly onEvent: (event: Event) => void;
}

/** Makes the tabs of a client. */
export type MakeTabs = (listener: TabsListener) => Tabs;

/** The part of `navigator.locks` that is needed; `query` saves work where it is there. */
export interface Locks {
  request(
    name: string, options: { signal: AbortSignal }, granted: () => Promise<void>,
  ): Promise<unknown>;
  query?(): Promise<{ readonly pending?: readonly { readonly name?: string }[] }>;
}

// An error would lose its class on the way.
const replaced = (_: string, value: unknown): unknown =>
  value instanceof WsmsgError ? { failed: [value.code, value.reason, value.retryAfterMs] } : value;

const revived = (_: string, value: { failed?: ConstructorParameters<typeof WsmsgError> } | null) =>
  value?.failed ? new WsmsgError(...value.failed) : value;

/** This tab among others. */
export class Tabs {
  /** The name of this tab. */
  readonly name = madeUp().slice(0, 8);
  readonly #channel: BroadcastChannel;
  readonly #locks: Locks;
  readonly #lock: string;
  readonly #listener: TabsListener;
  readonly #leaving = new AbortController();
  #release: (() => void) | undefined;
  #leads = false;
  /** No tab follows this one, so nothing needs to be told. */
  #alone = false;
  #followed = false;
  #joined = false;
  /** The leader that this tab follows, and the one whose status it was told. */
  #leader = "";
  #statusOf = "";
  /** The first and the last number of each conversation that the leader told this tab. */
  readonly #seen = new Map<string, readonly [number, number]>();
  /** What is to be told in one word, as each costs the same. */
  #news: News[] = [];
  readonly #soon = new MessageChannel();

  /** @param name the name that the tabs have in common. */
  constructor(name: string, locks: Locks, listener: TabsListener) {
    this.#locks = locks;
    this.#lock = `wsmsg ${name}`;
    this.#listener = listener;
    this.#channel = new BroadcastChannel(this.#lock);
    this.#soon.port1.onmessage = () => this.#flush();
    this.#channel.onmessage = ({ data }: MessageEvent<{ v: number; text: string }>) => {
      this.#followed = true;
      this.#alone = false;
      if (data.v === VERSION) this.#heard(JSON.parse(data.text, revived) as Word);
      else if (!this.#leads) {
        listener.onEvent({
          type: "reconnecting",
          reason: "a tab with another version of the client leads: reload all tabs",
          delayS: 0,
        });
      }
      else listener.onHello(); // By what it is told, that tab knows of this version.
    };
  }

  /** Asks for the lead, and follows until it is given. */
  join(): void {
    this.#joined = true;
    const { signal } = this.#leaving;
    const lead = () => {
      this.#leads = true;
      this.#listener.onLead();
      this.#look().catch(() => {}); // Then each tab is told, as if others followed.
      return new Promise<void>((resolve) => (this.#release = resolve));
    };
    this.#locks.request(this.#lock, { signal }, lead).catch(() => {
      // The tab has left before it could lead.
    });
    this.#post({ to: "leader", hello: this.name });
  }

  /** Looks for tabs that wait for the lead; later ones say so. */
  async #look(): Promise<void> {
    const locks = await this.#locks.query?.();
    this.#alone =
      locks?.pending !== undefined && !this.#followed &&
      locks.pending.every(({ name }) => name !== this.#lock);
  }

  /** Whether this tab has a leader. */
  get follows(): boolean {
    return this.#leader !== "";
  }

  /** Tells the leader what this tab wants, if there is one. */
  wish(wish: Wish): void {
    if (this.follows) this.#post({ to: "leader", wish });
  }

  /**
   * Notes an event that the leader was given.
   *
   * @param queue for the program of this tab, if it follows.
   */
  heard(event: Event, queue: EventQueue | undefined): void {
    if (event.type === "historyReplaced" || event.type === "historyRewound") this.#seen.clear();
    if (queue && isStored(event)) {
      const { conversation, seq } = event;
      const [first, last] = this.#seen.get(conversation) ?? [seq, seq - 1];
      if (queue.room <= 0) {
        queue.put({ type: "messagesMissed", conversation, after: last });
        return;
      }
      this.#seen.set(conversation, [first, seq]);
    }
    queue?.put(event);
  }

  /** Whether this tab had an event while another one led. */
  had(event: Event): boolean {
    if (!isStored(event)) return false;
    const [first, last] = this.#seen.get(event.conversation) ?? [Infinity, 0];
    return event.seq >= first && event.seq <= last;
  }

  /** Tells the followers something, after the tasks that wait already. */
  tell(news: News): void {
    // That its own program closes the leader is no news for other tabs.
    const own = news.news === "event" && news.event.type === "closed" && !news.event.error;
    if (own || this.#alone) return;
    this.#news.push(news);
    // Unlike a timer, this is not delayed in a page that nobody sees.
    if (this.#news.length === 1) this.#soon.port2.postMessage(0);
  }

  /** Leaves after the end of the client. */
  ended(): void {
    // A tab that comes with a new token may lead; those that follow end first.
    if (this.#leads) setTimeout(() => this.leave(), LEAVE_MS);
    else this.leave();
  }

  /** Leaves; another tab leads, if this one did. */
  leave(): void {
    this.#flush();
    this.#soon.port1.close();
    this.#leaving.abort();
    this.#release?.();
    this.#channel.close();
  }

  #flush(): void {
    const news = this.#news;
    this.#news = [];
    if (news.length) this.#post({ to: "tabs", leader: this.name, news });
  }

  #post(word: Word): void {
    if (!this.#leaving.signal.aborted) {
      this.#channel.postMessage({ v: VERSION, text: JSON.stringify(word, replaced) });
    }
  }

  #heard(word: Word): void {
    if (word.to === "tabs") {
      if (!this.#leads && this.#joined) for (const one of word.news) this.#follow(one, word.leader);
    } else if (this.#leads) {
      if ("wish" in word) this.#listener.onWish(word.wish);
      else this.#listener.onHello();
    }
  }

  #follow(news: News, leader: string): void {
    if (this.#leaving.signal.aborted) return;
    this.#listener.onNews(news);
    if (news.news === "status" && leader !== this.#statusOf) {
      this.#statusOf = leader;
      this.#listener.onEvent(news.status.state);
    }
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.#listener.onLeader();
  }
}
