/**
 * Messages in the wire format of Protocol Buffers, as objects:
 * https://protobuf.dev/programming-guides/encoding/
 *
 * A message is a list of fields; before each is a varint with its number and its wire type.
 *
 *     0  a varint: seven bits in each byte, the lowest first
 *     1  eight bytes, such as a double
 *     2  a varint, and so many bytes: a text, a message, or several numbers
 *     5  four bytes
 */

import { Unreadable } from "../decode.js";
import { MESSAGES, type Field, type MessageName } from "./schema.js";

type Fields = Readonly<Record<string, unknown>>;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
// Seven bytes of a varint are below 2^49, which a number holds exactly.
const EXACT_BYTES = 7;
const LONGEST_BYTES = 10;

const utf8Decoder = new TextDecoder("utf-8", { fatal: true });
const utf8Encoder = new TextEncoder();

class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Returns an integer; a text of digits if a number does not hold it exactly. */
  varint(): number | string {
    const first = this.#at;
    let value = 0;
    let scale = 1;
    for (let byte = 128; byte >= 128; scale *= 128) {
      byte = this.#byte();
      if (this.#at - first > EXACT_BYTES) return this.#long(first);
      value += (byte & 127) * scale;
    }
    return value;
  }

  #long(first: number): number | string {
    this.#at = first;
    let value = 0n;
    for (let byte = 128n, shift = 0n; byte >= 128n; shift += 7n) {
      if (this.#at - first >= LONGEST_BYTES) throw new Unreadable("an integer of too many bytes");
      byte = BigInt(this.#byte());
      value |= (byte & 127n) << shift;
    }
    const signed = BigInt.asIntN(64, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : String(signed);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Unreadable("the message ends too early");
    this.#at += 1;
    return byte;
  }

  /** Returns the bytes of a field with a length. */
  bytes(length = Number(this.varint())): Uint8Array {
    const end = this.#at + length;
    if (!(length >= 0) || end > this.#bytes.length) {
      throw new Unreadable("the message ends too early");
    }
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.bytes(8);
    else if (wire === BYTES) this.bytes();
    else if (wire === FIXED32) this.bytes(4);
    else throw new Unreadable(`the wire type ${wire}`);
  }
}

const texts = (bytes: Uint8Array): string => {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw new Unreadable("a text that is not UTF-8");
  }
};

const readOne = (kind: Field[2], reader: Reader, wire: number): unknown => {
  const wanted = kind === "int" || kind === "bool" ? VARINT : kind === "double" ? FIXED64 : BYTES;
  if (wire !== wanted) throw new Unreadable(`the wire type ${wire} in place of ${wanted}`);
  switch (kind) {
    case "int":
      return reader.varint();
    case "bool":
      return reader.varint() !== 0;
    case "double": {
      const { buffer, byteOffset } = reader.bytes(8);
      return new DataView(buffer, byteOffset).getFloat64(0, true);
    }
    case "string":
      return texts(reader.bytes());
    default:
      return decodeMessage(kind, reader.bytes());
  }
};

const ZEROS = { int: 0, bool: false, double: 0, string: "" } as const;

/**
 * Returns the fields of a message: zeros for those that are missing, and `undefined` for a
 * missing message in it.
 *
 * @throws Unreadable - the bytes are no such message.
 */
export const decodeMessage = (name: MessageName, bytes: Uint8Array): Fields => {
  const fields: readonly Field[] = MESSAGES[name];
  const found: Record<string, unknown> = {};
  for (const [, field, kind, repeated] of fields) {
    found[field] = repeated ? [] : ZEROS[kind as keyof typeof ZEROS];
  }
  const reader = new Reader(bytes);
  while (reader.more) {
    const key = Number(reader.varint());
    const wire = key % 8;
    const known = fields.find(([number]) => number === Math.floor(key / 8));
    if (!known) {
      reader.skip(wire);
      continue;
    }
    const [, field, kind, repeated] = known;
    if (!repeated) {
      found[field] = readOne(kind, reader, wire);
      continue;
    }
    const all = found[field] as unknown[];
    if (kind === "int" && wire === BYTES) {
      for (const packed = new Reader(reader.bytes()); packed.more; ) all.push(packed.varint());
    } else {
      all.push(readOne(kind, reader, wire));
    }
  }
  return found;
};

const writeVarint = (out: number[], value: number | string | bigint): void => {
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
};

const writeBytes = (out: number[], bytes: Iterable<number> & { readonly length: number }): void => {
  writeVarint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
};

const writeOne = (out: number[], [number, , kind]: Field, value: unknown): void => {
  const wire = kind === "int" || kind === "bool" ? VARINT : kind === "double" ? FIXED64 : BYTES;
  writeVarint(out, number * 8 + wire);
  switch (kind) {
    case "int":
      return writeVarint(out, value as number | string);
    case "bool":
      return writeVarint(out, Number(value));
    case "double": {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value as number, true);
      out.push(...new Uint8Array(view.buffer));
      return;
    }
    case "string":
      return writeBytes(out, utf8Encoder.encode(value as string));
    default: {
      const inner: number[] = [];
      writeFields(inner, kind, value as Fields);
      writeBytes(out, inner);
    }
  }
};

const isZero = (value: unknown): boolean =>
  value === undefined || value === 0 || value === "0" || value === "" || value === false;

const writeFields = (out: number[], name: MessageName, fields: Fields): void => {
  for (const field of MESSAGES[name] as readonly Field[]) {
    const value = fields[field[1]];
    if (field[3]) for (const one of (value ?? []) as unknown[]) writeOne(out, field, one);
    else if (field[2] === "string" ? value : !isZero(value)) writeOne(out, field, value);
  }
};

/** Returns the bytes of a message. */
export const encodeMessage = (name: MessageName, fields: Fields): ArrayBuffer => {
  const out: number[] = [];
  writeFields(out, name, fields);
  return new Uint8Array(out).buffer;
};
