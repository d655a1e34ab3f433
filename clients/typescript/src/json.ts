/** The subprotocol `wsmsg.v1.json`: one JSON object in each message. */

import { frameOf, type Codec } from "./codec.js";
import { Unreadable } from "./decode.js";
import type { Decoded } from "./frames.js";

// The only integer above 2^53 that a parser rounds to 2^53, which is a valid number.
const ROUNDED = "9007199254740993";
const TEXTS = /"(?:[^"\\]|\\.)*"/g;

/**
 * Reads a frame.
 *
 * @returns the frame; `undefined` for a type that this version does not know, which is to
 *   be ignored.
 * @throws Unreadable - the text is no frame.
 */
const decode = (data: string): Decoded | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (error) {
    throw new Unreadable(`not JSON: ${String(error).slice(0, 100)}`);
  }
  if (data.includes(ROUNDED) && data.replace(TEXTS, "").includes(ROUNDED)) {
    throw new Unreadable("a number above 2^53 that is no text");
  }
  return frameOf((value as { type?: unknown } | null)?.type, value);
};

/** The codec of a client unless its program chooses another. */
export const json: Codec<string> = {
  subprotocol: "wsmsg.v1.json",
  // Ids are texts of digits, which the server reads.
  encode: (frame) => JSON.stringify(frame),
  decode,
};
