/** One WebSocket to the server, as texts or bytes. */

import { DONE, nameOfClose, NO_CLOSE } from "./errors.js";
import type { Ended } from "./state/reconnect.js";

/** The part of a WebSocket that the client needs: that of browsers, Node or `ws`. */
export interface WebSocketLike {
  readonly protocol: string;
  readonly bufferedAmount: number;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | ArrayBuffer): void;
  close(code?: number, reason?: string): void;
}

/** Makes a WebSocket. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

const OPEN_S = 10;
const CLOSE_S = 1;

const closed = (code: number, reason: string): Ended =>
  code === NO_CLOSE
    ? { reason: "the connection was lost", closeCode: code }
    : {
        reason: `${nameOfClose(code) ?? "closed"} (${code})${reason && ": "}${reason}`,
        closeCode: code,
      };

/** What a {@link Link} calls: `onEnd` once, and nothing after it. */
export interface LinkListener {
  readonly onOpen: () => void;
  readonly onData: (data: string | ArrayBuffer) => void;
  readonly onEnd: (how: Ended) => void;
}

/** A WebSocket from its opening to its end. */
export class Link {
  readonly #socket: WebSocketLike;
  readonly #listener: LinkListener;
  readonly #late: ReturnType<typeof setTimeout>;
  #ended = false;

  constructor(
    make: WebSocketConstructor, url: string, subprotocol: string, listener: LinkListener,
  ) {
    this.#listener = listener;
    const socket = (this.#socket = new make(url, [subprotocol]));
    socket.binaryType = "arraybuffer";
    this.#late = setTimeout(() => this.drop(`${url}: no answer in time`), OPEN_S * 1000);
    let opened = false;
    socket.onopen = () => {
      clearTimeout(this.#late);
      if (socket.protocol !== subprotocol) {
        this.drop(`${url} does not speak ${subprotocol}`);
      } else if (!this.#ended) {
        opened = true;
        listener.onOpen();
      }
    };
    socket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) => {
      if (!this.#ended) listener.onData(data);
    };
    socket.onerror = () => {}; // A close follows; the error says nothing to programs.
    socket.onclose = (event: { readonly code: number; readonly reason: string }) => {
      // Browsers hide why a handshake failed.
      const refused = { reason: `${url} cannot be reached`, closeCode: NO_CLOSE };
      const how = closed(event.code, event.reason);
      this.#end(opened || event.code !== NO_CLOSE ? how : refused);
    };
  }

  /** Bytes that wait because the server does not read. */
  get waiting(): number {
    return this.#socket.bufferedAmount;
  }

  /** Writes a message, unless the connection has ended. */
  send(data: string | ArrayBuffer): void {
    if (!this.#ended) this.#socket.send(data);
  }

  /** Closes, and ends at the latest in a second. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const done = setTimeout(() => finish(closed(DONE, "")), CLOSE_S * 1000);
      const finish = (how: Ended) => {
        clearTimeout(done);
        this.#end(how);
        resolve();
      };
      this.#socket.onclose = () => finish(closed(DONE, ""));
      this.#socket.close(DONE, "bye");
    });
  }

  /** Ends at once, whatever the server says. */
  drop(reason: string, closeCode = NO_CLOSE): void {
    try {
      this.#socket.close();
    } catch {
      // It is not open yet, or not any more.
    }
    this.#end({ reason, closeCode });
  }

  #end(how: Ended): void {
    clearTimeout(this.#late);
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.onEnd(how);
  }
}
