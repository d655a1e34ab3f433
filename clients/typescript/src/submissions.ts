/** Checks of requests, as `checks.ts` has them for messages. */

import { bad, checkName, checkNumber, checkWhom } from "./checks.js";
import type { ChangeGroup, CreateGroup, Send, Submission } from "./frames.js";

const GROUP_NAME_BYTES = 256;
/** The most users that one change of a group may name. */
export const GROUP_CHANGE_USERS = 1000;

const checkChange = (frame: CreateGroup | ChangeGroup): void => {
  const create = frame.type === "create_group";
  const users = create
    ? [...frame.members, ...frame.member_names ?? []]
    : [...frame.add, ...frame.remove, ...frame.add_names ?? [], ...frame.remove_names ?? []];
  if (users.length > GROUP_CHANGE_USERS + Number(create)) {
    bad(`more than ${GROUP_CHANGE_USERS} users in one change`);
  }
  if (create) {
    checkName(frame.name, "name", GROUP_NAME_BYTES);
  } else {
    if (!users.length) bad("the change adds and removes no members");
    if (new Set(users).size < users.length) bad("a user is both added and removed");
  }
};

/**
 * Returns a request with valid fields; its ids are valid already.
 *
 * @throws TypeError - a field is of another type.
 * @throws WsmsgError - `bad_request`: the server does not accept its value.
 */
export const checkRequest = <F extends Exclude<Submission, Send>>(frame: F): F => {
  switch (frame.type) {
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
