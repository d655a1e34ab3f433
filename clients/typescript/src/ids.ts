/**
 * Ids of users, groups and messages: 64-bit integers, which a JavaScript number cannot
 * hold above 2^53.  So an id is a string of decimal digits everywhere in this package.
 */

/** An id of a user, a group or a message: decimal digits without leading zeros. */
export type Id = string;

/** What the methods of the client take for an id.  A `number` is not among them. */
export type IdLike = Id | bigint;

/** A user, by number or, where the server has names of users, by name. */
export type UserLike = IdLike;

const utf8 = new TextEncoder();

/** Returns the number of bytes of a text in UTF-8. */
export const bytesOf = (text: string): number => utf8.encode(text).length;

/** Returns a new text that nobody else makes up. */
export const madeUp = (): string =>
  // Not randomUUID(), which pages without TLS do not have.
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

/** Whether a text is an integer of 64 bits, spelled as ids are. */
export const isId = (text: string): text is Id =>
  /^(0|-?[1-9]\d{0,18})$/.test(text) &&
  (text.length < 19 || BigInt.asIntN(64, BigInt(text)) === BigInt(text));

/** Whether one id of a message or a user is greater than another; both are positive. */
export const isGreater = (one: Id, other: Id): boolean =>
  one.length === other.length ? one > other : one.length > other.length;

/** Returns the greater of two ids. */
export const greater = (one: Id, other: Id): Id => (isGreater(other, one) ? other : one);

/** Whether a name begins like that of a group's conversation. */
export const isGroup = (conversation: string): boolean => conversation.startsWith("g:");

/** Returns the group whose conversation has this name; empty: the name is not valid. */
export const groupIn = (conversation: string): Id => {
  const digits = conversation.slice(2);
  return isGroup(conversation) && isId(digits) && isGreater(digits, "0") ? digits : "";
};

/** Returns the name of the conversation of two users. */
export const conversationOf = (user: IdLike, other: IdLike): string => {
  const [one, two] = [String(user), String(other)];
  return isGreater(one, two) ? `u:${two}:${one}` : `u:${one}:${two}`;
};

/** Returns the name of a group's conversation. */
export const groupConversation = (group: IdLike): string => `g:${group}`;
