/**
 * The client in Chromium: tabs of one person, another person, reloads and outages.  One of
 * them speaks JSON, the other one protobuf.
 *
 *     node browser.js URL NAME=TOKEN...
 *
 * What it wants of the daemons it asks for as a line of output, such as `kill connect`, and
 * waits for a line of input.  The exit status is 0 if all is well.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { chromium, type BrowserContext, type Page } from "playwright-core";

const [, , url = "", port = "0", ...people] = process.argv;
const tokens = new Map(people.map((one) => one.split("=", 2) as [string, string]));
const [anna = "", ben = "", carl = ""] = [...tokens.keys()];
const LIMIT_MS = 30_000;

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const server = createServer((request, response) => {
  const path = request.url ?? "/";
  if (!/^\/[\w/-]+\.js$/.test(path)) {
    response.setHeader("Content-Type", "text/html").end("<!doctype html><title>t</title>");
    return;
  }
  response.setHeader("Content-Type", "text/javascript");
  readFile(`${dist}${path}`).then((text) => response.end(text), () => response.destroy());
});
await new Promise<void>((done) => server.listen(Number(port), "127.0.0.1", done));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (wish: string): Promise<void> => {
  console.log(wish);
  await lines.next();
};

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

// What each page has: its client, and what that told.
const begin = async (page: Page, user: string): Promise<void> => {
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.evaluate(
    async ([url, token, user, spelling]) => {
      const [path, home, codec] = ["/index.js", "/browser.js", "/protobuf/index.js"];
      const { Client } = (await import(path)) as typeof import("../src/index.js");
      const { inBrowser } = (await import(home)) as typeof import("../src/browser.js");
      const { protobuf } = (await import(codec)) as typeof import("../src/protobuf/index.js");
      const client = new Client(url ?? "", () => token ?? "", {
        ...inBrowser(user), reconnect: { capS: 0.5 },
        ...(spelling === "protobuf" && { codec: protobuf }),
      });
      const events: unknown[] = [];
      Object.assign(globalThis, { client, events });
      void (async () => {
        for await (const event of client) events.push(event);
      })();
      client.start();
    },
    [url, tokens.get(user), user, user === ben ? "protobuf" : "json"],
  );
};

const open = async (context: BrowserContext, user: string): Promise<Page> => {
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error("page:", error));
  await begin(page, user);
  return page;
};

interface Told {
  readonly type: string;
  readonly content?: string;
  readonly sender?: string;
}

const events = (page: Page): Promise<Told[]> =>
  page.evaluate(() => (globalThis as unknown as { events: Told[] }).events);

const contents = async (page: Page, sender: string): Promise<string[]> =>
  (await events(page)).flatMap((event) =>
    event.type === "messageReceived" && event.sender === sender ? [event.content ?? ""] : [],
  );

const call = (page: Page, method: string, ...all: unknown[]): Promise<unknown> =>
  page.evaluate(
    ([method, all]) => {
      const { client } = globalThis as unknown as {
        client: Record<string, (...all: readonly unknown[]) => unknown>;
      };
      return client[method as string]?.(...(all as unknown[]));
    },
    [method, all] as const,
  );

const leads = (page: Page): Promise<boolean> =>
  page.evaluate(() => (globalThis as unknown as { client: { leads: boolean } }).client.leads);

const until = async (what: string, reached: () => Promise<boolean>): Promise<void> => {
  const limit = Date.now() + LIMIT_MS;
  while (!(await reached())) {
    if (Date.now() > limit) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
};

const have = (page: Page, sender: string, wanted: readonly string[]) =>
  until(`${wanted.length} messages`, async () => {
    const found = await contents(page, sender);
    assert.deepEqual(found, wanted.slice(0, found.length));
    return found.length === wanted.length;
  });

const said = (n: number, from = 0): string[] =>
  Array.from({ length: n }, (_, i) => `text ${from + i}`);

const sendAll = async (page: Page, to: string, all: readonly string[]): Promise<void> => {
  await Promise.all(all.map((content) => call(page, "send", { to, content })));
};

try {
  // Five tabs are one device.
  const context = await browser.newContext();
  const other = await browser.newContext();
  const tabs: Page[] = [];
  for (let i = 0; i < 5; i++) tabs.push(await open(context, anna));
  const page = await open(other, ben);
  for (const tab of [...tabs, page]) await call(tab, "connect");
  assert.equal((await Promise.all(tabs.map(leads))).filter(Boolean).length, 1);
  await sendAll(page, anna, said(20));
  for (const tab of tabs) await have(tab, ben, said(20));
  for (const [i, tab] of tabs.entries()) await call(tab, "send", { to: ben, content: `tab ${i}` });
  await have(page, anna, tabs.map((_, i) => `tab ${i}`));
  for (const tab of tabs) {
    assert.ok(!(await events(tab)).some((event) => event.type === "memoryOnly"));
  }

  // The leader is closed, and the others go on, with nothing twice.
  const [leader] = await Promise.all(tabs.map(async (tab) => ((await leads(tab)) ? [tab] : [])))
    .then((found) => found.flat());
  const rest = tabs.filter((tab) => tab !== leader);
  await leader?.close();
  await sendAll(page, anna, said(10, 20));
  for (const tab of rest) await have(tab, ben, said(30));

  // A reload with unsent messages, while there is no server.
  await ask("kill connect");
  const [first] = rest;
  assert.ok(first);
  for (const tab of rest.slice(1)) await tab.close();
  await until("it leads", () => leads(first));
  await first.evaluate(async (to) => {
    const { client } = globalThis as unknown as {
      client: { send: (message: unknown) => Promise<unknown> };
    };
    for (const content of ["one", "two", "three"]) client.send({ to, content }).catch(() => {});
    // A reload aborts what the browser has not stored yet.
    const done = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const [found] = await indexedDB.databases();
    const database = await done(indexedDB.open(found?.name ?? ""));
    const unsent = () => database.transaction("unsent").objectStore("unsent").count();
    while ((await done(unsent())) < 3);
    database.close();
  }, ben);
  await begin(first, anna); // This loads the page anew.
  await ask("start connect");
  await have(page, anna, [...tabs.map((_, i) => `tab ${i}`), "one", "two", "three"]);
  await until("all three are told", async () =>
    (await events(first)).filter((event) => event.type === "sendSettled").length === 3);
  assert.deepEqual(await contents(first, ben), []); // They were processed before.

  // Message is killed while both talk.
  await ask("kill message");
  const sends = Promise.all([sendAll(first, ben, said(5)), sendAll(page, anna, said(5, 50))]);
  await ask("start message");
  await sends;
  await have(first, ben, said(5, 50));
  const all = [...tabs.map((_, i) => `tab ${i}`), "one", "two", "three", ...said(5)];
  await until("all", async () => (await contents(page, anna)).length === all.length);
  assert.deepEqual(await contents(page, anna), all);

  // A browser that denies IndexedDB.
  const denying = await browser.newContext();
  await denying.addInitScript(() => {
    Object.defineProperty(globalThis, "indexedDB", {
      get: () => {
        throw new DOMException("denied", "SecurityError");
      },
    });
  });
  const denied = await open(denying, carl);
  await call(denied, "send", { to: ben, content: "from memory" });
  await have(page, carl, ["from memory"]);
  assert.ok((await events(denied)).some((event) => event.type === "memoryOnly"));

  // 2,000 messages, read in one go.
  const began = Date.now();
  const many = said(2000);
  await sendAll(page, carl, many);
  await have(denied, ben, many);
  console.log(`2000 messages in ${Date.now() - began} ms`);
} finally {
  await browser.close();
  server.close();
}
console.log("all is well");
process.exit(0);
