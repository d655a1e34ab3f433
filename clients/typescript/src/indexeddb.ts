/** The state that a client keeps across reloads, in IndexedDB. */

import type { Submission } from "./frames.js";
import type { Position } from "./state/inflow.js";
import { EMPTY, type Kept, type Storage } from "./storage.js";

type Meta = Omit<Kept, "positions" | "unsent">;

interface Entry {
  /** Entries are in the order of these. */
  readonly number: number;
  readonly frame: Submission;
}

// A later version of this package that stores something else raises this number; the
// browser then refuses to open the database for this version, which works in memory.
const VERSION = 1;
const STATE = "state";
const POSITIONS = "positions";
const UNSENT = "unsent";
const META = "meta";
const STORES = [STATE, POSITIONS, UNSENT];

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const opened = async (name: string, factory: IDBFactory): Promise<IDBDatabase> => {
  const request = factory.open(name, VERSION);
  request.onupgradeneeded = () =>
    STORES.forEach((store) => request.result.createObjectStore(store));
  const blocked = new Promise<never>((_, reject) => {
    request.onblocked = () => reject(new Error("another tab has an older IndexedDB open"));
  });
  return Promise.race([settled(request), blocked]);
};

const same = (one: Position, other: Position | undefined): boolean =>
  one.seq === other?.seq && one.head === other.head &&
  one.messageId === other.messageId && one.before === other.before;

/** A database of this origin; only what has changed is written. */
export class IndexedDBStorage implements Storage {
  readonly #name: string;
  readonly #factory: IDBFactory;
  #database: IDBDatabase | undefined;
  #meta: string | undefined;
  #positions = EMPTY.positions;
  #unsent: ReadonlyMap<string, Entry> = new Map();

  constructor(name: string, factory: IDBFactory) {
    this.#name = name;
    this.#factory = factory;
  }

  async load(): Promise<Kept> {
    const database = (this.#database = await opened(this.#name, this.#factory));
    // A tab with a later version waits for this.
    database.onversionchange = () => database.close();
    const transaction = database.transaction(STORES, "readonly");
    const [meta, names, positions, entries] = await Promise.all([
      settled<Meta | undefined>(transaction.objectStore(STATE).get(META)),
      settled(transaction.objectStore(POSITIONS).getAllKeys()),
      settled<Position[]>(transaction.objectStore(POSITIONS).getAll()),
      settled<Entry[]>(transaction.objectStore(UNSENT).getAll()),
    ]);
    entries.sort((a, b) => a.number - b.number);
    this.#meta = JSON.stringify(meta);
    this.#positions = new Map(names.map((name, i) => [String(name), positions[i] as Position]));
    this.#unsent = new Map(entries.map((entry) => [entry.frame.client_id, entry]));
    const unsent = entries.map(({ frame }) => frame);
    return { ...EMPTY, ...meta, positions: this.#positions, unsent };
  }

  async save({ positions, unsent: frames, ...meta }: Kept): Promise<void> {
    if (!this.#database) throw new Error("IndexedDB is not open");
    const text = JSON.stringify(meta);
    const unsent = this.#numbered(frames);
    // What leaves the client must survive a crash of the machine, too.
    const transaction = this.#database.transaction(STORES, "readwrite", { durability: "strict" });
    const done = new Promise<unknown>((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () =>
        reject(transaction.error ?? new Error("IndexedDB refused to write"));
    });
    if (text !== this.#meta) transaction.objectStore(STATE).put(meta, META);
    changes(transaction.objectStore(POSITIONS), this.#positions, positions, same);
    changes(transaction.objectStore(UNSENT), this.#unsent, unsent, Object.is);
    await done;
    this.#meta = text;
    this.#positions = positions;
    this.#unsent = unsent;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  /** Returns the entries of these frames, whose numbers rise in their order. */
  #numbered(frames: readonly Submission[]): Map<string, Entry> {
    let highest = 0;
    for (const { number } of this.#unsent.values()) highest = Math.max(highest, number);
    let last = 0;
    return new Map(frames.map((frame) => {
      let entry = this.#unsent.get(frame.client_id);
      if (!entry || entry.number <= last || entry.frame !== frame) {
        highest += 1;
        entry = { number: highest, frame };
      }
      last = entry.number;
      return [frame.client_id, entry];
    }));
  }
}

const changes = <T>(
  store: IDBObjectStore, before: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>,
  equal: (one: T, other: T | undefined) => boolean,
): void => {
  for (const [key, value] of now) if (!equal(value, before.get(key))) store.put(value, key);
  for (const key of before.keys()) if (!now.has(key)) store.delete(key);
};
