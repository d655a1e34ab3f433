/** The client with a server in memory, a stand-in of IndexedDB, and several tabs. */

import assert from "node:assert/strict";
import { afterEach, describe, mock, test } from "node:test";

import { IDBFactory } from "fake-indexeddb";

import { Client, WsmsgError, type ClientOptions, type Event } from "@wsmsg/client";
import { inBrowser, type Locks } from "@wsmsg/client/browser";
import { history } from "@wsmsg/client/requests";
import { IndexedDBStorage } from "../src/indexeddb.js";
import type { Kept, Storage } from "../src/storage.js";
import { FakeLocks, Server, until } from "./doubles.js";

const URL = "ws://server.example/ws";

const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

interface Options extends ClientOptions {
  readonly name?: string;
  readonly locks?: Locks;
}

const begin = (
  server: Server, { name, locks, storage = false, ...options }: Options = {},
): { client: Client; events: Event[] } => {
  const client = new Client(URL, () => "token", {
    WebSocket: server.WebSocket,
    reconnect: { firstS: 0.01, capS: 0.01 },
    ...(locks ? inBrowser(name, { locks, storage }) : { storage }),
    ...options,
  });
  clients.push(client);
  const events: Event[] = [];
  void (async () => {
    for await (const event of client) events.push(event);
  })();
  client.start();
  return { client, events };
};

const contents = (events: readonly Event[]): string[] =>
  events.flatMap((event) => (event.type === "messageReceived" ? [event.content] : []));

