/**
 * What a client has in a browser: a state that reloads do not lose, and many tabs as one
 * device.
 *
 *     import { Client } from "@wsmsg/client";
 *     import { inBrowser } from "@wsmsg/client/browser";
 *
 *     const client = new Client(url, fetchToken, inBrowser());
 *
 * For more options: `{ ...inBrowser(), codec: protobuf }`.
 */

import type { ClientOptions } from "./client.js";
import { IndexedDBStorage } from "./indexeddb.js";
import type { Storage } from "./storage.js";
import { Tabs, type Locks } from "./tabs.js";

export type { Locks };

/** A place that cannot be used, for a reason. */
const refusing = (reason: unknown): Storage => ({
  load: () => Promise.reject(reason),
  save: () => Promise.reject(reason),
  close: () => {},
});

const kept = (name: string, locks: Locks | undefined): Storage => {
  try {
    const factory = globalThis.indexedDB;
    // Without locks, each tab must be a device of its own, with a state of its own.
    if (factory && locks) return new IndexedDBStorage(name, factory);
    return refusing(`there ${factory ? "are no Web Locks" : "is no IndexedDB"} here`);
  } catch (error) {
    return refusing(error);
  }
};

/**
 * Returns options of a client: the state is in IndexedDB, and one tab has the connection
 * for all of them.
 *
 * @param name the name under which this browser keeps the state.  Two users of one browser
 *   need two names.
 * @param options what to use in place of IndexedDB and of `navigator.locks`.
 */
export const inBrowser = (
  name = "wsmsg", options: { readonly storage?: Storage | false; readonly locks?: Locks } = {},
): Pick<ClientOptions, "storage" | "tabs"> => {
  const locks = options.locks ?? globalThis.navigator?.locks;
  const storage = options.storage ?? kept(`wsmsg ${name}`, locks);
  if (!locks || !globalThis.BroadcastChannel) return { storage };
  return { storage, tabs: (listener) => new Tabs(name, locks, listener) };
};
