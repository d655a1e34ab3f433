/**
 * A program with a client, for tests: it does what the lines of its input say, and writes
 * what happens as lines of JSON.
 *
 *     node person.js URL TOKEN DEVICE json|protobuf
 */

import { createInterface } from "node:readline";

import { Client } from "../src/index.js";
import { json } from "../src/json.js";
import { protobuf } from "../src/protobuf/index.js";

const [, , url = "", token = "", device = "", spelling = "json"] = process.argv;
const client = new Client(url, () => token, {
  device, storage: false, heartbeatS: 1, codec: { json, protobuf }[spelling] ?? json,
});

const write = (line: unknown): void => {
  const plain = (_: string, value: unknown) =>
    value instanceof Map ? Object.fromEntries(value) : value;
  process.stdout.write(`${JSON.stringify(line, plain)}\n`);
};

const told = async (name: string, result: Promise<unknown>): Promise<void> => {
  try {
    write({ done: name, result: await result });
  } catch (error) {
    write({ failed: name, error: String(error), ...(error as object) });
  }
};

interface Line {
  readonly send?: { readonly to?: string; readonly group?: string; readonly content: string };
  readonly call?: string;
  readonly with?: readonly unknown[];
}

const obey = (line: Line): void => {
  if (line.send) void told(`send ${line.send.content}`, client.send(line.send));
  else if (line.call === "close") void client.close();
  else if (line.call) {
    const method = client[line.call as "history"] as (...all: unknown[]) => Promise<unknown>;
    void told(line.call, Promise.resolve(method.apply(client, [...(line.with ?? [])])));
  }
};

const input = createInterface({ input: process.stdin });
input.on("line", (text) => obey(JSON.parse(text) as Line));
client.start();
for await (const event of client) write({ event });
input.close();