describe("a client", () => {
  test("sends its token in hello, and settles a send when it is accepted", async () => {
    const server = new Server();
    const { client, events } = begin(server, { device: "d" });
    const accepted = await client.send({ to: "2", content: "hi", clientId: "a" });
    assert.deepEqual(accepted, { clientId: "a", timeMs: 5, conversation: "" });
    const [hello] = server.of("hello");
    assert.equal(hello?.["token"], "token");
    assert.equal(hello?.["device"], "d");
    assert.equal(events[0]?.type, "connected");
    assert.equal(client.user, "1");
  });

  test("tells errors of the table, and refuses what cannot be sent", async () => {
    const server = new Server();
    server.accepts = false;
    const { client } = begin(server);
    const send = client.send({ to: 2n, content: "hi", clientId: "a" });
    await until("it is sent", () => server.of("send").length);
    server.say({ type: "rejected", client_id: "a", code: "forbidden", reason: "no" });
    await assert.rejects(send, (e: WsmsgError) => e.code === "forbidden" && e.reason === "no");
    // @ts-expect-error: a number may have been rounded, so the types refuse it, too.
    await assert.rejects(client.send({ to: 2, content: "x" }), TypeError);
    // @ts-expect-error: the same for lists of users.
    assert.throws(() => client.watch([2]), TypeError);
    await assert.rejects(client.send({ content: "x" }), { code: "bad_request" });
    await assert.rejects(client.send({ to: "2", content: "\ud800" }), { code: "bad_request" });
    await assert.rejects(client.send({ to: "2", content: "x".repeat(1001) }), { code: "too_large" });
  });

  test("another message under a pending id fails, and the first one goes on", async () => {
    const server = new Server();
    server.accepts = false;
    const { client } = begin(server);
    const first = client.send({ to: "2", content: "one", clientId: "a" });
    await assert.rejects(client.send({ to: "2", content: "two", clientId: "a" }), { code: "conflict" });
    await until("it is sent", () => server.of("send").length);
    server.say({ type: "accepted", client_id: "a", time: 7 });
    assert.equal((await first).timeMs, 7);
  });

  test("goes on after a lost connection, and repeats what had no answer", async () => {
    const server = new Server();
    server.accepts = false;
    const { client, events } = begin(server);
    const send = client.send({ to: "2", content: "hi", clientId: "a" });
    await until("it is sent", () => server.of("send").length === 1);
    server.accepts = true;
    server.sockets[0]?.close(1006);
    await send;
    assert.deepEqual(server.of("send").map((f) => f["repeat"] ?? false), [false, true]);
    assert.ok(events.some((e) => e.type === "reconnecting"));
  });

  test("replies in the conversation of an event", async () => {
    const server = new Server();
    const { client, events } = begin(server);
    await client.connect();
    for (const conversation of ["u:1:2", "g:7", "u:1:1"]) {
      server.say({
        type: "deliver", conversation, seq: 1, message_id: 5, from: 2, content: "?", kind: 1, time: 1,
      });
    }
    await until("all", () => contents(events).length === 3);
    for (const event of events) {
      if (event.type === "messageReceived") await client.reply(event, "yes");
    }
    const sends = server.of("send").map(({ to, group }) => [to, group]);
    assert.deepEqual(sends, [["2", "0"], ["0", "7"], ["1", "0"]]);
  });

  test("renews a token that expires", async () => {
    const server = new Server();
    const { client } = begin(server);
    await client.connect();
    server.say({ type: "expiring", expires: 1 });
    await until("it is renewed", () => server.of("refresh").length);
    assert.equal(server.of("refresh")[0]?.["token"], "token");
  });

  test("ignores what it does not know, and nonsense", async () => {
    const server = new Server();
    const { client, events } = begin(server);
    await client.connect();
    server.say({ type: "invented", a: 1 });
    server.say({ type: "deliver" });
    server.say({ type: "accepted", client_id: 7 });
    server.deliver("u:1:2", "after", { later: true });
    await until("the message", () => contents(events).length);
    assert.equal(server.sockets.length, 1);
  });

  test("ends when the server refuses it, and so do its calls", async () => {
    const server = new Server();
    server.welcomes = false;
    const { client, events } = begin(server);
    const send = client.send({ to: "2", content: "x" });
    const failed = assert.rejects(send, { code: "replaced" });
    await until("hello", () => server.of("hello").length);
    server.sockets[0]?.close(4503, "newer");
    await failed;
    await until("closed", () => events.some((e) => e.type === "closed"));
    await assert.rejects(client.send({ to: "2", content: "x" }), { code: "replaced" });
    await assert.rejects(client.connect(), { code: "replaced" });
  });

  test("leaves a server of another user's saved state alone", async () => {
    const server = new Server();
    const factory = new IDBFactory();
    const storage = () => new IndexedDBStorage("s", factory);
    const first = begin(server, { storage: storage() });
    await first.client.connect();
    await first.client.close();
    server.user = "9";
    const second = begin(server, { storage: storage() });
    await assert.rejects(second.client.connect(), { code: "forbidden" });
  });
});

