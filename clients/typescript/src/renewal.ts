/** A new token for a session whose token expires. */

import { fromCode } from "./errors.js";
import type { From, Refresh } from "./frames.js";
import { tokenOf, type TokenSource } from "./token-source.js";

/** The id of the requests, which no other request has. */
export const REFRESH_ID = "refresh";

const AGAIN_S = 5;

/**
 * Asks the program for a token when the server says that the session's token expires, and
 * sends it.  A token that is a string cannot be renewed.
 */
export class Renewal {
  readonly #source: TokenSource;
  readonly #write: (frame: Refresh) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #stopped = false;

  constructor(source: TokenSource, write: (frame: Refresh) => void) {
    this.#source = source;
    this.#write = write;
  }

  /** Begins to renew the token, unless that is under way. */
  expiring(): void {
    if (typeof this.#source !== "string") this.#begin(0);
  }

  /** Tries again, if the refusal allows it; the session goes on until its token expires. */
  refused({ code, reason, retry_after_ms }: From<"error">): void {
    if (fromCode(code, reason).retry) this.#begin(Math.max(retry_after_ms / 1000, AGAIN_S));
  }

  /** Renews nothing more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #begin(afterS: number): void {
    if (this.#asking || this.#stopped) return;
    this.#asking = true;
    this.#timer = setTimeout(() => void this.#renew(), afterS * 1000);
  }

  async #renew(): Promise<void> {
    let token: string | undefined;
    try {
      token = await tokenOf(this.#source);
    } catch {
      // The program is asked again.
    }
    this.#asking = false;
    if (this.#stopped) return;
    if (token === undefined) this.#begin(AGAIN_S);
    else this.#write({ type: "refresh", token, id: REFRESH_ID });
  }
}
