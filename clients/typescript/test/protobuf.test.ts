/** The codec of the subprotocol `wsmsg.v1.protobuf`. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Unreadable } from "../src/decode.js";
import { protobuf } from "../src/protobuf/index.js";
import { decodeMessage, encodeMessage } from "../src/protobuf/messages.js";

const bytes = (hex: string): ArrayBuffer =>
  Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16)).buffer;

const presence = (user: string | number) =>
  encodeMessage("ServerFrame", { presence: { user, online: true } });

describe("the protobuf codec", () => {
  test("holds ids of 64 bits exactly", () => {
    for (const user of ["1", "127", "128", "4503599627370496", "9007199254740991",
      "9007199254740992", "9007199254740993", "9223372036854775807", "-1"]) {
      const decoded = protobuf.decode(presence(user));
      assert.deepEqual(decoded?.frame, { type: "presence", user, online: true, last_seen: 0 });
    }
  });

  test("writes what protoc writes", () => {
    // Made with the Python package protobuf.
    const frame = protobuf.encode({
      type: "send", client_id: "a", to: "9007199254740993", group: "0", content: "é", kind: 1,
    });
    assert.equal(Buffer.from(frame).toString("hex"), "12120a01611081808080808080102202c3a92801");
  });

  test("reads lists of numbers in both of their forms", () => {
    const packed = decodeMessage("Named", new Uint8Array(bytes("12020102")));
    const single = decodeMessage("Named", new Uint8Array(bytes("10011002")));
    assert.deepEqual(packed["users"], [1, 2]);
    assert.deepEqual(single, packed);
  });

  test("ignores frames and fields that it does not know", () => {
    assert.equal(protobuf.decode(bytes("fa0100")), undefined);
    assert.equal(protobuf.decode(bytes("")), undefined);
    // Field 99 of each wire type, in a resync.
    const unknown = "980601" + "9906" + "00".repeat(8) + "9a060161" + "9d0600000000";
    const inner = "0a0161" + unknown;
    const decoded = protobuf.decode(bytes("52" + (inner.length / 2).toString(16) + inner));
    assert.deepEqual(decoded?.frame, { type: "resync", reason: "a" });
  });

  test("has the names of users beside the frame", () => {
    const data = encodeMessage("ServerFrame", {
      typing: { conversation: "u:1:2", user: 2 },
      names: [{ key: "4503599627370496", value: "anna" }],
    });
    assert.deepEqual(protobuf.decode(data)?.names, [["4503599627370496", "anna"]]);
  });

  test("refuses what is no frame", () => {
    for (const hex of ["52", "5205", "520308", "52030a05", "07", "0b", "5203" + "0a01ff",
      "50ffffffffffffffffffff01", "5001"]) {
      assert.throws(() => protobuf.decode(bytes(hex)), Unreadable, hex);
    }
    assert.throws(() => protobuf.decode("{}" as unknown as ArrayBuffer), Unreadable);
  });
});
