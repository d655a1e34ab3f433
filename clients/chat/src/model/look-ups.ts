/** Look-ups of what is shown later, a few at a time, each once. */

const AT_ONCE = 2;
const MOST = 2000;

/** Values that are read from the server when they are first needed. */
export class LookUps<T> {
  readonly #read: (key: string) => Promise<T>;
  readonly #onFound: (key: string) => void;
  readonly #found = new Map<string, T>();
  readonly #waiting = new Set<string>();
  readonly #failed = new Set<string>();
  #open = 0;

  /**
   * @param read reads one value.
   * @param onFound called with the key of a value that has been read.
   */
  constructor(read: (key: string) => Promise<T>, onFound: (key: string) => void) {
    this.#read = read;
    this.#onFound = onFound;
  }

  /** Returns a value; `undefined`: it is not known yet, and is being read. */
  get(key: string): T | undefined {
    const found = this.#found.get(key);
    if (found === undefined && !this.#failed.has(key)) this.#ask(key);
    return found;
  }

  /** Returns a value if it is known. */
  known(key: string): T | undefined {
    return this.#found.get(key);
  }

  /** Keeps a value that is known from elsewhere. */
  set(key: string, value: T): void {
    this.#found.delete(key);
    this.#found.set(key, value);
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= MOST) break;
      this.#found.delete(oldest);
    }
    this.#onFound(key);
  }

  /** Reads a value again when it is next needed. */
  forget(key: string): void {
    this.#found.delete(key);
    this.#failed.delete(key);
  }

  /** Forgets all values. */
  clear(): void {
    this.#found.clear();
    this.#failed.clear();
  }

  /** Tries again what has failed. */
  retry(): void {
    this.#failed.clear();
  }

  #ask(key: string): void {
    this.#waiting.add(key);
    this.#next();
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#open >= AT_ONCE) return;
      this.#waiting.delete(key);
      this.#open += 1;
      void this.#one(key);
    }
  }

  async #one(key: string): Promise<void> {
    this.#failed.add(key); // Until it is found, it is not asked for again.
    try {
      const value = await this.#read(key);
      this.#failed.delete(key);
      this.set(key, value);
    } catch {
      // Whoever shows it does without; a new connection tries again.
    }
    this.#open -= 1;
    this.#next();
  }
}
