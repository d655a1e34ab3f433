/** The spelling of frames on a WebSocket. */

import { object, Unreadable } from "./decode.js";
import {
  names, SERVER,
  type ClientFrame, type Decoded, type ServerFrame, type ServerType,
} from "./frames.js";

/** One spelling of the frames: `json`, or `protobuf` of `@wsmsg/client/protobuf`. */
export interface Codec<T extends string | ArrayBuffer = string | ArrayBuffer> {
  /** The name by which the server knows it. */
  readonly subprotocol: string;
  /** Returns what goes over the WebSocket. */
  encode(frame: ClientFrame): T;
  /**
   * Reads a frame.
   *
   * @returns `undefined` for a frame that this version does not know: it is ignored.
   * @throws Unreadable - the data is no frame.
   */
  decode(data: T): Decoded | undefined;
}

/** Returns a frame of a type with these fields, as a codec has parsed them. */
export const frameOf = (type: unknown, fields: unknown): Decoded | undefined => {
  if (typeof type !== "string") throw new Unreadable("a frame without a type");
  if (!Object.hasOwn(SERVER, type)) return undefined;
  return {
    frame: { type, ...object(SERVER[type as ServerType])(fields) } as ServerFrame,
    names: names((fields as { names?: unknown }).names),
  };
};
