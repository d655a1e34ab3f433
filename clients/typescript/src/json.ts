/** The subprotocol `wsmsg.v1.json`: one JSON object in each message. */

import { Unreadable } from "./decode.js";
import { SERVER, type ClientFrame, type ServerFrame, type ServerType } from "./frames.js";

/** The name of the subprotocol. */
export const SUBPROTOCOL = "wsmsg.v1.json";

// The only integer above 2^53 that a parser rounds to 2^53, which is a valid number.
const ROUNDED = "9007199254740993";
const TEXTS = /"(?:[^"\\]|\\.)*"/g;

/** Returns the text of a frame.  Ids are texts of digits, which the server reads. */
export const encode = (frame: ClientFrame): string => JSON.stringify(frame);

/**
 * Reads a frame.
 *
 * @returns the frame; `undefined` for a type that this version does not know, which is to
 *   be ignored.
 * @throws Unreadable - the text is no frame.
 */
export const decode = (data: string): ServerFrame | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (error) {
    throw new Unreadable(`not JSON: ${String(error).slice(0, 100)}`);
  }
  const type: unknown = (value as { type?: unknown } | null)?.type;
  if (typeof type !== "string") throw new Unreadable("a frame without a type");
  if (data.includes(ROUNDED) && data.replace(TEXTS, "").includes(ROUNDED)) {
    throw new Unreadable("a number above 2^53 that is no text");
  }
  if (!Object.hasOwn(SERVER, type)) return undefined;
  const fields = SERVER[type as ServerType](value);
  return { type, ...fields } as ServerFrame;
};
