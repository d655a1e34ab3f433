/**
 * The client that programs use.
 *
 * The client keeps one connection up and hides its losses: it sends each message again
 * under the same id until the server has accepted it, asks for the messages it missed,
 * and drops repeats.
 */

import { apart, checked, checkedId, checkName, checkNumber } from "./checks.js";
import type { Codec } from "./codec.js";
import { WsmsgError } from "./errors.js";
import type { Decoded, Limits, Request, Submission } from "./frames.js";
import type { Id, IdLike, UserLike } from "./ids.js";
import { IndexedDBStorage } from "./indexeddb.js";
import { json } from "./json.js";
import {
  CLOSED, Leader, OFFLINE,
  type LeaderOptions, type News, type Status, type Wish,
} from "./leader.js";
import { Requests } from "./requests.js";
import { Saving } from "./saving.js";
import { EventQueue } from "./state/event-queue.js";
import { isState, isStored, type Event, type SendAccepted, type StateChanged } from "./state/events.js";
import type { Start } from "./state/inbound.js";
import type { Answer } from "./state/queries.js";
import { Reconnect, type ReconnectOptions } from "./state/reconnect.js";
import { MemoryStorage, type Storage } from "./storage.js";
import { Tabs, type Locks } from "./tabs.js";
import { checkTokenSource, type TokenSource } from "./token-source.js";
import type { WebSocketConstructor } from "./transport.js";
import { VERSION } from "./version.js";

/** Settings of a {@link Client}; each may be left out. */
export interface ClientOptions {
  /**
   * The name under which this browser keeps the state: "wsmsg" unless given.  Two users of
   * one browser need two names.
   */
  readonly name?: string;
  /**
   * The name of the device; a newer login of the same user and device ends the older one.
   * Unless given, one is made up, and kept with the state.
   */
  readonly device?: string;
  /** The spelling of frames: JSON unless given. */
  readonly codec?: Codec;
  /** The point from which a conversation without a position is read. */
  readonly start?: Start;
  /** Most messages in the queue of events: 1000 unless given. */
  readonly queuedMessages?: number;
  /** Most messages that wait to be accepted: 10,000 unless given. */
  readonly unsent?: number;
  /** Seconds of silence after which the server is pinged. */
  readonly heartbeatS?: number;
  /** The policy of reconnecting. */
  readonly reconnect?: ReconnectOptions;
  /** What makes WebSockets, where there is no global one, as in Node 20: that of `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** Where the state is kept; IndexedDB unless given.  `false`: only in memory. */
  readonly storage?: Storage | false;
  /** What elects the tab that leads; `navigator.locks` unless given.  `false`: nothing. */
  readonly locks?: Locks | false;
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: WsmsgError) => void;
}

interface WaitingSend {
  readonly frame: Submission;
  readonly waiting: Waiting<SendAccepted>[];
  /** A leader may have sent it. */
  told: boolean;
}

interface WaitingQuery extends Waiting<Exclude<Answer, WsmsgError>> {
  readonly request: Request;
}

const LEAVE_MS = 1000;
// The most names of users that are remembered.
const NAMES = 10_000;

const isClosed = (status: Status): boolean => status.state.type === "closed";

/** One user on one device, which may be several tabs of a browser. */
export class Client extends Requests {
  readonly #options: ClientOptions;
  readonly #leading: Omit<LeaderOptions, "saved" | "device" | "saving" | "onNews">;
  readonly #queue: EventQueue;
  readonly #sends = new Map<string, WaitingSend>();
  readonly #queries = new Map<string, WaitingQuery>();
  readonly #saving: Saving;
  /** The first and the last number of each conversation that the leader told this tab. */
  readonly #seen = new Map<string, readonly [number, number]>();
  readonly #names = new Map<Id, string>();
  #watched: readonly [readonly Id[], readonly string[]] = [[], []];
  #leader: Leader | undefined;
  #tabs: Tabs | undefined;
  #leaderName = "";
  /** The leader whose status this tab was told. */
  #statusOf = "";
  #status = OFFLINE;
  #last: StateChanged = OFFLINE.state;
  #changes: (() => void)[] = [];
  #taken: Event | undefined;
  #asked = 0;
  #started = false;
  readonly #tab: string;

