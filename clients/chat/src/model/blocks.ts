/** The users whom this user has blocked, on any device. */

import type { BlockChanged, Id } from "@wsmsg/client";
import type { BlockState } from "@wsmsg/client/requests";

/** The blocks, as far as they are known. */
export class Blocks {
  /** The server has told them; one without blocks never does. */
  isKnown = false;
  readonly #read: () => Promise<readonly BlockState[]>;
  readonly #onChange: () => void;
  #users = new Set<Id>();
  /** What changed while the list was on its way. */
  #meanwhile: BlockChanged[] = [];

  constructor(read: () => Promise<readonly BlockState[]>, onChange: () => void) {
    this.#read = read;
    this.#onChange = onChange;
  }

  /** Whether the user has blocked another user. */
  has(user: Id): boolean {
    return this.#users.has(user);
  }

  /** Reads the list; what is known stays if that fails. */
  async refresh(): Promise<void> {
    this.#meanwhile = [];
    try {
      const blocks = await this.#read();
      this.#users = new Set(blocks.map(({ user }) => user).filter((user) => user !== "0"));
      this.isKnown = true;
      this.#meanwhile.forEach((event) => this.#apply(event));
    } catch {
      // The next connection tries again.
    }
    this.#onChange();
  }

  /** Applies a change that was made here or on another device. */
  changed(event: BlockChanged): void {
    this.#meanwhile.push(event);
    this.#apply(event);
  }

  #apply({ user, on }: BlockChanged): void {
    if (user === "0") return; // It is of a group.
    if (on) this.#users.add(user);
    else this.#users.delete(user);
  }
}
