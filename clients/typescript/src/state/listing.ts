/**
 * Queries for changed conversations, page by page.
 *
 * A list that is requested while another is in progress follows it: a conversation may
 * have changed after the page it was on.
 */

import type { Conversations } from "../frames.js";

const RETRY_S = 1;

/** The list in progress, at most one at a time. */
export class Listing {
  /** The position of the last complete list. */
  position: string;
  #at: string;
  #open = "";
  #askAt = Infinity;
  #again = Infinity;
  #made = 0;

  constructor(position: string) {
    this.position = this.#at = position;
  }

  /** Lists the changes since the last complete list, starting at a time. */
  begin(at: number): void {
    if (this.#open) {
      this.#again = at;
    } else {
      this.#at = this.position;
      this.#askAt = at;
    }
  }

  /** Lists all conversations, as another history has begun. */
  restart(at: number): void {
    this.position = this.#open = "";
    this.#again = Infinity;
    this.begin(at);
  }

  /** Returns the queries to send now. */
  due(now: number): Conversations[] {
    if (this.#open || this.#askAt > now) return [];
    this.#made += 1;
    this.#open = `l${this.#made}`;
    this.#askAt = Infinity;
    return [{ type: "conversations", id: this.#open, position: this.#at }];
  }

  /** The time at which {@link due} will return more if nothing happens until then. */
  nextDue(): number {
    return this.#open ? Infinity : this.#askAt;
  }

  /** Whether this is the id of the open query. */
  isOpen(id: string): boolean {
    return id !== "" && id === this.#open;
  }

  /**
   * Processes a page.
   *
   * @returns whether the list is complete with it.
   */
  page({ more, position }: { more: boolean; position: string }, now: number): boolean {
    this.#open = "";
    this.#askAt = Infinity;
    if (more) {
      this.#at = position;
      this.#askAt = now;
      return false;
    }
    this.position = position;
    const again = this.#again;
    if (again === Infinity) return true;
    this.#again = Infinity;
    this.begin(again);
    return false;
  }

  /**
   * Takes the position up to which the server has pushed everything. It has no meaning
   * while a list is in progress, which may name what was not pushed.
   */
  reached(position: string): void {
    if (position && !this.#open && this.#askAt === Infinity) this.position = position;
  }

  /** Processes an error: the query is sent again. */
  refused(now: number, retryAfterS: number): void {
    this.#open = "";
    this.#askAt = now + (retryAfterS || RETRY_S);
  }

  /** Stops the list of a lost connection; the next welcome starts another. */
  lost(): void {
    this.#open = "";
    this.#askAt = this.#again = Infinity;
  }
}
