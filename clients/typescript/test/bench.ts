/**
 * The share of a processor that the client needs in Chromium for many deliveries:
 *
 *     npm run bench                         10 seconds of 2,000 deliveries a second
 *     node build/test/bench.js 30 5000 protobuf 3     in protobuf, with 3 tabs
 *
 * The server is a small one in this process, which numbers messages and sends them in
 * bursts; the page takes each event.  Chromium says what its renderer was busy with.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";

import { chromium, type Page } from "playwright-core";

import { decodeMessage, encodeMessage } from "../src/protobuf/messages.js";

const [, , seconds = "10", rate = "2000", spelling = "json", tabs = "1"] = process.argv;
const [SECONDS, RATE, TABS] = [Number(seconds), Number(rate), Number(tabs)];
const BURST_MS = 10;
const CONVERSATIONS = 50;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

type Frame = Readonly<Record<string, unknown>>;

const encoded = (frame: Frame): Buffer => {
  const { type, ...fields } = frame;
  return spelling === "json"
    ? Buffer.from(JSON.stringify(frame))
    : Buffer.from(encodeMessage("ServerFrame", { [String(type)]: fields }));
};

const typeOf = (data: Buffer): string =>
  spelling === "json"
    ? (JSON.parse(String(data)) as { type: string }).type
    : Object.entries(decodeMessage("ClientFrame", data)).find(([, one]) => one)?.[0] ?? "";

const message = (frame: Frame): Buffer => {
  const data = encoded(frame);
  const head = Buffer.from([spelling === "json" ? 0x81 : 0x82, 126, 0, 0]);
  if (data.length < 126) return Buffer.concat([head.subarray(0, 1), Buffer.from([data.length]), data]);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
};

/** Calls back with each message of a client, which is masked and in one fragment. */
const onMessages = (socket: Duplex, call: (data: Buffer) => void): void => {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 6) {
      const short = (rest[1] ?? 0) & 127;
      const at = short === 126 ? 4 : 2;
      const length = short === 126 ? rest.readUInt16BE(2) : short;
      if (rest.length < at + 4 + length) return;
      const mask = rest.subarray(at, at + 4);
      const data = Buffer.from(rest.subarray(at + 4, at + 4 + length));
      data.forEach((byte, i) => (data[i] = byte ^ (mask[i % 4] ?? 0)));
      if (((rest[0] ?? 0) & 15) <= 2) call(data);
      rest = rest.subarray(at + 4 + length);
    }
  });
};

let reports = 0;
let begin: () => void = () => {};
const began = new Promise<void>((resolve) => (begin = resolve));
let out: Duplex | undefined;

const server = createServer((request, response) => {
  const path = request.url ?? "/";
  if (!/^\/[\w/-]+\.js$/.test(path)) {
    response.setHeader("Content-Type", "text/html").end("<!doctype html><title>b</title>");
    return;
  }
  response.setHeader("Content-Type", "text/javascript");
  const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
  readFile(`${dist}${path}`).then((text) => response.end(text), () => response.destroy());
});
server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
  const key = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`);
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${key.digest("base64")}\r\n` +
    `Sec-WebSocket-Protocol: wsmsg.v1.${spelling}\r\n\r\n`,
  );
  out = socket;
  socket.on("error", () => {});
  onMessages(socket, (data) => {
    const type = typeOf(data);
    if (type === "delivered") reports += 1;
    if (type !== "hello") return;
    socket.write(message({
      type: "welcome", user: 1, session: "s", heartbeat_s: 60,
      limits: { content_bytes: 16384, frame_bytes: 65536, window: 64, sends_per_s: 100, page: 100, watch: 500 },
      time: 1, heads: [], more: false, synced: true, position: "p", epoch: "e",
    }));
    begin();
  });
});
await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
const { port } = server.address() as AddressInfo;

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const context = await browser.newContext();
const open = async (): Promise<Page> => {
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error("page:", error));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.evaluate(async ([port, spelling]) => {
    const [index, home, codec] = ["/index.js", "/browser.js", "/protobuf/index.js"];
    const { Client } = (await import(index)) as typeof import("../src/index.js");
    const { inBrowser } = (await import(home)) as typeof import("../src/browser.js");
    const { protobuf } = (await import(codec)) as typeof import("../src/protobuf/index.js");
    const client = new Client(`ws://127.0.0.1:${port}/`, "token", {
      ...inBrowser(),
      ...(spelling === "protobuf" && { codec: protobuf }),
    });
    const taken = { count: 0 };
    Object.assign(globalThis, { taken });
    void (async () => {
      for await (const event of client) if (event.type === "messageReceived") taken.count += 1;
    })();
    await client.connect();
  }, [port, spelling] as const);
  return page;
};

try {
  const page = await open(); // It leads.
  await began;
  for (let n = 1; n < TABS; n++) await open();

  const renderer = await context.newCDPSession(page);
  const whole = await browser.newBrowserCDPSession();
  await renderer.send("Performance.enable");
  const used = async () => {
    const { metrics } = await renderer.send("Performance.getMetrics");
    const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
    const of = (name: string) => metrics.find((one) => one.name === name)?.value ?? 0;
    return {
      task: of("TaskDuration"), script: of("ScriptDuration"), at: performance.now() / 1000,
      all: processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0),
      heap: of("JSHeapUsedSize"),
    };
  };
  const taken = () =>
    page.evaluate(() => (globalThis as unknown as { taken: { count: number } }).taken.count);

  let sent = 0;
  const send = (upTo: number): void => {
    const all: Buffer[] = [];
    for (; sent < upTo; sent++) {
      const peer = 2 + (sent % CONVERSATIONS);
      all.push(message({
        type: "deliver", conversation: `u:1:${peer}`, seq: 1 + Math.floor(sent / CONVERSATIONS),
        message_id: 7_414_093_726_351_360 + sent, from: peer, kind: 1, time: 1767225662456 + sent,
        content: `Message ${sent}: about as long as people write to each other.`,
      }));
    }
    out?.write(Buffer.concat(all));
  };
  const run = async (lasting: number): Promise<void> => {
    const [first, start] = [sent, performance.now()];
    for (let elapsed = 0; elapsed < lasting * 1000; elapsed = performance.now() - start) {
      send(first + Math.floor((elapsed / 1000) * RATE));
      await new Promise((done) => setTimeout(done, BURST_MS));
    }
  };

  await run(2); // The code is compiled, and the caches are warm.
  const [before, already, firstReports] = [await used(), sent, reports];
  await run(SECONDS);
  const after = await used();
  while ((await taken()) < sent) await new Promise((done) => setTimeout(done, 10));
  assert.equal(await taken(), sent);

  const share = (name: "task" | "script" | "all") =>
    `${((100 * (after[name] - before[name])) / (after.at - before.at)).toFixed(1)} %`;
  const perS = Math.round((sent - already) / (after.at - before.at));
  console.log(
    `${perS} deliveries a second in ${spelling} for ${SECONDS} s, with ${TABS} tabs: the thread of the leading page is busy ` +
    `for ${share("task")} of the time, ${share("script")} in scripts; all of Chromium takes ` +
    `${share("all")} of a processor; ${reports - firstReports} reports; ` +
    `heap ${Math.round(after.heap / 2 ** 20)} MiB`,
  );
} finally {
  await browser.close();
  server.close();
}
process.exit(0);
