/**
 * Readers of JSON values: each returns the value that it expects, or throws.
 *
 * A number of the protocol may come as a number or as a string of digits.  Numbers that
 * stay below 2^53 (`seq`, times, counts) become numbers, ids become strings.
 */

import { isId, type Id } from "./ids.js";

/** A value is not what the protocol says; the text says what was expected. */
export class Unreadable extends Error {}

/** Reads a value. */
export type Reader<T> = (value: unknown) => T;

/** The type of the values that a reader returns. */
export type Read<R> = R extends Reader<infer T> ? T : never;

/** Reads what a condition is true of. */
const only =
  <T>(wanted: string, fits: (value: unknown) => value is T): Reader<T> =>
  (value) => {
    if (fits(value)) return value;
    throw new Unreadable(`${wanted} expected`);
  };

/** Reads a text. */
export const text = only("a text", (value) => typeof value === "string");

/** Reads a truth value. */
export const flag = only("true or false", (value) => typeof value === "boolean");

/** Reads a number, perhaps with a fraction. */
export const decimal = only("a number", (value) => typeof value === "number");

const small = only("an integer below 2^53", (value): value is number =>
  Number.isSafeInteger(value),
);

/** Reads an integer that stays below 2^53, such as a `seq` or a time. */
export const integer: Reader<number> = (value) =>
  small(typeof value === "string" && isId(value) ? Number(value) : value);

const digits = only("an id", (value): value is Id => typeof value === "string" && isId(value));

/** Reads an id; a number that was rounded is refused. */
export const id: Reader<Id> = (value) =>
  digits(Number.isSafeInteger(value) || value === 2 ** 53 ? String(value) : value);

const array = only("a list", (value): value is unknown[] => Array.isArray(value));

/** Reads a list. */
export const list =
  <T>(one: Reader<T>): Reader<readonly T[]> =>
  (value) =>
    array(value).map((item) => one(item));

/** Reads a field that may be missing. */
export const optional =
  <T>(reader: Reader<T>, otherwise: T): Reader<T> =>
  (value) =>
    value === undefined ? otherwise : reader(value);

/** The values of an object whose fields have these readers. */
export type Fields<S> = { readonly [K in keyof S]: Read<S[K]> };

const record = only("an object", (value): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value),
);

/** Reads an object; fields without a reader are ignored. */
export const object =
  <S extends Readonly<Record<string, Reader<unknown>>>>(fields: S): Reader<Fields<S>> =>
  (value) => {
    const found = record(value);
    const read = Object.entries(fields).map(([name, reader]) => [
      name, reader(Object.hasOwn(found, name) ? found[name] : undefined),
    ]);
    return Object.fromEntries(read) as Fields<S>;
  };

/** Reads an object from ids to texts, as a list of both. */
export const named: Reader<readonly (readonly [Id, string])[]> = (value) =>
  Object.entries(record(value)).map(([key, one]) => [id(key), text(one)]);