describe("a server that is broken", () => {
  test("and sends no welcome is left, and tried again", async () => {
    const server = new Server();
    server.welcomes = false;
    const { events } = begin(server);
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      for (let n = 0; !server.of("hello").length && n < 100; n++) await new Promise(setImmediate);
      mock.timers.tick(14_999);
      await new Promise(setImmediate);
      assert.equal(events.length, 0);
      mock.timers.tick(1);
      for (let n = 0; !events.length && n < 100; n++) await new Promise(setImmediate);
    } finally {
      mock.timers.reset();
    }
    const [event] = events;
    assert.ok(event?.type === "reconnecting" && event.reason === "no welcome for 15 s");
  });

  test("and falls silent is pinged, and left", async () => {
    const server = new Server();
    const { client, events } = begin(server, { heartbeatS: 0.02 });
    await client.connect();
    await until("it is left", () => events.some((e) => e.type === "reconnecting"));
    assert.ok(server.of("ping").length);
    const left = events.find((e) => e.type === "reconnecting");
    assert.equal(left?.reason, "the server is silent");
  });

  test("and speaks another protocol is not used", async () => {
    const server = new Server();
    const { events } = begin(server, {
      WebSocket: class extends server.WebSocket {
        override readonly protocol = "other" as "wsmsg.v1.json";
      },
    });
    await until("it is left", () => events.length);
    assert.equal(server.frames.length, 0);
  });

  test("and answers nonsense is left, with the reason, and tried again", async () => {
    const server = new Server();
    server.welcomes = false;
    const { client, events } = begin(server);
    await until("hello", () => server.of("hello").length);
    server.sockets[0]?.sayText("<html>Sign in to the hotel's network</html>");
    await until("it is left", () => events.length);
    const [first] = events;
    assert.ok(first?.type === "reconnecting" && /no frames: .*JSON/.test(first.reason));

    server.welcomes = true;
    server.sockets.at(-1)?.close(1006);
    await client.connect();
    for (let n = 0; n < 9; n++) server.sockets.at(-1)?.sayText("nonsense");
    server.say({ type: "pong" });
    for (let n = 0; n < 9; n++) server.sockets.at(-1)?.sayText("nonsense");
    server.deliver("u:1:2", "still here");
    await until("the message", () => contents(events).length);
    for (let n = 0; n < 10; n++) server.sockets.at(-1)?.sayText("nonsense");
    await until("it is left", () => events.at(-1)?.type === "reconnecting");
    const last = events.at(-1);
    assert.ok(last?.type === "reconnecting" && /no frames/.test(last.reason));
    await client.connect();
  });

  test("and gives a rounded id is not believed", async () => {
    const server = new Server();
    const { client, events } = begin(server);
    await client.connect();
    const message =
      '{"type":"deliver","conversation":"u:1:2","seq":1,"message_id":ID,"from":2,' +
      '"content":"x","kind":1,"time":1}';
    for (const id of ["9007199254740993", "9007199254740994", "1e300", "1.5"]) {
      server.sockets[0]?.sayText(message.replace("ID", id));
    }
    server.sockets[0]?.sayText(message.replace("ID", '"9007199254740993"'));
    await until("the message", () => contents(events).length);
    const found = events.find((event) => event.type === "messageReceived");
    assert.equal(found?.messageId, "9007199254740993");
  });

  test("and closes after an error is believed", async () => {
    const server = new Server();
    server.welcomes = false;
    const { client, events } = begin(server);
    await until("hello", () => server.of("hello").length);
    server.say({ type: "error", code: "kicked", reason: "out" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    server.sockets[0]?.close(1006);
    await until("closed", () => events.some((e) => e.type === "closed"));
    assert.ok(client.state.type === "closed" && client.state.error?.code === "kicked");
  });
});

describe("a wrong clock", () => {
  test("changes nothing", async () => {
    for (const now of [0, Date.UTC(2100, 0)]) {
      mock.timers.enable({ apis: ["Date"], now });
      try {
        const server = new Server();
        const { client, events } = begin(server);
        await client.send({ to: "2", content: "hi" });
        server.deliver("u:1:2", "hello");
        await until("the message", () => contents(events).length);
        server.say({ type: "pong", checked_ms: 2000 });
        await until("it is checked", () => client.checkedS !== undefined);
        assert.ok((client.checkedS ?? 0) >= 2 && (client.checkedS ?? 9) < 8);
      } finally {
        mock.timers.reset();
      }
    }
  });
});

describe("names of users", () => {
  test("stand for numbers, in all tabs", async () => {
    const server = new Server();
    const options = { locks: new FakeLocks(), name: "named" };
    const [first, second] = [begin(server, options), begin(server, options)];
    await Promise.all([first, second].map(({ client }) => client.connect()));
    server.deliver("u:1:2", "hello", { names: { "2": "anna@example.org" } });
    await until("both have it", () => contents(second.events).length);
    for (const { client } of [first, second]) {
      assert.equal(client.nameOf("2"), "anna@example.org");
      assert.equal(client.nameOf(3n), "3");
      await client.send({ to: "anna@example.org", content: "x", traceparent: "00-1-2-01" });
    }
    const sends = server.of("send").map(({ to, to_name, traceparent }) => ({ to, to_name, traceparent }));
    const sent = { to: "0", to_name: "anna@example.org", traceparent: "00-1-2-01" };
    assert.deepEqual(sends, Array(2).fill(sent));
    second.client.watch(["anna@example.org", "3"]);
    await until("it is watched", () => server.of("watch").length);
    const [watch] = server.of("watch");
    assert.deepEqual([watch?.["users"], watch?.["names"]], [["3"], ["anna@example.org"]]);
    const third = begin(server, options);
    await third.client.connect();
    assert.equal(third.client.nameOf("2"), "anna@example.org");
    await assert.rejects(first.client.send({ to: "1.", content: "\ud800" }), { code: "bad_request" });
    await assert.rejects(first.client.send({ to: "007", content: "x" }), { code: "bad_request" });
  });
});

describe("a stored state", () => {
  test("has a message before it leaves", async () => {
    const server = new Server();
    server.accepts = false;
    const factory = new IDBFactory();
    const { client } = begin(server, { storage: new IndexedDBStorage("s", factory) });
    void client.send({ to: "2", content: "hi", clientId: "a" }).catch(() => {});
    await until("it is sent", () => server.of("send").length);
    const kept = await new IndexedDBStorage("s", factory).load();
    assert.deepEqual(kept.unsent.map((f) => f.client_id), ["a"]);
  });

  test("survives a reload: unsent messages in their order, and positions", async () => {
    const server = new Server();
    const factory = new IDBFactory();
    server.welcomes = false;
    const first = begin(server, { storage: new IndexedDBStorage("s", factory) });
    for (const name of ["a", "b", "c"]) {
      void first.client.send({ to: "2", content: name, clientId: name }).catch(() => {});
    }
    await until("it is stored", async () =>
      (await new IndexedDBStorage("s", factory).load()).unsent.length === 3);
    await first.client.close();
    server.welcomes = true;
    const second = begin(server, { storage: new IndexedDBStorage("s", factory) });
    await until("all are told", () =>
      second.events.filter((e) => e.type === "sendSettled" && e.accepted).length === 3);
    assert.deepEqual(server.of("send").map((f) => [f["client_id"], f["repeat"]]), [
      ["a", true], ["b", true], ["c", true],
    ]);
    server.deliver("u:1:2", "one");
    server.deliver("u:1:2", "two");
    await until("two messages", () => contents(second.events).length === 2);
    await until("a report", () => server.of("delivered").some((f) => f["seq"] === 2));
    const kept = await new IndexedDBStorage("s", factory).load();
    assert.equal(kept.positions.get("u:1:2")?.seq, 2);
    await second.client.close();
    const device = server.of("hello").map((f) => f["device"]);
    const third = begin(server, { storage: new IndexedDBStorage("s", factory) });
    server.deliver("u:1:2", "three");
    await until("one message", () => contents(third.events).length);
    assert.deepEqual(contents(third.events), ["three"]);
    assert.equal(new Set([...device, ...server.of("hello").map((f) => f["device"])]).size, 1);
    assert.equal(server.of("hello").at(-1)?.["position"], "p");
  });

  test("keeps the order of messages that return to the front", async () => {
    const factory = new IDBFactory();
    const storage = new IndexedDBStorage("s", factory);
    const kept = await storage.load();
    const frame = (name: string) =>
      ({ type: "send", client_id: name, to: "2", group: "0", content: "", kind: 1 }) as const;
    const [a, b, c] = [frame("a"), frame("b"), frame("c")];
    const order = async (...unsent: Kept["unsent"]) => {
      await storage.save({ ...kept, unsent });
      const found = await new IndexedDBStorage("s", factory).load();
      return found.unsent.map((f) => f.client_id).join("");
    };
    assert.equal(await order(b), "b");
    assert.equal(await order(a, b), "ab");
    assert.equal(await order(a, b, c), "abc");
    assert.equal(await order(c, a), "ca");
    assert.equal(await order(), "");
  });

  test("that is denied is said, and the client works on", async () => {
    const server = new Server();
    const denied: Storage = {
      load: () => Promise.reject(new Error("denied")),
      save: () => Promise.reject(new Error("denied")),
      close: () => {},
    };
    const { client, events } = begin(server, { storage: denied });
    await client.send({ to: "2", content: "hi" });
    assert.deepEqual(events.filter((e) => e.type === "memoryOnly"), [
      { type: "memoryOnly", reason: "denied" },
    ]);
  });

  test("that is missing is said, with the reason", async () => {
    const said = async (options: ClientOptions) => {
      const server = new Server();
      const client = new Client(URL, "token", { WebSocket: server.WebSocket, ...options });
      clients.push(client);
      await client.connect();
      const found: string[] = [];
      for await (const event of client) {
        if (event.type === "memoryOnly") found.push(event.reason);
        if (event.type === "connected") break;
      }
      return found;
    };
    assert.deepEqual(await said({ storage: false }), []);
    assert.deepEqual(await said({}), ["no storage was given"]);
    assert.deepEqual(await said(inBrowser()), ["there is no IndexedDB here"]);
    Object.assign(globalThis, { indexedDB: new IDBFactory() });
    try {
      assert.deepEqual(await said(inBrowser()), ["there are no Web Locks here"]);
      assert.deepEqual(await said(inBrowser("x", { locks: new FakeLocks() })), []);
    } finally {
      Reflect.deleteProperty(globalThis, "indexedDB");
    }
  });

  test("that is full is said once, and the client works on", async () => {
    const server = new Server();
    const storage = new IndexedDBStorage("s", new IDBFactory());
    storage.save = () => Promise.reject(new Error("quota"));
    const { client, events } = begin(server, { storage });
    await client.send({ to: "2", content: "one" });
    await client.send({ to: "2", content: "two" });
    assert.equal(events.filter((e) => e.type === "memoryOnly").length, 1);
  });
});

describe("two versions of the package", () => {
  test("a database of a later one is left as it is, and the client works in memory", async () => {
    const server = new Server();
    const factory = new IDBFactory();
    const later = factory.open("s", 99);
    await new Promise((resolve) => (later.onsuccess = resolve));
    const { client, events } = begin(server, { storage: new IndexedDBStorage("s", factory) });
    await client.send({ to: "2", content: "hi" });
    assert.ok(events.some((event) => event.type === "memoryOnly"));
    assert.equal(later.result.version, 99);
  });

  test("a later one gets the database of a client that runs, which works on", async () => {
    const server = new Server();
    const factory = new IDBFactory();
    const { client, events } = begin(server, { storage: new IndexedDBStorage("s", factory) });
    await client.send({ to: "2", content: "hi" });
    const later = factory.open("s", 99);
    await new Promise((resolve) => (later.onsuccess = resolve));
    await client.send({ to: "2", content: "hi again" });
    await until("it is said", () => events.some((event) => event.type === "memoryOnly"));
  });

  test("a leader tells a tab of another one its own", async () => {
    const server = new Server();
    const name = "tabs-versions";
    const { client } = begin(server, { locks: new FakeLocks(), name });
    await client.connect();
    const other = new BroadcastChannel(`wsmsg ${name}`);
    const heard: unknown[] = [];
    other.onmessage = ({ data }: { data: { v: number } }) => heard.push(data.v);
    other.postMessage({ v: 99, word: { to: "leader", hello: "x" } });
    await until("it is told", () => heard.length);
    other.close();
    assert.deepEqual([...new Set(heard)], [3]);
  });
});

describe("several tabs", () => {
  test("are one device: one has the connection, all get events and send", async () => {
    const server = new Server();
    const locks = new FakeLocks();
    const name = "tabs-1";
    const first = begin(server, { locks, name });
    const tabs = [first, begin(server, { locks, name }), begin(server, { locks, name })];
    await Promise.all(tabs.map(({ client }) => client.connect()));
    assert.equal(server.sockets.length, 1);
    assert.equal(tabs.filter(({ client }) => client.leads).length, 1);
    await Promise.all(tabs.map(({ client }, i) => client.send({ to: "2", content: `${i}` })));
    server.deliver("u:1:2", "hello");
    for (const { events } of tabs) await until("it", () => contents(events).length === 1);
    for (const { client } of tabs) {
      assert.equal((await history(client, "u:1:2", { after: 0 })).length, 1);
      const long = client.send({ to: "2", content: "x".repeat(1001) });
      await assert.rejects(long, { code: "too_large" });
    }
  });

  test("the next one leads when the leader is closed, and nothing comes twice", async () => {
    const server = new Server();
    const locks = new FakeLocks();
    const factory = new IDBFactory();
    const options = () => ({
      locks, name: "tabs-2", storage: new IndexedDBStorage("s", factory),
    });
    const first = begin(server, options());
    await first.client.connect();
    const second = begin(server, options());
    await second.client.connect();
    server.deliver("u:1:2", "one");
    await until("one", () => contents(second.events).length === 1);
    server.accepts = false;
    const send = second.client.send({ to: "2", content: "mine", clientId: "m" });
    await until("it is sent", () => server.of("send").length === 1);
    await first.client.close();
    await until("the second leads", () => server.of("send").length === 2);
    assert.ok(second.client.leads);
    assert.equal(server.of("send")[1]?.["repeat"], true);
    server.say({ type: "accepted", client_id: "m", time: 9 });
    assert.equal((await send).timeMs, 9);
    server.deliver("u:1:2", "two");
    await until("two", () => contents(second.events).includes("two"));
    assert.deepEqual(contents(second.events), ["one", "two"]);
  });

  test("that take no events stay bounded, and say what they missed", async () => {
    const server = new Server();
    const locks = new FakeLocks();
    const name = "tabs-3";
    const first = begin(server, { locks, name });
    await first.client.connect();
    const idle = new Client(URL, "token", {
      ...inBrowser(name, { locks, storage: false }),
      WebSocket: server.WebSocket, queuedMessages: 2,
    });
    clients.push(idle);
    await idle.connect();
    for (const content of ["1", "2", "3", "4"]) server.deliver("u:1:2", content);
    await until("all", () => contents(first.events).length === 4);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const found: Event[] = [];
    for await (const event of idle) {
      found.push(event);
      if (event.type === "messagesMissed") break;
    }
    assert.deepEqual(contents(found), ["1", "2"]);
    const missed = found.at(-1);
    assert.ok(missed?.type === "messagesMissed" && missed.after === 2);
  });

  test("wait for a leader of another version of the package", async () => {
    const server = new Server();
    const name = "tabs-4";
    const held = { request: () => new Promise<never>(() => {}) };
    const { events } = begin(server, { locks: held, name });
    const other = new BroadcastChannel(`wsmsg ${name}`);
    other.postMessage({ v: 99, word: {} });
    await until("it is told", () => events.length);
    other.close();
    const [event] = events;
    assert.ok(event?.type === "reconnecting" && /another version/.test(event.reason));
    assert.equal(server.sockets.length, 0);
  });

  test("end together when the server refuses them, and a new one may lead", async () => {
    const server = new Server();
    const options = { locks: new FakeLocks(), name: "tabs-5" };
    const tabs = [begin(server, options), begin(server, options)];
    await Promise.all(tabs.map(({ client }) => client.connect()));
    server.accepts = false;
    const sends = tabs.map(({ client }) =>
      assert.rejects(client.send({ to: "2", content: "x" }), { code: "kicked" }));
    await until("both are sent", () => server.of("send").length === 2);
    server.sockets[0]?.close(4505);
    await Promise.all(sends);
    for (const { events } of tabs) {
      await until("closed", () => events.at(-1)?.type === "closed");
    }
    const fresh = begin(server, options);
    await fresh.client.connect();
    assert.ok(fresh.client.leads);
    assert.equal(server.sockets.length, 2);
  });
});
