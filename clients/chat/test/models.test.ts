/** Tests of what the page knows, without a document. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  WsmsgError, type BlockChanged, type Client, type Head, type StoredEvent,
} from "@wsmsg/client";
import type { BlockState, Range } from "@wsmsg/client/requests";

import { Blocks } from "../src/model/blocks.js";
import { Conversation } from "../src/model/conversation.js";
import { Conversations } from "../src/model/conversations.js";
import { OutgoingMessages } from "../src/model/outgoing.js";
import { Thread, WINDOW } from "../src/model/thread.js";
import { failureOf, plainName, sentenceOf } from "../src/model/words.js";
import { addressOf, isEmoji, isVisible, startOf } from "../src/view/text.js";

const NAME = "u:1:2";

const message = (seq: number, more: Partial<Record<string, unknown>> = {}): StoredEvent =>
  ({
    type: "messageReceived", conversation: NAME, seq, messageId: String(1000 + seq),
    sender: "2", timeMs: seq, clientId: "", mine: false, content: `text ${seq}`, kind: 1,
    recalled: false, ...more,
  }) as StoredEvent;

const mine = (seq: number): StoredEvent =>
  message(seq, { sender: "1", mine: true, clientId: `c${seq}` });

const headOf = (head: number, read: number, unread: number): Head =>
  ({
    conversation: NAME, head, read, delivered: read, time: head, others: [], unread,
    message_id: "0",
  });

/** A history of a server, with holes where numbers are not for this user. */
const historyOf = (events: readonly StoredEvent[]) =>
  async (_: string, { after, before = Infinity, limit = 50 }: Range): Promise<StoredEvent[]> => {
    const from = after ?? Math.max(0, before - 1 - limit);
    return events.filter(({ seq }) => seq > from && seq < before).slice(0, limit);
  };

const seqs = (thread: Thread): number[] => thread.events.map(({ seq }) => seq);

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("Conversation", () => {
  it("counts messages of others once, however the list and they arrive", () => {
    const one = new Conversation(NAME, "1");
    one.asked();
    one.arrived(message(8)); // The list has it already.
    one.arrived(message(9)); // The list was read before it.
    one.arrived(mine(10));
    one.applyHead(headOf(8, 5, 3), "1");
    assert.equal(one.unread, 4);
    one.arrived(message(9));
    assert.equal(one.unread, 4);
  });

  it("knows the last message, or that it does not know it", () => {
    const one = new Conversation(NAME, "1");
    const last = () => one.last?.seq;
    one.arrived(message(3)); // Of a backlog that is still on its way.
    one.applyHead(headOf(8, 5, 3), "1");
    assert.equal(last(), undefined);
    one.arrived(message(4));
    assert.equal(last(), undefined);
    one.arrived(message(9));
    assert.equal(last(), 9);
  });

  it("counts no events and no recalled messages", () => {
    const one = new Conversation(NAME, "1");
    one.arrived(message(1, { kind: 1001 }));
    one.arrived(message(2, { recalled: true, content: "" }));
    one.arrived(message(3, { kind: 7 }));
    assert.equal(one.unread, 1);
  });

  it("knows what is unread after a mark in the loaded messages", () => {
    const one = new Conversation(NAME, "1");
    one.applyHead(headOf(10, 4, 5), "1"); // One of 5 to 10 is the user's own.
    const loaded = [message(4), message(5), mine(6), ...numbers(7, 10).map((n) => message(n))];
    assert.ok(one.markedRead(7, loaded));
    assert.equal(one.unread, 3);
    assert.ok(!one.markedRead(8, undefined)); // Only the server can tell.
    assert.ok(one.markedRead(10, undefined));
    assert.equal(one.unread, 0);
  });
});

describe("Conversations", () => {
  it("asks again for the list when a mark of another device cannot be counted", async () => {
    let asked = 0;
    const read = async () => {
      asked += 1;
      return [headOf(10, asked === 1 ? 2 : 6, asked === 1 ? 8 : 4)];
    };
    const all = new Conversations(read, { onChange: () => {}, onFailure: () => {} });
    all.user = "1";
    all.refresh(0);
    await all.listed();
    assert.equal(all.unread, 8);
    all.markedRead(NAME, 6, undefined);
    while (asked < 2) await new Promise((done) => setTimeout(done, 10));
    await new Promise((done) => setTimeout(done, 0));
    assert.equal(all.unread, 4);
  });
});

