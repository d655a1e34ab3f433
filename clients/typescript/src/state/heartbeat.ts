/**
 * Liveness of the connection: after a time of silence the client sends a `ping`; if
 * nothing arrives for as long again, the connection is dead, whatever the socket says.
 */
export class HeartbeatTimer {
  readonly #intervalS: number;
  #receivedAt: number;
  #pingedAt: number | undefined;

  /** @param intervalS seconds of silence before a ping, and again before giving up. */
  constructor(intervalS: number, now: number) {
    this.#intervalS = intervalS;
    this.#receivedAt = now;
  }

  /** Records that something arrived. */
  received(now: number): void {
    this.#receivedAt = now;
    this.#pingedAt = undefined;
  }

  /** Whether a ping is due now; it then counts as sent. */
  ask(now: number): boolean {
    if (this.#pingedAt !== undefined || now < this.nextDue) return false;
    this.#pingedAt = now;
    return true;
  }

  /** Whether the connection is dead. */
  dead(now: number): boolean {
    return this.#pingedAt !== undefined && now >= this.nextDue;
  }

  /** The time of the next check. */
  get nextDue(): number {
    return (this.#pingedAt ?? this.#receivedAt) + this.#intervalS;
  }
}
