/** The state that a client keeps across reloads, in IndexedDB. */

import type { Submission } from "./frames.js";
import type { Position } from "./state/inflow.js";
import { NOTHING, type Saved } from "./state/saved.js";

/** What is kept: the state of the exchange, and the name of the device. */
export interface Kept extends Saved {
  readonly device: string;
}

/** A place for the state. */
export interface Storage {
  load(): Promise<Kept>;
  /** Stores all of it, or nothing. */
  save(kept: Kept): Promise<void>;
  close(): void;
}

/** A place that lasts as long as the page. */
export class MemoryStorage implements Storage {
  #kept: Kept = { ...NOTHING, device: "" };

  async load(): Promise<Kept> {
    return this.#kept;
  }

  async save(kept: Kept): Promise<void> {
    this.#kept = kept;
  }

  close(): void {}
}

type Meta = Pick<Kept, "user" | "position" | "epoch" | "witness" | "device">;

interface Entry {
  /** Entries are in the order of these. */
  readonly number: number;
  readonly frame: Submission;
}

const STATE = "state";
const POSITIONS = "positions";
const UNSENT = "unsent";
const META = "meta";
const STORES = [STATE, POSITIONS, UNSENT];

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"));
  });

const opened = (name: string, factory: IDBFactory): Promise<IDBDatabase> => {
  const request = factory.open(name, 1);
  request.onupgradeneeded = () =>
    STORES.forEach((store) => request.result.createObjectStore(store));
  return settled(request);
};

const same = (one: Position, other: Position | undefined): boolean =>
  one.seq === other?.seq && one.head === other.head &&
  one.messageId === other.messageId && one.before === other.before;

/** A database of this origin; only what has changed is written. */
export class IndexedDBStorage implements Storage {
  readonly #name: string;
  readonly #factory: IDBFactory;
  #database: IDBDatabase | undefined;
  #meta = "";
  #positions: ReadonlyMap<string, Position> = new Map();
  #unsent: ReadonlyMap<string, Entry> = new Map();

  constructor(name: string, factory: IDBFactory) {
    this.#name = name;
    this.#factory = factory;
  }

  async load(): Promise<Kept> {
    const database = await opened(this.#name, this.#factory);
    this.#database = database;
    database.onversionchange = () => database.close();
    const transaction = database.transaction(STORES, "readonly");
    const store = (name: string) => transaction.objectStore(name);
    const [meta, names, positions, unsent] = await Promise.all([
      settled<Meta | undefined>(store(STATE).get(META)),
      settled(store(POSITIONS).getAllKeys()),
      settled<Position[]>(store(POSITIONS).getAll()),
      settled<Entry[]>(store(UNSENT).getAll()),
    ]);
    unsent.sort((a, b) => a.number - b.number);
    const { user, position, epoch, witness, device } = meta ?? { ...NOTHING, device: "" };
    this.#meta = meta ? JSON.stringify({ user, position, epoch, witness, device }) : "";
    this.#positions = new Map(
      names.flatMap((name, i) => {
        const found = positions[i];
        return found ? [[String(name), found] as const] : [];
      }),
    );
    this.#unsent = new Map(unsent.map((entry) => [entry.frame.client_id, entry]));
    const frames = unsent.map((entry) => entry.frame);
    return {
      user, position, epoch, witness, device, positions: this.#positions, unsent: frames,
    };
  }

  async save(kept: Kept): Promise<void> {
    const database = this.#database;
    if (!database) throw new Error("IndexedDB is not open");
    const { user, position, epoch, witness, device, positions } = kept;
    const meta: Meta = { user, position, epoch, witness, device };
    const unsent = this.#numbered(kept.unsent);
    // What leaves the client must survive a crash of the machine, too.
    const transaction = database.transaction(STORES, "readwrite", { durability: "strict" });
    const done = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () =>
        reject(transaction.error ?? new Error("IndexedDB refused to write"));
    });
    if (JSON.stringify(meta) !== this.#meta) transaction.objectStore(STATE).put(meta, META);
    changes(transaction.objectStore(POSITIONS), this.#positions, positions, same);
    changes(transaction.objectStore(UNSENT), this.#unsent, unsent, (one, other) => one === other);
    await done;
    this.#meta = JSON.stringify(meta);
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
    const entries = new Map<string, Entry>();
    let last = 0;
    for (const frame of frames) {
      let entry = this.#unsent.get(frame.client_id);
      if (!entry || entry.number <= last || entry.frame !== frame) {
        highest += 1;
        entry = { number: highest, frame };
      }
      last = entry.number;
      entries.set(frame.client_id, entry);
    }
    return entries;
  }
}

const changes = <T>(
  store: IDBObjectStore, before: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>,
  equal: (one: T, other: T | undefined) => boolean,
): void => {
  for (const [key, value] of now) if (!equal(value, before.get(key))) store.put(value, key);
  for (const key of before.keys()) if (!now.has(key)) store.delete(key);
};
