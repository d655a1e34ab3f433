/**
 * The subprotocol `wsmsg.v1.protobuf`: one frame in each binary message.
 *
 *     import { Client } from "@wsmsg/client";
 *     import { protobuf } from "@wsmsg/client/protobuf";
 *
 *     const client = new Client(url, fetchToken, { codec: protobuf });
 */

import { frameOf, type Codec } from "../codec.js";
import { Unreadable } from "../decode.js";
import { decodeMessage, encodeMessage } from "./messages.js";

/** The codec that a client has if its program gives it as the option `codec`. */
export const protobuf: Codec<ArrayBuffer> = {
  subprotocol: "wsmsg.v1.protobuf",
  encode: ({ type, ...fields }) => encodeMessage("ClientFrame", { [type]: fields }),
  decode: (data) => {
    if (typeof data === "string") throw new Unreadable("a text, and no protobuf");
    const { names, ...frame } = decodeMessage("ServerFrame", new Uint8Array(data));
    const [found] = Object.entries(frame).filter(([, fields]) => fields !== undefined);
    if (!found) return undefined;
    const [type, fields] = found;
    const pairs = names as readonly { readonly key: unknown; readonly value: unknown }[];
    const beside = Object.fromEntries(pairs.map(({ key, value }) => [String(key), value]));
    // A field `names` of the frame itself is one of a later server, as none has it now.
    return frameOf(type, { ...(fields as object), names: beside });
  },
};
