/**
 * Readers of JSON values: each returns the value that it expects, or throws.
 *
 * A number of the protocol may come as a number or as a string of digits.  Numbers that
 * stay below 2^53 (`seq`, times, counts) become numbers, ids become strings.
 */

import { isId, type Id } from "./ids.js";

/** A value is not what the protocol says; the text names its place. */
export class Unreadable extends Error {}

/** Reads a value; `at` names its place. */
export type Reader<T> = (value: unknown, at: string) => T;

/** The type of the values that a reader returns. */
export type Read<R> = R extends Reader<infer T> ? T : never;

const fail = (at: string, wanted: string): never => {
  throw new Unreadable(`${at}: ${wanted} expected`);
};

const EXACT = 2 ** 53;

/** Reads a text. */
export const text: Reader<string> = (value, at) =>
  typeof value === "string" ? value : fail(at, "a text");

/** Reads a truth value. */
export const flag: Reader<boolean> = (value, at) =>
  typeof value === "boolean" ? value : fail(at, "true or false");

/** Reads a number, perhaps with a fraction. */
export const decimal: Reader<number> = (value, at) =>
  typeof value === "number" ? value : fail(at, "a number");

/** Reads an integer that stays below 2^53, such as a `seq` or a time. */
export const integer: Reader<number> = (value, at) => {
  const number = typeof value === "string" && isId(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number)
    ? number
    : fail(at, "an integer below 2^53");
};

/** Reads an id; a number that was rounded is refused. */
export const id: Reader<Id> = (value, at) => {
  if (typeof value === "string" && isId(value)) return value;
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= EXACT
    ? String(value)
    : fail(at, "an integer of 64 bits, as a text if it is above 2^53,");
};

/** Reads a list. */
export const list =
  <T>(one: Reader<T>): Reader<readonly T[]> =>
  (value, at) =>
    Array.isArray(value)
      ? value.map((item, i) => one(item, `${at}[${i}]`))
      : fail(at, "a list");

/** Reads a field that may be missing. */
export const optional =
  <T>(reader: Reader<T>, otherwise: T): Reader<T> =>
  (value, at) =>
    value === undefined ? otherwise : reader(value, at);

/** The values of an object whose fields have these readers. */
export type Fields<S> = { readonly [K in keyof S]: Read<S[K]> };

/** Reads an object; fields without a reader are ignored. */
export const object =
  <S extends Readonly<Record<string, Reader<unknown>>>>(fields: S): Reader<Fields<S>> =>
  (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return fail(at, "an object");
    }
    const found = value as Readonly<Record<string, unknown>>;
    const read = Object.entries(fields).map(([name, reader]) => [
      name,
      reader(Object.hasOwn(found, name) ? found[name] : undefined, `${at}.${name}`),
    ]);
    return Object.fromEntries(read) as Fields<S>;
  };
