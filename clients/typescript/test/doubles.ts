/** A server and the locks of a browser, in memory. */

import type { WebSocketLike } from "../src/transport.js";

type Frame = Readonly<Record<string, unknown>>;

/** A server that says what a test wants, to all the sockets that it makes. */
export class Server {
  /** All frames of clients, in order. */
  readonly frames: Frame[] = [];
  readonly sockets: Socket[] = [];
  /** Whether it answers `hello`, and accepts. */
  welcomes = true;
  accepts = true;
  epoch = "e1";
  user = "1";
  /** The messages that it numbered, as `deliver` frames. */
  readonly messages: Frame[] = [];

  /** The class of its sockets. */
  readonly WebSocket = ((server: Server) =>
    class extends Socket {
      constructor() {
        super(server);
      }
    })(this);

  /** The frames of one type. */
  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame["type"] === type);
  }

  /** Says something to the newest client. */
  say(frame: Frame): void {
    this.sockets.at(-1)?.say(frame);
  }

  /** Stores a message, and delivers it. */
  deliver(conversation: string, content: string, more: Frame = {}): void {
    const seq = this.messages.length + 1;
    const message = {
      type: "deliver", conversation, seq, message_id: 100 + seq, from: 2, content,
      kind: 1, time: seq, ...more,
    };
    this.messages.push(message);
    this.say(message);
  }

  /** Processes a frame of a client. */
  received(frame: Frame, socket: Socket): void {
    this.frames.push(frame);
    if (frame["type"] === "hello" && this.welcomes) {
      const limits = {
        content_bytes: 1000, frame_bytes: 5000, window: 8, sends_per_s: 0, page: 9, watch: 9,
      };
      const heads = this.messages.length
        ? [{ conversation: "u:1:2", head: this.messages.length }]
        : [];
      socket.say({
        type: "welcome", user: this.user, session: "s", heartbeat_s: 60, limits, time: 1,
        heads, position: "p", epoch: this.epoch,
      });
    }
    if ("client_id" in frame && this.accepts) {
      socket.say({ type: "accepted", client_id: frame["client_id"], time: 5 });
    }
    if (frame["type"] === "sync") {
      const after = Number(frame["after"]);
      const messages = this.messages.filter((m) => Number(m["seq"]) > after);
      socket.say({
        type: "page", id: frame["id"], conversation: frame["conversation"], messages,
        head: this.messages.length, epoch: this.epoch,
      });
    }
  }
}

/** A WebSocket to the server. */
export class Socket implements WebSocketLike {
  readonly protocol = "wsmsg.v1.json";
  readonly bufferedAmount = 0;
  binaryType = "blob";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  readonly #server: Server;
  #open = true;

  constructor(server: Server) {
    this.#server = server;
    server.sockets.push(this);
    setImmediate(() => this.onopen?.(undefined as never));
  }

  send(data: string | ArrayBuffer): void {
    if (this.#open) this.#server.received(JSON.parse(String(data)) as Frame, this);
  }

  close(code = 1000, reason = ""): void {
    if (!this.#open) return;
    this.#open = false;
    setImmediate(() => this.onclose?.({ code, reason } as never));
  }

  say(frame: Frame): void {
    this.sayText(JSON.stringify(frame));
  }

  sayText(data: string): void {
    const event = { data };
    setImmediate(() => this.#open && this.onmessage?.(event as never));
  }
}

type Grant = () => Promise<unknown>;

/** The locks of a browser: one holder, the others wait in their order. */
export class FakeLocks {
  readonly #waiting: Grant[] = [];
  #name = "";
  #held = false;

  readonly request = ((
    name: string, { signal }: { signal: AbortSignal }, granted: Grant,
  ): Promise<unknown> =>
    new Promise((resolve, reject) => {
      this.#name = name;
      const grant = async () => resolve(await granted());
      signal.addEventListener("abort", () => {
        const at = this.#waiting.indexOf(grant);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        reject(new Error("aborted"));
      });
      this.#waiting.push(grant);
      void this.#next();
    }));

  readonly query = async () => ({
    pending: this.#waiting.map(() => ({ name: this.#name })),
  });

  async #next(): Promise<void> {
    const grant = this.#held ? undefined : this.#waiting.shift();
    if (!grant) return;
    this.#held = true;
    await grant();
    this.#held = false;
    void this.#next();
  }
}

/** Waits until a condition holds. */
export const until = async (what: string, reached: () => unknown): Promise<void> => {
  const limit = Date.now() + 10_000;
  while (!(await reached())) {
    if (Date.now() > limit) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};
