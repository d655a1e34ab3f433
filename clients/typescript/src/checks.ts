/**
 * Checks of what the program passes, before anything is queued.
 *
 * A frame that the server cannot decode must never be queued: it would have no answer,
 * and would be repeated on each connection.
 */

import { WsmsgError } from "./errors.js";
import { FIRST_EVENT, type Send } from "./frames.js";
import { bytesOf, isId, type Id, type IdLike, type UserLike } from "./ids.js";

const ID_BYTES = 64;
const USER_NAME_BYTES = 128;
const INT32_MAX = 2 ** 31 - 1;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const HALF = /\p{Surrogate}/u;
// What looks like a number, or is empty, is no name of a user.
const NUMBER = /^[-+]?\d*$/;

/** Refuses what the program passed. */
export const bad = (reason: string): never => {
  throw new WsmsgError("bad_request", reason);
};

/** Checks the type of a value, as `typeof` has it. */
export const checkType = (value: unknown, name: string, ...wanted: string[]): void => {
  if (!wanted.includes(typeof value)) {
    throw new TypeError(`${name} must be a ${wanted.join(" or a ")}, not ${typeof value}`);
  }
};

/** Checks a text without a limit. */
const checkText = (value: string, name: string): void => {
  checkType(value, name, "string");
  if (HALF.test(value)) bad(`${name} has a lone surrogate`);
};

/** Checks a text of a limited length in UTF-8 without control characters. */
export const checkName = (
  value: string, name: string, limit = ID_BYTES,
): void => {
  checkText(value, name);
  const size = bytesOf(value);
  if (!size || size > limit) {
    bad(`${name} has ${size} bytes, and must have 1 to ${limit}`);
  }
  if (CONTROL.test(value)) bad(`${name} has control characters`);
};

/** Checks a number, such as a `seq`. */
export const checkNumber = (
  value: number, name: string, least = 0, most = Number.MAX_SAFE_INTEGER,
): void => {
  checkType(value, name, "number");
  if (!Number.isInteger(value) || value < least || value > most) {
    bad(`${name} is not an integer between ${least} and ${most}`);
  }
};

/** Returns an id as a text, from 1 up, or from 0 where `none` is allowed. */
export const checkedId = (value: IdLike, name: string, none = false): Id => {
  checkType(value, name, "string", "bigint");
  const id = String(value);
  if (!isId(id) || id.startsWith("-") || (id === "0" && !none)) {
    bad(`${name} is not an integer between ${none ? 0 : 1} and 2^63-1`);
  }
  return id;
};

/** Returns the numbers and the names of users, each once. */
export const apart = (users: Iterable<UserLike>, name: string): readonly [Id[], string[]] => {
  const numbers = new Set<Id>();
  const names = new Set<string>();
  for (const user of users) {
    if (typeof user === "string" && !NUMBER.test(user)) {
      checkName(user, name, USER_NAME_BYTES);
      names.add(user);
    } else {
      numbers.add(checkedId(user, name));
    }
  }
  return [[...numbers], [...names]];
};

/** Returns the number of a user, or "0" and the name. */
export const one = (user: UserLike, name: string): readonly [Id, string] => {
  const [[number = "0"], [called = ""]] = apart([user], name);
  return [number, called];
};

/** Checks that one of several numbers and names is given. */
export const checkWhom = (...whom: readonly (string | undefined)[]): void => {
  if (whom.filter((one) => one && one !== "0").length !== 1) {
    bad("exactly one of a user and a group must be named");
  }
};

/**
 * Returns a message with valid fields; its ids are valid already.
 *
 * @throws TypeError - a field is of another type.
 * @throws WsmsgError - `bad_request`: the server does not accept its value.
 */
export const checkSend = (frame: Send): Send => {
  checkText(frame.content, "content");
  checkNumber(frame.kind, "kind", 0, INT32_MAX);
  checkWhom(frame.to, frame.group, frame.to_name);
  if (frame.kind >= FIRST_EVENT) {
    bad(`kinds from ${FIRST_EVENT} on are reserved for the server`);
  }
  if (frame.content.includes("\0")) bad("content has the character U+0000");
  return frame;
};
