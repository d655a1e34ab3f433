/** The token for each attempt to connect, and for a session whose token expires. */

import { checkType } from "./checks.js";
import { NO_CLOSE, textOf, WsmsgError } from "./errors.js";
import type { Ended } from "./state/reconnect.js";

/**
 * A token, or a function that returns one.  The client calls the function before every
 * attempt to connect, and a minute before the token of a session expires.  If it throws a
 * {@link WsmsgError} with the code `unauthenticated`, there will be no token; after any
 * other failure the client tries again.
 */
export type TokenSource = string | (() => string | Promise<string>);

const TOKEN = /^[\x21-\x7e]+$/;

/** There is no connection, or no token for one. */
export class Lost extends Error {
  constructor(readonly how: Ended) {
    super(how.reason);
  }
}

/** Checks a source before it is used. */
export const checkTokenSource = (source: TokenSource): void => {
  if (typeof source === "string" && !TOKEN.test(source)) {
    throw new WsmsgError("bad_request", "the token has an invalid character");
  }
  checkType(source, "the token", "string", "function");
};

/**
 * Returns a token for the next attempt.
 *
 * @throws Lost - there is none.
 */
export const tokenOf = async (source: TokenSource): Promise<string> => {
  let token: string;
  try {
    token = typeof source === "string" ? source : await source();
  } catch (error) {
    const final = error instanceof WsmsgError && error.code === "unauthenticated";
    const reason = `no token: ${textOf(error)}`;
    const how = { reason, closeCode: NO_CLOSE };
    throw new Lost(final ? { ...how, httpStatus: 401, code: "unauthenticated" } : how);
  }
  if (typeof token === "string" && TOKEN.test(token)) return token;
  throw new Lost({ reason: "the function returned no token", closeCode: NO_CLOSE });
};
