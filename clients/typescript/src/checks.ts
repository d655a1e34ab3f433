/**
 * Checks of what the program passes, before anything is queued.
 *
 * A frame that the server cannot decode must never be queued: it would have no answer,
 * and would be repeated on each connection.
 */

import { WsmsgError } from "./errors.js";
import {
  FIRST_EVENT,
  type ChangeGroup, type CreateGroup, type Submission,
} from "./frames.js";
import { isId, type Id, type IdLike, type UserLike } from "./ids.js";

const ID_BYTES = 64;
const USER_NAME_BYTES = 128;
const GROUP_NAME_BYTES = 256;
/** The most users that one change of a group may name. */
export const GROUP_CHANGE_USERS = 1000;
const INT32_MAX = 2 ** 31 - 1;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const HALF = /\p{Surrogate}/u;
// What looks like a number, or is empty, is no name of a user.
const NUMBER = /^[-+]?\d*$/;

const utf8 = new TextEncoder();

const bad = (reason: string): never => {
  throw new WsmsgError("bad_request", reason);
};

/** Checks a text without a limit. */
export const checkText = (value: string, name: string): void => {
  if (typeof value !== "string") {
    throw new TypeError(`${name} must be a string, not ${typeof value}`);
  }
  if (HALF.test(value)) bad(`${name} has half a character, a lone surrogate`);
};

/** Checks a text of a limited length in UTF-8 without control characters. */
export const checkName = (
  value: string, name: string, least = 1, limit = ID_BYTES,
): void => {
  checkText(value, name);
  const size = utf8.encode(value).length;
  if (size < least || size > limit) {
    bad(`${name} has ${size} bytes, and must have ${least} to ${limit}`);
  }
  if (CONTROL.test(value)) bad(`${name} has control characters`);
};

/** Checks a number, such as a `seq`. */
export const checkNumber = (
  value: number, name: string, least = 0, most = Number.MAX_SAFE_INTEGER,
): void => {
  if (typeof value !== "number") {
    throw new TypeError(`${name} must be a number, not ${typeof value}`);
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    bad(`${name} is not an integer between ${least} and ${most}`);
  }
};

/** Returns an id as a text, from 1 up, or from 0 where `none` is allowed. */
export const checkedId = (value: IdLike, name: string, none = false): Id => {
  if (typeof value !== "string" && typeof value !== "bigint") {
    throw new TypeError(`${name} must be a string or a bigint, not ${typeof value}`);
  }
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
      checkName(user, name, 1, USER_NAME_BYTES);
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

const checkWhom = (...whom: readonly (string | undefined)[]): void => {
  if (whom.filter((one) => one && one !== "0").length !== 1) {
    bad("exactly one of a user and a group must be named");
  }
};

const checkChange = (frame: CreateGroup | ChangeGroup): void => {
  const create = frame.type === "create_group";
  const users = create
    ? [...frame.members, ...frame.member_names ?? []]
    : [...frame.add, ...frame.remove, ...frame.add_names ?? [], ...frame.remove_names ?? []];
  if (users.length > GROUP_CHANGE_USERS + Number(create)) {
    bad(`more than ${GROUP_CHANGE_USERS} users in one change`);
  }
  if (create) {
    checkName(frame.name, "name", 1, GROUP_NAME_BYTES);
  } else {
    if (!users.length) bad("the change adds and removes no members");
    if (new Set(users).size < users.length) bad("a user is both added and removed");
  }
};

/**
 * Returns a frame with valid fields; its ids are valid already.
 *
 * @throws TypeError - a field is of another type.
 * @throws WsmsgError - `bad_request`: the server does not accept its value.
 */
export const checked = <F extends Submission>(frame: F): F => {
  checkName(frame.client_id, "client_id");
  switch (frame.type) {
    case "send":
      checkText(frame.content, "content");
      checkNumber(frame.kind, "kind", 0, INT32_MAX);
      checkWhom(frame.to, frame.group, frame.to_name);
      if (frame.kind >= FIRST_EVENT) {
        bad(`kinds from ${FIRST_EVENT} on are reserved for the server`);
      }
      if (frame.content.includes("\0")) bad("content has the character U+0000");
      break;
    case "recall":
      checkName(frame.conversation, "conversation");
      checkNumber(frame.seq, "seq", 1);
      break;
    case "block":
      checkWhom(frame.user, frame.group, frame.user_name);
      break;
    case "create_group":
    case "change_group":
      checkChange(frame);
  }
  return frame;
};
