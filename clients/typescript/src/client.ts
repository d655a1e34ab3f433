/**
 * The client that programs use.
 *
 * The client keeps one connection up and hides its losses: it sends each message again
 * under the same id until the server has accepted it, asks for the messages it missed,
 * and drops repeats.
 */

import {
  apart, checkedId, checkName, checkNumber, checkSend, one,
} from "./checks.js";
import type { Codec } from "./codec.js";
import { WsmsgError } from "./errors.js";
import {
  TEXT, type Decoded, type From, type Limits, type Request, type Submission,
} from "./frames.js";
import { groupIn, madeUp, type Id, type IdLike, type UserLike } from "./ids.js";
import { json } from "./json.js";
import {
  CLOSED, Leader, OFFLINE,
  type LeaderOptions, type News, type Status, type Wish,
} from "./leader.js";
import { Saving } from "./saving.js";
import { removeExcess } from "./state/bounded.js";
import { EventQueue } from "./state/event-queue.js";
import {
  isState, type Closed, type Event, type SendAccepted, type StateChanged, type Stored,
} from "./state/events.js";
import type { Start } from "./state/inbound.js";
import type { Answer } from "./state/queries.js";
import { Reconnect, type ReconnectOptions } from "./state/reconnect.js";
import { MemoryStorage, type Storage } from "./storage.js";
import type { MakeTabs, Tabs } from "./tabs.js";
import { checkTokenSource, type TokenSource } from "./token-source.js";
import type { WebSocketConstructor } from "./transport.js";
import { VERSION } from "./version.js";

/** Settings of a {@link Client}; each may be left out. */
export interface ClientOptions {
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
  /**
   * Where the state is kept across restarts, such as that of `@wsmsg/client/browser`.  `false`:
   * only in memory.
   */
  readonly storage?: Storage | false;
  /** What makes the tabs of a browser one device; see `@wsmsg/client/browser`. */
  readonly tabs?: MakeTabs;
}

/** A message to send: to a user, or to a group. */
export interface Message {
  readonly to?: UserLike;
  readonly group?: IdLike;
  readonly content: string;
  /** A repeat with the same id is the same message; a new id if it is left out. */
  readonly clientId?: string;
  /** Plain text if it is left out. */
  readonly kind?: number;
  /** A span of the program (W3C Trace Context), which the trace of the message continues. */
  readonly traceparent?: string | undefined;
}

/** A query without its id. */
type Question = Request extends infer R
  ? R extends Request ? Omit<R, "id"> : never
  : never;

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

// The most names of users that are remembered.
const NAMES = 10_000;

const isClosed = (status: Status): boolean => status.state.type === "closed";

/** One user on one device, which may be several tabs of a browser. */
export class Client {
  readonly #device: string | undefined;
  readonly #leading: Omit<LeaderOptions, "saved" | "device" | "saving" | "onNews">;
  readonly #queue: EventQueue;
  readonly #sends = new Map<string, WaitingSend>();
  readonly #queries = new Map<string, WaitingQuery>();
  readonly #saving: Saving;
  readonly #names = new Map<Id, string>();
  #watched: readonly [readonly Id[], readonly string[]] = [[], []];
  #leader: Leader | undefined;
  #tabs: Tabs | undefined;
  #status = OFFLINE;
  #last: StateChanged = OFFLINE.state;
  #changes: (() => void)[] = [];
  #taken: Event | undefined;
  #asked = 0;
  #started = false;

  /**
   * @param url `ws://host:21005/api/v1/connect/ws`, or `wss`.
   * @param tokenSource a token, or a function that returns one.
   * @throws TypeError - an argument is of another type, or there is no WebSocket.
   */
  constructor(url: string, tokenSource: TokenSource, options: ClientOptions = {}) {
    checkTokenSource(tokenSource);
    if (options.device !== undefined) checkName(options.device, "device");
    const socket = options.WebSocket ?? globalThis.WebSocket;
    if (!socket) throw new TypeError("no WebSocket here: pass one as an option");
    if (!/^wss?:$/.test(new URL(url).protocol)) throw new TypeError(`${url}: no WebSocket URL`);
    const { start = "beginning", queuedMessages = 1000, unsent = 10_000, codec = json } = options;
    this.#device = options.device;
    this.#leading = {
      client: `wsmsg-typescript/${VERSION}`,
      start, queuedMessages, unsent, socket, codec, tokenSource,
      heartbeatS: options.heartbeatS,
      reconnect: new Reconnect(url, options.reconnect),
    };
    this.#queue = new EventQueue(queuedMessages);
    const { storage, tabs } = options;
    this.#saving = new Saving(storage || new MemoryStorage(), (reason) => this.#memoryOnly(reason));
    if (storage === undefined) this.#memoryOnly("no storage was given");
    this.#tabs = tabs?.({
      onLead: () => void this.#lead(),
      onWish: (wish) => this.#leader?.perform(wish),
      onHello: () => {
        // A new tab waits for a leader that is not refused.
        if (isClosed(this.#status)) return;
        this.#leader?.tell();
        this.#tabs?.tell({ news: "names", names: [...this.#names] });
      },
      onLeader: () => this.#wishAgain(),
      onNews: (news) => this.#hear(news),
      onEvent: (event) => this.#put(event),
    });
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

