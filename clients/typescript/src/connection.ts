/** The life of one connection: hello, welcome, then frames both ways until it ends. */

import {
  BAD_FRAME, BUG, DRAIN, FORBIDDEN, fromCode, NO_CLOSE, WsmsgError,
} from "./errors.js";
import type { Codec } from "./codec.js";
import type { ClientFrame, Decoded, ServerFrame } from "./frames.js";
import { bytesOf } from "./ids.js";
import { REFRESH_ID, Renewal } from "./renewal.js";
import type { Exchange } from "./state/exchange.js";
import { HeartbeatTimer } from "./state/heartbeat.js";
import type { Ended, Reconnect } from "./state/reconnect.js";
import type { TokenSource } from "./token-source.js";
import { Link, type WebSocketConstructor } from "./transport.js";

const WELCOME_S = 15;
const FINISH_S = 2;
// While so many bytes wait in the socket, nothing more is written.
const BUFFERED = 2 ** 20;
const DRAIN_S = 0.05;
// After so many unreadable frames one after the other, somebody else answers.
const UNREADABLE = 10;

/** What a {@link Connection} is made with. */
export interface ConnectionOptions {
  readonly socket: WebSocketConstructor;
  readonly codec: Codec;
  readonly exchange: Exchange;
  readonly reconnect: Reconnect;
  readonly tokenSource: TokenSource;
  /** The token for the first frame. */
  readonly token: string;
  /** Seconds of silence before a ping; `undefined`: by the server's own heartbeat. */
  readonly heartbeatS: number | undefined;
  /** Called before frames are written; stores what must be durable by then. */
  readonly beforeWrite: (frames: readonly ClientFrame[]) => Promise<void> | undefined;
  readonly onChange: () => void;
  /** Called with the names of users that came with a frame, before the frame counts. */
  readonly onNames: (names: Decoded["names"]) => void;
  /** Called once. */
  readonly onEnd: (how: Ended) => void;
  /** Seconds of a clock that is never set. */
  readonly now: () => number;
}

