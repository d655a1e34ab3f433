/**
 * The client of wsmsg.
 *
 * This version has the decisions of a client, without I/O: {@link Exchange} and what
 * belongs to it.
 */

export { Close, WsmsgError, type ErrorCode } from "./errors.js";
export type * from "./frames.js";
export { conversationOf, groupConversation, groupIn, isGroup, type Id, type IdLike } from "./ids.js";
export { decode, encode, SUBPROTOCOL } from "./json.js";
export type * from "./state/events.js";
export { Exchange, type ExchangeOptions } from "./state/exchange.js";
export { Reconnect, type ReconnectOptions } from "./state/reconnect.js";
export { NOTHING, type Saved } from "./state/saved.js";