  /** Returns the name of a user; the digits of the number if none is known. */
  nameOf(user: IdLike): string {
    return this.#names.get(String(user)) ?? String(user);
  }

  // -- requests, each repeated until it is answered, across lost connections

  /**
   * Sends a message, and waits until the server has accepted it: it cannot be lost any
   * more.
   *
   * @throws WsmsgError - the server refused the message for good, or too many messages
   *   wait to be accepted.
   */
  async send({ to, group = "0", content, clientId = "", kind = TEXT, traceparent }: Message): Promise<SendAccepted> {
    const [number, to_name] = to === undefined ? ["0", ""] : one(to, "to");
    return this.submit(checkSend({
      type: "send",
      client_id: clientId,
      to: number,
      group: checkedId(group, "group", true),
      content,
      kind,
      to_name,
      traceparent,
    }));
  }

  /** Sends a text to the conversation of an event, as {@link send} does. */
  async reply({ conversation }: Stored, content: string, clientId = ""): Promise<SendAccepted> {
    const user = await this.self();
    const group = groupIn(conversation);
    const [, one = "", other = ""] = conversation.split(":");
    return this.send({ ...(group ? { group } : { to: one === user ? other : one }), content, clientId });
  }

  /**
   * Submits a frame whose fields are valid, and waits until the server accepts it.
   *
   * @internal for `requests.ts`
   */
  async submit<F extends Submission>(fields: F): Promise<SendAccepted> {
    const clientId = fields.client_id || madeUp();
    checkName(clientId, "client_id");
    // Servers that know no names get frames without them.
    const needed = Object.entries({ ...fields, client_id: clientId })
      .filter(([name, value]) => !/_names?$/.test(name) || String(value));
    const frame = Object.fromEntries(needed) as unknown as F;
    this.#check();
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

  /**
   * Sends a query, and waits for the answer.
   *
   * @internal for `requests.ts`
   */
  async ask<T extends Exclude<Answer, WsmsgError>["type"]>(
    type: T, question: Question,
  ): Promise<From<T>> {
    this.#check();
    this.#asked += 1;
    const id = `q${this.#tab}${this.#asked}`;
    const request: Request = { ...question, id };
    const answer = await new Promise<Exclude<Answer, WsmsgError>>((resolve, reject) => {
      this.#queries.set(id, { request, resolve, reject });
      this.#wish({ wish: "ask", request });
    });
    if (answer.type === type) return answer as unknown as From<T>;
    throw new WsmsgError("internal", "an answer of another kind");
  }

  /**
   * Returns the id of this user, once it is known.
   *
   * @internal for `requests.ts`
   */
  async self(): Promise<Id> {
    await this.#until(() => this.user !== "0");
    return this.user;
  }

  // -- leading and following

  async #lead(): Promise<void> {
    const saved = await this.#saving.load(this.#device);
    const leader = new Leader({
      ...this.#leading,
      saved,
      device: saved.device,
      saving: this.#saving,
      onNews: (news) => {
        this.#tabs?.tell(news);
        this.#hear(news);
      },
    });
    if (isClosed(this.#status)) return; // The program closed the client meanwhile.
    this.#leader = leader;
    this.#wishAgain();
    leader.start();
  }

  /** The name of this tab. */
  get #tab(): string {
    return this.#tabs?.name ?? "";
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
    send.told ||= this.leads || !!this.#tabs?.follows;
    this.#wish({ wish: "submit", tab: this.#tab, frame, again: told });
  }

  #wish(wish: Wish): void {
    if (this.#leader) this.#leader.perform(wish);
    else this.#tabs?.wish(wish);
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
    // The leader has a queue of its own.
    this.#tabs?.heard(event, this.#leader ? undefined : this.#queue);
  }

  #learn(names: Decoded["names"]): void {
    for (const [user, name] of names) {
      this.#names.delete(user);
      this.#names.set(user, name);
      removeExcess(this.#names, NAMES);
    }
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
      const error = this.#end;
      for (const send of this.#sends.values()) send.waiting.forEach((w) => w.reject(error));
      for (const query of this.#queries.values()) query.reject(error);
      this.#sends.clear();
      this.#queries.clear();
      this.#tabs?.ended();
    }
    this.#changed();
  }

  // -- events

  #take(): Event | undefined {
    const event = this.#queue.take();
    if (event || !this.#leader) return event;
    for (;;) {
      const own = this.#leader.exchange.queue.take();
      if (!own || !this.#tabs?.had(own)) return own;
      this.#leader.took(own);
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
    if (isClosed(this.#status)) throw this.#end;
  }

  /** The error of calls after the end. */
  get #end(): WsmsgError {
    const { error } = this.#last as Closed;
    return error ?? new WsmsgError("unavailable", "the client is closed");
  }

  // -- the surroundings

  #memoryOnly(reason: string): void {
    this.#put({ type: "memoryOnly", reason });
  }

  readonly #onOnline = (): void => this.#leader?.upkeep.hurry();

  readonly #onHide = (): void => {
    if (this.#leader) void this.#leader.store();
    else this.#watch([[], []]);
  };
}