describe("Blocks", () => {
  const change = (user: string, on: boolean, group = "0"): BlockChanged =>
    ({ type: "blockChanged", user, group, on }) as BlockChanged;

  it("are those of the list, and of changes that came meanwhile", async () => {
    let answer: (all: BlockState[]) => void = () => {};
    const all = new Blocks(() => new Promise((done) => (answer = done)), () => {});
    const read = all.refresh();
    assert.equal(all.isKnown, false);
    all.changed(change("3", false));
    all.changed(change("4", true));
    all.changed(change("0", true, "9"));
    answer(["2", "3"].map((user) => ({ user, group: "0", timeMs: 1 })));
    await read;
    assert.equal(all.isKnown, true);
    assert.deepEqual(["0", "2", "3", "4", "9"].filter((user) => all.has(user)), ["2", "4"]);
  });

  it("stay as they are while they cannot be read", async () => {
    const all = new Blocks(() => Promise.reject(new Error("unsupported")), () => {});
    all.changed(change("2", true));
    await all.refresh();
    assert.equal(all.isKnown, false);
    assert.equal(all.has("2"), true);
  });
});

describe("Thread", () => {
  const opened = async (events: StoredEvent[], head: Head): Promise<Thread> => {
    const conversation = new Conversation(NAME, "1");
    conversation.applyHead(head, "1");
    const thread = new Thread(historyOf(events), conversation, () => {});
    await thread.open();
    return thread;
  };

  it("begins at the first unread message, and grows at both ends without a hole", async () => {
    const all = numbers(1, 500).map((n) => message(n));
    const thread = await opened(all, headOf(500, 200, 300));
    assert.deepEqual([seqs(thread)[0], thread.atStart, thread.atEnd], [181, false, false]);
    while (!thread.atEnd) await thread.newer();
    while (!thread.atStart) await thread.older();
    assert.deepEqual(seqs(thread), numbers(1, 500));
  });

  it("stays bounded, and goes back to the end", async () => {
    const count = WINDOW * 3;
    const all = numbers(1, count).map((n) => message(n));
    const thread = await opened(all, headOf(count, count, 0));
    while (!thread.atStart) await thread.older();
    assert.deepEqual(seqs(thread), numbers(1, WINDOW));
    assert.ok(!thread.atEnd);
    thread.arrived(message(count + 1));
    assert.equal(thread.last, WINDOW);
    await thread.toEnd();
    assert.equal(thread.last, count);
    assert.deepEqual(seqs(thread), numbers(count - seqs(thread).length + 1, count));
  });

  it("finds the start of a group that was joined late, and crosses holes", async () => {
    const all = [...numbers(5000, 5010), ...numbers(9000, 9100)].map((n) => message(n));
    const thread = await opened(all, headOf(9100, 9100, 0));
    for (let i = 0; !thread.atStart; i++) {
      assert.ok(i < 20);
      await thread.older();
    }
    assert.deepEqual(seqs(thread), [...numbers(5000, 5010), ...numbers(9000, 9100)]);
  });

  it("keeps messages that arrive while it loads, each once and in order", async () => {
    const all = numbers(1, 10).map((n) => message(n));
    const conversation = new Conversation(NAME, "1");
    conversation.applyHead(headOf(8, 8, 0), "1");
    const thread = new Thread(historyOf(all), conversation, () => {});
    const opening = thread.open();
    for (const seq of [9, 10]) {
      conversation.arrived(message(seq));
      thread.arrived(message(seq));
    }
    await opening;
    assert.deepEqual(seqs(thread), numbers(1, 10));
  });

  it("shows no content of a recalled message, loaded before or after", async () => {
    const thread = await opened(numbers(1, 80).map((n) => message(n)), headOf(80, 80, 0));
    for (const recalled of [79, 3]) {
      thread.arrived({ ...message(81), type: "messageRecalled", recalled } as StoredEvent);
    }
    while (!thread.atStart) await thread.older();
    const gone = thread.events.filter((event) => event.type === "messageReceived" && event.recalled);
    assert.deepEqual(gone.map(({ seq }) => seq), [3, 79]);
  });

  it("says why messages cannot be loaded", async () => {
    const broken = async () => {
      throw new WsmsgError("forbidden", "you are not in it");
    };
    const thread = new Thread(broken, new Conversation(NAME, "1"), () => {});
    await thread.open();
    assert.equal(thread.failure, "you are not in it");
  });
});