  /**
   * @param url `ws://host:21005/api/v1/connect/ws`, or `wss`.
   * @param tokenSource a token, or a function that returns one.
   * @throws TypeError - an argument is of another type, or there is no WebSocket.
   */
  constructor(url: string, tokenSource: TokenSource, options: ClientOptions = {}) {
    super();
    checkTokenSource(tokenSource);
    if (options.device !== undefined) checkName(options.device, "device");
    const socket = options.WebSocket ?? globalThis.WebSocket;
    if (!socket) throw new TypeError("there is no WebSocket here: pass one as an option");
    if (!/^wss?:$/.test(new URL(url).protocol)) throw new TypeError(`${url}: no WebSocket URL`);
    const { start = "beginning", queuedMessages = 1000, unsent = 10_000, codec = json } = options;
    this.#options = options;
    this.#leading = {
      client: `wsmsg-typescript/${VERSION}`,
      start, queuedMessages, unsent, socket, codec, tokenSource,
      heartbeatS: options.heartbeatS,
      reconnect: new Reconnect(url, options.reconnect),
    };
    this.#queue = new EventQueue(queuedMessages);
    const locks = options.locks ?? globalThis.navigator?.locks;
    const storage = this.#storage(locks === undefined);
    this.#saving = new Saving(storage, (reason) => this.#memoryOnly(reason));
    if (locks && globalThis.BroadcastChannel) {
      this.#tabs = new Tabs(this.#name, locks, {
        onLead: () => void this.#lead(),
        onWish: (wish) => this.#leader?.perform(wish),
        onHello: () => {
          // A new tab waits for a leader that is not refused.
          if (isClosed(this.#status)) return;
          this.#leader?.tell();
          this.#tabs?.tell({ news: "names", names: [...this.#names] });
        },
        onNews: (news, leader) => this.#follow(news, leader),
        onOtherVersion: () =>
          this.#put({
            type: "reconnecting",
            reason: "a tab with another version of the client leads: reload all tabs",
            delayS: 0,
          }),
      });
    }
    this.#tab = this.#tabs?.name ?? "";
  }

  /** The state of the connection, as the last event about it. */
  get state(): StateChanged {
    return this.#last;
  }

  /** The id of the user; "0" before the first connection. */
  get user(): Id {
    return this.#status.user;
  }

  /** The limits of the server; `undefined` before the first connection. */
  get limits(): Limits | undefined {
    return this.#status.limits;
  }

  /** The number of messages that are neither accepted nor refused yet, of all tabs. */
  get unsent(): number {
    return this.#status.unsent;
  }

  /**
   * The seconds since the server last made sure that this client was given all that it
   * has for the user, which it does about once a minute.  `undefined`: it has not said so.
   */
  get checkedS(): number | undefined {
    const { checkedAt } = this.#status;
    return checkedAt && (performance.timeOrigin + performance.now() - checkedAt) / 1000;
  }

  /** Whether this tab has the connection. */
  get leads(): boolean {
    return this.#leader !== undefined;
  }

  /** Starts to connect, and reconnects until the client is closed.  Does not wait. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    globalThis.addEventListener?.("online", this.#onOnline);
    globalThis.addEventListener?.("pagehide", this.#onHide);
    if (this.#tabs) this.#tabs.join();
    else void this.#lead();
  }

  /**
   * Starts to connect, and waits until the server has authenticated the user.
   *
   * @throws WsmsgError - the server refuses the user, and a retry would not help.
   */
  async connect(): Promise<void> {
    this.start();
    await this.#until(() => this.#status.state.type === "connected");
  }

  /** Waits until the state of the connection changes; each failed attempt is a change. */
  async stateChanged(): Promise<StateChanged> {
    const before = this.#last;
    while (this.#last === before) await this.#change();
    return this.#last;
  }

  /** Waits until the client is connected and misses no message that it knows of. */
  async caughtUp(): Promise<void> {
    await this.#until(() => this.#status.caughtUp);
  }

  /** Tries to connect now, if there is no connection, instead of at the next attempt. */
  reconnectNow(): void {
    this.#wish({ wish: "hurry" });
  }

  /**
   * Closes the connection and stops; calls that still wait for an answer fail.  The last
   * event that the program took counts as processed.
   */
  async close(): Promise<void> {
    this.#done();
    globalThis.removeEventListener?.("online", this.#onOnline);
    globalThis.removeEventListener?.("pagehide", this.#onHide);
    const leader = this.#leader;
    if (leader) await leader.close();
    this.#watch([[], []]);
    this.#tabs?.leave();
    if (!isClosed(this.#status)) {
      if (!leader) this.#put(CLOSED);
      this.#setStatus({ ...this.#status, state: CLOSED });
    }
  }

  /**
   * Iterates over the events, in order.
   *
   * An event counts as processed when the program asks for the next one: only then does
   * the client report a message as delivered.  The iteration ends when the client is
   * closed.
   */
  async *events(): AsyncGenerator<Event, void, void> {
    for (;;) {
      this.#done();
      const event = this.#take();
      if (event) {
        this.#taken = event;
        yield event;
      } else if (isClosed(this.#status)) {
        return;
      } else {
        await this.#change();
      }
    }
  }

  /** Iterates over the events; see {@link events}. */
  [Symbol.asyncIterator](): AsyncGenerator<Event, void, void> {
    return this.events();
  }

  /**
   * Reports that the user has read all messages up to a number.  For a server without
   * numbers (see `limits.unnumbered`), report one message by its id.
   */
  markRead(conversation: string, seq: number, messageId: IdLike = "0"): void {
    checkName(conversation, "conversation");
    checkNumber(seq, "seq");
    const id = checkedId(messageId, "message_id", true);
    this.#wish({ wish: "markRead", conversation, seq, messageId: id });
  }

  /** Reports that the user is typing.  Without a connection the call has no effect. */
  typing(conversation: string): void {
    checkName(conversation, "conversation");
    this.#wish({ wish: "typing", conversation });
  }

  /** Subscribes to the presence of these users, in place of earlier ones of this tab. */
  watch(users: Iterable<UserLike>): void {
    this.#watched = apart(users, "users");
    this.#watch(this.#watched);
  }

  override nameOf(user: IdLike): string {
    return this.#names.get(String(user)) ?? String(user);
  }

  // -- requests

  protected override async accepted(frame: Submission): Promise<SendAccepted> {
    checked(frame);
    this.#check();
    const { client_id: clientId } = frame;
    const send = this.#sends.get(clientId) ?? { frame, waiting: [], told: false };
    if (JSON.stringify(send.frame) !== JSON.stringify(frame)) {
      throw new WsmsgError("conflict", `${clientId} is the id of another message`);
    }
    return new Promise((resolve, reject) => {
      send.waiting.push({ resolve, reject });
      this.#sends.set(clientId, send);
      this.#submit(send);
    });
  }

  protected override async ask(
    question: Parameters<Requests["ask"]>[0],
  ): Promise<Exclude<Answer, WsmsgError>> {
    this.#check();
    this.#asked += 1;
    const id = `q${this.#tab}${this.#asked}`;
    const request: Request = { ...question, id };
    return new Promise((resolve, reject) => {
      this.#queries.set(id, { request, resolve, reject });
      this.#wish({ wish: "ask", request });
    });
  }

  protected override async self(): Promise<Id> {
    await this.#until(() => this.user !== "0");
    return this.user;
  }

  // -- leading and following

  async #lead(): Promise<void> {
    const saved = await this.#saving.load(this.#options.device);
    const leader = new Leader({
      ...this.#leading,
      saved,
      device: saved.device,
      saving: this.#saving,
      onNews: (news) => {
        // That this program closes its client is no news for other tabs.
        const own = news.news === "event" && news.event.type === "closed" && !news.event.error;
        if (!own) this.#tabs?.tell(news);
        this.#hear(news);
      },
    });
    if (isClosed(this.#status)) return; // The program closed the client meanwhile.
    this.#leader = leader;
    this.#wishAgain();
    leader.start();
  }

  #follow(news: News, leader: string): void {
    if (isClosed(this.#status) || !this.#started) return;
    this.#hear(news);
    if (news.news === "status" && leader !== this.#statusOf) {
      this.#statusOf = leader;
      this.#put(news.status.state);
    }
    if (leader === this.#leaderName) return;
    this.#leaderName = leader;
    this.#wishAgain();
  }

  /** Tells a new leader what this tab still wants. */
  #wishAgain(): void {
    if (this.#watched.flat().length) this.#watch(this.#watched);
    for (const send of this.#sends.values()) this.#submit(send);
    for (const { request } of this.#queries.values()) this.#wish({ wish: "ask", request });
  }

  #watch([users, names]: readonly [readonly Id[], readonly string[]]): void {
    this.#wish({ wish: "watch", tab: this.#tab, users, names });
  }

  #submit(send: WaitingSend): void {
    const { frame, told } = send;
    send.told ||= this.leads || this.#leaderName !== "";
    this.#wish({ wish: "submit", tab: this.#tab, frame, again: told });
  }

  #wish(wish: Wish): void {
    if (this.#leader) this.#leader.perform(wish);
    else if (this.#leaderName) this.#tabs?.wish(wish);
  }

  #hear(news: News): void {
    switch (news.news) {
      case "event":
        this.#heardEvent(news.event);
        break;
      case "queued":
        if (news.tab !== this.#tab && !this.#sends.has(news.frame.client_id)) {
          this.#put({ type: "sendQueued", frame: news.frame });
        }
        break;
      case "settled":
        if (news.tab === undefined || news.tab === this.#tab) this.#settled(news.clientId, news.outcome);
        break;
      case "answer": {
        const { id, answer } = news;
        const query = this.#queries.get(id);
        this.#queries.delete(id);
        if (answer instanceof WsmsgError) query?.reject(answer);
        else query?.resolve(answer);
        break;
      }
      case "names":
        this.#learn(news.names);
        break;
      case "status":
        this.#setStatus(news.status);
    }
    this.#changed();
  }

  #heardEvent(event: Event): void {
    if (isState(event)) this.#last = event;
    if (event.type === "historyReplaced" || event.type === "historyRewound") this.#seen.clear();
    if (this.#leader) return; // The event is in the leader's own queue.
    if (isStored(event)) this.#see(event);
    else this.#queue.put(event);
  }

  #learn(names: Decoded["names"]): void {
    for (const [user, name] of names) {
      this.#names.delete(user);
      this.#names.set(user, name);
    }
    for (const user of this.#names.keys()) {
      if (this.#names.size <= NAMES) break;
      this.#names.delete(user);
    }
  }

  #see(event: Extract<Event, { messageId: Id }>): void {
    const { conversation, seq } = event;
    if (this.#queue.room <= 0) {
      const after = this.#seen.get(conversation)?.[1] ?? seq - 1;
      this.#queue.put({ type: "messagesMissed", conversation, after });
      return;
    }
    this.#seen.set(conversation, [this.#seen.get(conversation)?.[0] ?? seq, seq]);
    this.#queue.put(event);
  }

  #settled(clientId: string, outcome: SendAccepted | WsmsgError): void {
    const send = this.#sends.get(clientId);
    this.#sends.delete(clientId);
    const failed = outcome instanceof WsmsgError;
    if (!send) {
      this.#put({
        type: "sendSettled", clientId,
        accepted: failed ? undefined : outcome, error: failed ? outcome : undefined,
      });
    }
    for (const { resolve, reject } of send?.waiting ?? []) {
      if (failed) reject(outcome);
      else resolve(outcome);
    }
  }

  #setStatus(status: Status): void {
    const closed = isClosed(status) && !isClosed(this.#status);
    this.#status = status;
    if (this.#last.type !== status.state.type) this.#last = status.state;
    if (closed) {
      const state = this.#last;
      const error =
        (state.type === "closed" && state.error) ||
        new WsmsgError("unavailable", "the client is closed");
      for (const send of this.#sends.values()) send.waiting.forEach((w) => w.reject(error));
      for (const query of this.#queries.values()) query.reject(error);
      this.#sends.clear();
      this.#queries.clear();
      // A tab that comes with a new token may lead; those that follow end first.
      if (this.leads) setTimeout(() => this.#tabs?.leave(), LEAVE_MS);
      else this.#tabs?.leave();
    }
    this.#changed();
  }

  // -- events

  #take(): Event | undefined {
    const event = this.#queue.take();
    if (event || !this.#leader) return event;
    for (;;) {
      const own = this.#leader.exchange.events.take();
      if (!own || !isStored(own)) return own;
      const [first, last] = this.#seen.get(own.conversation) ?? [Infinity, 0];
      if (own.seq < first || own.seq > last) return own;
      this.#leader.took(own); // This tab had it while another one led.
    }
  }

  #done(): void {
    const event = this.#taken;
    this.#taken = undefined;
    if (event) this.#leader?.took(event);
  }

  #put(event: Event): void {
    if (isState(event)) this.#last = event;
    this.#queue.put(event);
    this.#changed();
  }

  #changed(): void {
    const changes = this.#changes;
    this.#changes = [];
    changes.forEach((call) => call());
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changes.push(resolve));
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      this.#check();
      await this.#change();
    }
  }

  #check(): void {
    if (!isClosed(this.#status)) return;
    const error = this.#last.type === "closed" ? this.#last.error : undefined;
    throw error ?? new WsmsgError("unavailable", "the client is closed");
  }

  // -- the surroundings

  get #name(): string {
    return this.#options.name ?? "wsmsg";
  }

  #storage(unshared: boolean): Storage {
    const { storage } = this.#options;
    if (storage) return storage;
    if (storage === undefined) {
      try {
        const factory = globalThis.indexedDB;
        // Without locks, each tab must be a device of its own, with a state of its own.
        if (factory && !unshared) return new IndexedDBStorage(`wsmsg ${this.#name}`, factory);
        this.#memoryOnly(`there ${factory ? "are no Web Locks" : "is no IndexedDB"} here`);
      } catch (error) {
        this.#memoryOnly(String(error));
      }
    }
    return new MemoryStorage();
  }

  #memoryOnly(reason: string): void {
    this.#put({ type: "memoryOnly", reason });
  }

  readonly #onOnline = (): void => this.#leader?.upkeep.hurry();

  readonly #onHide = (): void => {
    if (this.#leader) void this.#leader.store();
    else this.#watch([[], []]);
  };
}
