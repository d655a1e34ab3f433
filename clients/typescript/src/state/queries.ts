/** Queries of the program: each is sent until it is answered. */

import type { WsmsgError } from "../errors.js";
import type { From, Request } from "../frames.js";

/** The answer to a query. */
export type Answer =
  | From<"page"> | From<"heads"> | From<"group"> | From<"blocked"> | From<"invited">
  | From<"named"> | WsmsgError;

const RETRY_S = 1;

/** The queries without an answer. */
export class PendingQueries {
  readonly #onAnswer: (id: string, answer: Answer) => void;
  readonly #requests = new Map<string, Request>();
  #unasked = new Map<string, number>();

  /** @param onAnswer called once for each query, with its id and the answer. */
  constructor(onAnswer: (id: string, answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  /** Adds a query, which is due at once. */
  add(request: Request, now: number): void {
    this.#requests.set(request.id, request);
    this.#unasked.set(request.id, now);
  }

  /** Forgets a query whose answer is not needed any more. */
  forget(id: string): void {
    this.#requests.delete(id);
    this.#unasked.delete(id);
  }

  /** Returns the queries to send now. */
  due(now: number): Request[] {
    const frames: Request[] = [];
    for (const [id, at] of this.#unasked) {
      const request = this.#requests.get(id);
      if (at > now || !request) continue;
      this.#unasked.delete(id);
      frames.push(request);
    }
    return frames;
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(): number {
    return Math.min(...this.#unasked.values());
  }

  /** Sends all queries again, as after the loss of a connection. */
  repeat(): void {
    this.#unasked = new Map([...this.#requests.keys()].map((id) => [id, 0]));
  }

  /** Processes an answer; one of a query that was forgotten is dropped. */
  answered(id: string, answer: Answer): void {
    if (!this.#requests.has(id)) return;
    this.forget(id);
    this.#onAnswer(id, answer);
  }

  /**
   * Processes an error: the query is sent again if that may help.
   *
   * @returns whether this is the id of a query.
   */
  refused(id: string, error: WsmsgError, now: number): boolean {
    if (!this.#requests.has(id)) return false;
    if (error.retry) this.#unasked.set(id, now + RETRY_S);
    else this.answered(id, error);
    return true;
  }
}
