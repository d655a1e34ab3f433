/** What a client keeps across restarts. */

import type { Submission } from "../frames.js";
import type { Id } from "../ids.js";
import type { Position } from "./inflow.js";

/** The state of an earlier run. */
export interface Saved {
  /** The owner; "0" if there is none yet. */
  readonly user: Id;
  /** The position of the last complete list of conversations; empty: there was none. */
  readonly position: string;
  /** The name of the server's history; empty if it is not known. */
  readonly epoch: string;
  /** The text that proves how far the server was; empty if there is none. */
  readonly witness: string;
  readonly positions: ReadonlyMap<string, Position>;
  readonly unsent: readonly Submission[];
}

/** The state of a first run. */
export const NOTHING: Saved = {
  user: "0", position: "", epoch: "", witness: "", positions: new Map(), unsent: [],
};
