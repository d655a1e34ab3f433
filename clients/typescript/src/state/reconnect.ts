/**
 * The decision to reconnect after a lost connection: when, and to which address.
 *
 * Delays have full jitter: a delay is a random time below a bound that doubles from
 * attempt to attempt, so that clients that lost the same server do not return at once.  A
 * server that sends `goaway` spreads its clients itself, and its delay is used as it is.
 *
 * Somebody else may answer in the server's place: a captive portal, a proxy whose backend
 * is away.  So an answer ends the attempts only if it is the server's.
 */

import {
  BUG, codeOfClose, isErrorCode, nameOfClose, reconnectAllowed, WsmsgError,
} from "../errors.js";

// HTTP statuses below 500 that are temporary.
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

const RETRY_AFTER_S = 300;

/** The end of a connection, or of an attempt to connect. */
export interface Ended {
  /** One line for a person. */
  readonly reason: string;
  /** The close code of the WebSocket; 1006 if there was none. */
  readonly closeCode: number;
  /** The status of an answer to the handshake other than 101; browsers hide it. */
  readonly httpStatus?: number;
  /** The name of the error in that answer; empty: the answer is not the server's own. */
  readonly code?: string;
  /** Seconds for which that answer asks the client to wait. */
  readonly retryAfterS?: number;
  /** Seconds since the server had authenticated the user. */
  readonly livedS?: number;
}

/** Connect to `url` in `delayS` seconds; or, with an `error`, never. */
export type Decision =
  | { readonly url: string; readonly delayS: number; readonly reason: string }
  | { readonly error: WsmsgError };

/** Settings of {@link Reconnect}. */
export interface ReconnectOptions {
  /** The bound of the first delay in seconds: 0.25 unless given. */
  readonly firstS?: number;
  /** The bound of any delay in seconds: 15 unless given. */
  readonly capS?: number;
  /** A connection that lived for so many seconds ends a series of failures. */
  readonly settledS?: number;
  /** Returns a number from 0 up to 1, as `Math.random` does. */
  readonly random?: () => number;
}

/** The policy of reconnecting. */
export class Reconnect {
  /** The time at which to leave a connection that is still up. */
  moveAt = Infinity;
  readonly #options: Required<ReconnectOptions>;
  #others: string[] = [];
  #failures = 0;
  #bugs = 0;
  #refusals = 0;

  /** @param url the server's address, unless the server names others. */
  constructor(readonly url: string, options: ReconnectOptions = {}) {
    this.#options = { firstS: 0.25, capS: 15, settledS: 5, random: Math.random, ...options };
  }

  /** Processes `goaway`: leave at this time, perhaps for one of these addresses. */
  toldToMove(at: number, alternatives: readonly string[]): void {
    this.moveAt = at;
    this.#others = alternatives
      .map((other) => movedUrl(this.url, other))
      .filter((url) => url !== undefined && url !== this.url) as string[];
  }

  /** Records that the server has authenticated the user. */
  welcomed(): void {
    this.#refusals = 0;
    this.#others = [];
  }

  /** Decides after the end of a connection. */
  ended(how: Ended, now: number): Decision {
    const { firstS, capS, settledS, random } = this.#options;
    if ((how.livedS ?? 0) >= settledS) this.#failures = this.#bugs = 0;
    const error = this.#final(how);
    if (error) return { error };
    const { moveAt } = this;
    this.moveAt = Infinity;
    const { reason } = how;
    const url = this.#others.shift() ?? this.url;
    if (moveAt < Infinity) return { url, delayS: Math.max(0, moveAt - now), reason };
    const bound = Math.min(capS, firstS * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    const longestS = how.code ? RETRY_AFTER_S : capS;
    const askedS = Math.min(how.retryAfterS ?? 0, longestS);
    return { url, delayS: askedS + random() * bound, reason };
  }

  #final(how: Ended): WsmsgError | undefined {
    const error = errorOf(how);
    if (error?.code === "unauthenticated") {
      // The token may have expired meanwhile: try a fresh one once.
      this.#refusals += 1;
      return this.#refusals > 1 ? error : undefined;
    }
    if (how.closeCode === BUG) {
      // A message of this client may be the cause.
      this.#bugs += 1;
      return this.#bugs > 1 ? error : undefined;
    }
    return error;
  }
}

const errorOf = (how: Ended): WsmsgError | undefined => {
  const { closeCode, httpStatus, code = "", reason } = how;
  if (httpStatus) {
    if (!isErrorCode(code) || httpStatus >= 500 || PASSING.has(httpStatus)) return undefined;
    const error = new WsmsgError(code, reason);
    return error.retry ? undefined : error;
  }
  if (closeCode < 4000 && !nameOfClose(closeCode)) return undefined; // a proxy closed it
  if (closeCode !== BUG && reconnectAllowed(closeCode)) return undefined;
  return new WsmsgError(codeOfClose(closeCode), reason);
};

/**
 * Returns the address that an alternative stands for: a URL, or `host:port` for the same
 * path.  Returns `undefined` if it is invalid, or would send the token over a weaker
 * connection.
 */
export const movedUrl = (url: string, alternative: string): string | undefined => {
  const here = new URL(url);
  let moved = alternative;
  if (!moved.includes("://")) {
    moved = `${here.protocol}//${moved}${here.pathname}${here.search}`;
  }
  try {
    const there = new URL(moved);
    const { protocol, port } = there;
    // A URL without a host is given the first part of its path by this parser.
    if (!/^wss?:\/\/[^/?#\\]/i.test(moved) || port === "0") return undefined;
    return protocol === "ws:" && here.protocol === "wss:" ? undefined : moved;
  } catch {
    return undefined;
  }
};
