/**
 * The tabs of one browser that have the same client: one leads, the others follow it.
 *
 * A Web Lock elects the leader; the browser gives it to the next tab when the leader is
 * closed, crashes or lets go.  The tabs talk over a BroadcastChannel.
 */

import { madeUp } from "./ids.js";
import type { News, Wish } from "./leader.js";

/** The version of what tabs say to each other. */
const VERSION = 2;

/** What one tab says to the others. */
type Word =
  | { readonly to: "leader"; readonly wishes: readonly Wish[] }
  | { readonly to: "leader"; readonly hello: string }
  | { readonly to: "tabs"; readonly leader: string; readonly news: News };

/** What {@link Tabs} call. */
export interface TabsListener {
  /** This tab leads from now on. */
  readonly onLead: () => void;
  /** A follower wants something; only the leader is called. */
  readonly onWishes: (wishes: readonly Wish[]) => void;
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

  /** @param name the name that the tabs have in common. */
  constructor(name: string, locks: Locks, listener: TabsListener) {
    this.#locks = locks;
    this.#lock = `wsmsg ${name}`;
    this.#listener = listener;
    this.#channel = new BroadcastChannel(this.#lock);
    this.#channel.onmessage = ({ data }: MessageEvent<{ v: number; word: Word }>) => {
      this.#followed = true;
      this.#alone = false;
      if (data.v === VERSION) this.#heard(data.word);
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
  wish(wishes: readonly Wish[]): void {
    this.#post({ to: "leader", wishes });
  }

  /** Tells the followers something. */
  tell(news: News): void {
    if (!this.#alone) this.#post({ to: "tabs", leader: this.name, news });
  }

  /** Leaves; another tab leads, if this one did. */
  leave(): void {
    this.#leaving.abort();
    this.#release?.();
    this.#channel.close();
  }

  #post(word: Word): void {
    if (!this.#leaving.signal.aborted) this.#channel.postMessage({ v: VERSION, word });
  }

  #heard(word: Word): void {
    if (word.to === "tabs") {
      if (!this.#leads) this.#listener.onNews(word.news, word.leader);
    } else if (this.#leads) {
      if ("wishes" in word) this.#listener.onWishes(word.wishes);
      else this.#listener.onHello();
    }
  }
}
