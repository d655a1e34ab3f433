/**
 * The client of wsmsg, for browsers and Node.
 *
 *     import { Client } from "@wsmsg/client";
 *     import { inBrowser } from "@wsmsg/client/browser"; // reloads lose nothing
 *
 *     const url = "wss://chat.example/api/v1/connect/ws";
 *     const client = new Client(url, fetchToken, inBrowser());
 *     client.start();
 *     await client.send({ to: "1002", content: "Good morning" });
 *     for await (const event of client) {
 *       if (event.type === "messageReceived") show(event.sender, event.content);
 *     }
 */

export { Client, type ClientOptions, type Message } from "./client.js";
export type { Codec } from "./codec.js";
export { WsmsgError, type ErrorCode } from "./errors.js";
export { FIRST_EVENT, RECALLED, TEXT, type Head, type Limits } from "./frames.js";
export {
  conversationOf, groupConversation, groupIn, isGroup,
  type Id, type IdLike, type UserLike,
} from "./ids.js";
export type * from "./state/events.js";
export type { Start } from "./state/inbound.js";
export type { ReconnectOptions } from "./state/reconnect.js";
export type { Kept, Storage } from "./storage.js";
export type { TokenSource } from "./token-source.js";
export type { WebSocketConstructor, WebSocketLike } from "./transport.js";
export { VERSION } from "./version.js";