/** Carries frames between a WebSocket and the exchange. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #link: Link;
  readonly #renewal: Renewal;
  #heartbeat: HeartbeatTimer | undefined;
  #welcomedAt: number | undefined;
  #refusal: WsmsgError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unreadable = 0;
  #writing = false;
  #again = false;
  #ended = false;

  constructor(url: string, options: ConnectionOptions) {
    this.#options = options;
    this.#renewal = new Renewal(options.tokenSource, (frame) => this.#write(frame));
    this.#link = new Link(options.socket, url, options.codec.subprotocol, {
      onOpen: () => {
        this.#write({ ...options.exchange.hello(), token: options.token });
        this.#at(WELCOME_S, () => this.#link.drop(`no welcome for ${WELCOME_S} s`));
      },
      onData: (data) => this.#received(data),
      onEnd: (how) => this.#end(how),
    });
  }

  /** Checks whether the exchange has frames to write. */
  wake(): void {
    if (!this.#heartbeat || this.#ended) return;
    this.#again = true;
    if (!this.#writing) void this.#writeAll(this.#heartbeat);
  }

  /** Writes the last frames and closes. */
  async finish(): Promise<void> {
    const last = this.#options.exchange.lastWords();
    await Promise.race([
      this.#options.beforeWrite(last),
      new Promise((resolve) => setTimeout(resolve, FINISH_S * 1000)),
    ]);
    last.forEach((frame) => this.#write(frame));
    await this.#link.close();
  }

  /** Ends now. */
  drop(reason: string): void {
    this.#link.drop(reason);
  }

  #at(seconds: number, call: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(call, seconds * 1000);
  }

  #received(data: string | ArrayBuffer): void {
    const { codec, now: clock, onNames } = this.#options;
    const now = clock();
    this.#heartbeat?.received(now);
    let decoded: Decoded | undefined;
    try {
      decoded = codec.decode(data);
      this.#unreadable = 0;
    } catch (error) {
      // Perhaps one frame of a later server; before welcome, it is not the server's.
      this.#unreadable += 1;
      if (!this.#heartbeat || this.#unreadable >= UNREADABLE) {
        this.#link.drop(`the server sends no frames: ${String(error)}`);
      }
    }
    if (!decoded) return;
    const { frame, names } = decoded;
    try {
      if (names.length) onNames(names);
      if (this.#heartbeat) this.#process(frame, now);
      else this.#greeted(frame, now);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#link.drop(`a bug in the client: ${String(error)}`, BUG);
  }

  #greeted(frame: ServerFrame, now: number): void {
    const { exchange, reconnect, heartbeatS } = this.#options;
    if (frame.type === "goaway") this.#process(frame, now);
    if (frame.type === "error") this.#refusal = fromCode(frame.code, frame.reason);
    if (frame.type !== "welcome") return;
    if (exchange.user !== "0" && exchange.user !== frame.user) {
      const reason = `the token is of user ${frame.user}, the saved state of ${exchange.user}`;
      this.#link.drop(reason, FORBIDDEN);
      return;
    }
    this.#welcomedAt = now;
    exchange.receive(frame, now);
    reconnect.welcomed();
    this.#heartbeat = new HeartbeatTimer(heartbeatS ?? Math.max(1, frame.heartbeat_s * 2), now);
    this.#changed();
  }

  #process(frame: ServerFrame, now: number): void {
    if (frame.type === "goaway") {
      this.#options.reconnect.toldToMove(now + frame.after_ms / 1000, frame.alternatives);
      this.#options.exchange.receive(frame, now);
    } else if (frame.type === "expiring") {
      this.#renewal.expiring();
    } else if (frame.type === "error" && frame.id === REFRESH_ID) {
      this.#renewal.refused(frame);
    } else {
      this.#options.exchange.receive(frame, now);
    }
    if (this.#heartbeat) this.#changed();
  }

  #changed(): void {
    this.#options.onChange();
    this.wake();
  }

  async #writeAll(heartbeat: HeartbeatTimer): Promise<void> {
    this.#writing = true;
    // What the program does in the same turn goes together.
    await undefined;
    while (this.#again && !this.#ended) {
      this.#again = false;
      if (this.#link.waiting > BUFFERED) {
        this.#at(DRAIN_S, () => this.wake());
        break;
      }
      await this.#writeDue(heartbeat).catch((error: unknown) => this.#failed(error));
    }
    this.#writing = false;
  }

  async #writeDue(heartbeat: HeartbeatTimer): Promise<void> {
    const { exchange, reconnect, now: clock } = this.#options;
    const now = clock();
    if (heartbeat.dead(now)) return this.#link.drop("the server is silent", DRAIN);
    if (now >= reconnect.moveAt) {
      return this.#link.drop("moved by the server", DRAIN);
    }
    const out = exchange.due(now);
    if (heartbeat.ask(now)) out.push({ type: "ping", nonce: "h" });
    if (out.length) {
      await this.#options.beforeWrite(out);
      out.forEach((frame) => this.#write(frame));
    }
    const at = Math.min(heartbeat.nextDue, exchange.nextDue(now), reconnect.moveAt);
    this.#at(Math.max(0, at - clock()) + 0.001, () => this.wake());
  }

  #write(frame: ClientFrame): void {
    const data = this.#options.codec.encode(frame);
    const limit = this.#options.exchange.limits?.frame_bytes ?? 0;
    // No character has more than three bytes for each of its units.
    const size =
      typeof data !== "string" ? data.byteLength
      : data.length * 3 <= limit ? 0
      : bytesOf(data);
    if (limit && size > limit && this.#heartbeat) {
      const reason = `the frame has ${size} bytes; the limit is ${limit}`;
      const error = new WsmsgError("too_large", reason);
      this.#options.exchange.refused(frame, error, this.#options.now());
      this.#options.onChange();
      this.#again = true;
    } else {
      this.#link.send(data);
    }
  }

  #end(how: Ended): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#renewal.stop();
    const { exchange, now, onEnd } = this.#options;
    let { reason, closeCode } = how;
    if (this.#refusal && closeCode === NO_CLOSE) {
      // The connection was lost before its close frame arrived.
      ({ reason } = this.#refusal);
      closeCode = this.#refusal.close || NO_CLOSE;
    }
    // The next connection finds and settles the frame that cannot be decoded.
    if (closeCode === BAD_FRAME && exchange.tracer.active) closeCode = NO_CLOSE;
    const livedS = this.#welcomedAt === undefined ? 0 : now() - this.#welcomedAt;
    onEnd({ ...how, reason, closeCode, livedS });
  }
}
