/**
 * A program with a client, for tests: it does what the lines of its input say, and writes
 * what happens as lines of JSON.
 *
 *     node person.js URL TOKEN DEVICE json|protobuf
 */

import { createInterface } from "node:readline";

import { Client } from "@wsmsg/client";
import { protobuf } from "@wsmsg/client/protobuf";
import * as requests from "@wsmsg/client/requests";

const [, , url = "", token = "", device = "", spelling = "json"] = process.argv;
const client = new Client(url, () => token, {
  device, storage: false, heartbeatS: 1, ...(spelling === "protobuf" && { codec: protobuf }),
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
    type Call = (...all: readonly unknown[]) => Promise<unknown>;
    const all = line.with ?? [];
    const request = requests[line.call as "head"] as Call | undefined;
    const method = client[line.call as "reply"] as Call;
    const result = request ? request(client, ...all) : method.apply(client, all as unknown[]);
    void told(line.call, Promise.resolve(result));
  }
};

const input = createInterface({ input: process.stdin });
input.on("line", (text) => obey(JSON.parse(text) as Line));
client.start();
for await (const event of client) write({ event });
input.close();