describe("OutgoingMessages", () => {
  const made = (storage: { getItem(key: string): string | null; setItem(key: string, value: string): void }) => {
    const sends: { clientId: string; fail: (error: WsmsgError) => void; done: () => void }[] = [];
    const unkept: string[] = [];
    const state = { type: "connected" };
    const client = {
      state,
      send: ({ clientId }: { clientId: string }) =>
        new Promise((resolve, reject) => {
          const done = () => resolve({ clientId, timeMs: 5, conversation: "" });
          sends.push({ clientId, fail: reject, done });
        }),
    } as unknown as Client;
    const outgoing = new OutgoingMessages(client, "1", storage, {
      onChange: () => {}, onUnkept: (reason) => unkept.push(reason),
    });
    return { outgoing, sends, state, unkept };
  };
  const texts = () => {
    const kept = new Map<string, string>();
    return {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    };
  };
  const turn = () => new Promise((done) => setTimeout(done, 0));

  it("keeps a refused message across a reload, until the person decides", async () => {
    const storage = texts();
    const { outgoing, sends } = made(storage);
    outgoing.send(NAME, { to: "2" }, "hello");
    sends[0]?.fail(new WsmsgError("forbidden", "no"));
    await turn();
    const again = made(storage);
    const [failed] = again.outgoing.of(NAME);
    assert.deepEqual([failed?.content, failed?.state, failed?.code], ["hello", "failed", "forbidden"]);
    again.outgoing.retry(failed?.clientId ?? "", { to: "2" });
    assert.equal(again.sends[0]?.clientId, failed?.clientId); // It is the same message.
    assert.equal(again.outgoing.of(NAME)[0]?.state, "waiting");
    again.sends[0]?.done();
    await turn();
    assert.equal(again.outgoing.of(NAME)[0]?.state, "accepted");
    again.outgoing.stored(failed?.clientId ?? "");
    assert.deepEqual(again.outgoing.of(NAME), []);
  });

  it("keeps what is sent after the end, and leaves the rest to the outbox", async () => {
    const { outgoing, sends, state } = made(texts());
    outgoing.send(NAME, { to: "2" }, "before");
    state.type = "closed";
    outgoing.send(NAME, { to: "2" }, "after");
    for (const { fail } of sends) fail(new WsmsgError("unavailable", "the client is closed"));
    await turn();
    assert.deepEqual(outgoing.of(NAME).map((one) => one.state), ["waiting", "failed"]);
  });

  it("gives a message another id if its id is taken", async () => {
    const { outgoing, sends } = made(texts());
    outgoing.send(NAME, { to: "2" }, "hello");
    sends[0]?.fail(new WsmsgError("conflict", "taken"));
    await turn();
    outgoing.retry(sends[0]?.clientId ?? "", { to: "2" });
    assert.notEqual(sends[1]?.clientId, sends[0]?.clientId);
    assert.equal(outgoing.of(NAME).length, 1);
  });

  it("says when the storage is full", async () => {
    const { outgoing, sends, unkept } = made({
      getItem: () => "not JSON",
      setItem: () => {
        throw new Error("the quota is exceeded");
      },
    });
    outgoing.send(NAME, { to: "2" }, "hello");
    sends[0]?.fail(new WsmsgError("forbidden", "no"));
    await turn();
    assert.deepEqual(unkept, ["the quota is exceeded"]);
  });
});

describe("words", () => {
  it("names what this version does not know", () => {
    const event = message(1, { kind: 4711, content: "?" });
    assert.match(sentenceOf(event, String), /cannot show \(kind 4711\)/);
    assert.match(failureOf("a_new_code", "why"), /why \(a_new_code\)/);
  });

  it("says who joined, left, and was added", () => {
    const change = (added: string[], removed: string[]) =>
      sentenceOf({ ...message(1), type: "groupChanged", added, removed, created: false } as never, String);
    assert.equal(change(["2"], []), "2 joined the group");
    assert.equal(change([], ["2"]), "2 left the group");
    assert.equal(change(["3", "4"], ["5"]), "2 added 3 and 4 and removed 5");
  });

  it("lets no name reorder or hide the text around it", () => {
    assert.equal(plainName("a\u202eb\u2066c\u200b\n"), "a\ufffdb\ufffdc\ufffd\ufffd");
    assert.equal(plainName("  "), "(no name)");
  });
});

describe("texts", () => {
  it("follows http and https alone", () => {
    for (const wrong of ["javascript:alert(1)", "data:text/html,x", "http://", "ftp://a.example"]) {
      assert.equal(addressOf(wrong), "", wrong);
    }
    assert.equal(addressOf("HTTPS://Example.org/a"), "https://example.org/a");
  });

  it("knows what can be seen", () => {
    for (const empty of ["", " \n", "\u200b\u2060", "\u2800", "\u3164"]) assert.ok(!isVisible(empty));
    assert.ok(isVisible("a") && isVisible("👋") && isVisible("ש"));
    assert.ok(isEmoji("👋🏽") && isEmoji("👩‍👩‍👧") && !isEmoji("ok 👋") && !isEmoji("7"));
  });

  it("cuts between characters", () => {
    assert.equal(startOf("a👋b", 2), "a");
    assert.equal(startOf("a👋b", 3), "a👋");
  });
});
