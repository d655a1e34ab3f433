/**
 * The tabs of one browser that have the same client: one leads, the others follow it.
 *
 * A Web Lock elects the leader; the browser gives it to the next tab when the leader is
 * closed, crashes or lets go.  The tabs talk over a BroadcastChannel.
 */

import { WsmsgError } from "./errors.js";
import { madeUp } from "./ids.js";
import type { News, Wish } from "./leader.js";

/** The version of what tabs say to each other. */
const VERSION = 3;

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
  readonly onNews: (news: News, leader: string) => void;
  /** The leader is of another version of this package. */
  readonly onOtherVersion: () => void;
}

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
      else if (!this.#leads) listener.onOtherVersion();
      else listener.onHello(); // By what it is told, that tab knows of this version.
    };
  }

  /** Asks for the lead, and follows until it is given. */
  join(): void {
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

  /** Tells the leader what this tab wants. */
  wish(wish: Wish): void {
    this.#post({ to: "leader", wish });
  }

  /** Tells the followers something, after the tasks that wait already. */
  tell(news: News): void {
    if (this.#alone) return;
    this.#news.push(news);
    // Unlike a timer, this is not delayed in a page that nobody sees.
    if (this.#news.length === 1) this.#soon.port2.postMessage(0);
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
      if (!this.#leads) for (const one of word.news) this.#listener.onNews(one, word.leader);
    } else if (this.#leads) {
      if ("wish" in word) this.#listener.onWish(word.wish);
      else this.#listener.onHello();
    }
  }
}
