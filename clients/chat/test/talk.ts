/**
 * People who chat through the page: marks, groups, tabs, outages, hostile messages.
 *
 *     node talk.js URL SHOTS USER=TOKEN...
 *
 * What it wants of the daemons it asks for as a line of output, such as `kill connect`, and
 * waits for a line of input.  The exit status is 0 if all is well.
 */

import assert from "node:assert/strict";

import type { BrowserContext, Page } from "playwright-core";

import { ask, choose, marked, Pages, sees, textsOf, unread, until, write } from "./browser.js";

const [, , url = "", shots = "", ...people] = process.argv;
const tokens = new Map(people.map((one) => one.split("=", 2) as [string, string]));
const [anna = "", ben = "", carl = ""] = [...tokens.keys()];
const token = (user: string): string => tokens.get(user) ?? "";
const both = `u:${anna}:${ben}`;

const pages = await Pages.begin(url, shots);

/** Waits until the page shows its list, and returns after how many milliseconds. */
const listed = async (page: Page): Promise<number> => {
  await page.waitForSelector(".entry, #no-conversations:not([hidden])");
  return page.evaluate(() => performance.now());
};

const startChat = async (page: Page, user: string): Promise<void> => {
  await page.click("#start-chat");
  await page.fill("#chat-user", user);
  await page.press("#chat-user", "Enter");
  await page.waitForSelector("#chat:not([hidden])");
};

const focused = (page: Page, is: boolean): Promise<void> =>
  page.evaluate((is) => {
    document.hasFocus = () => is;
    dispatchEvent(new Event(is ? "focus" : "blur"));
  }, is);

const signIn = async (): Promise<void> => {
  const context = await pages.browser();
  const page = await pages.open(context, "");
  await page.waitForSelector("#sign-in:not([hidden])");
  await pages.usable(page, "the form for a token");
  await pages.shot(page, "chat-sign-in");
  await page.fill("#token", "not a token");
  await page.click("#token-form button");
  assert.match(await page.innerText("#token-problem"), /not a token/);
  await page.fill("#token", token(carl));
  await page.click("#token-form button");
  await listed(page);
  await page.reload(); // The tab keeps its token.
  await listed(page);
  await page.close();
};

/** A browser that stores nothing, and says so on the page. */
const denied = async (): Promise<void> => {
  const context = await pages.browser();
  await context.addInitScript(() => {
    for (const name of ["indexedDB", "localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, name, {
        get: () => {
          throw new DOMException("denied by the test", "SecurityError");
        },
      });
    }
  });
  const page = await pages.open(context, token(carl));
  await listed(page);
  await page.waitForSelector(".notice:has-text('does not keep your messages')");
  await page.waitForSelector(".notice:has-text('forgets its token')");
  await pages.shot(page, "chat-no-storage");
  await page.close();
};

/** A server that opens the connection and then says nothing, and one that talks nonsense. */
const silence = async (): Promise<void> => {
  const context = await pages.browser();
  const page = await context.newPage();
  let mode: "silent" | "nonsense" | "real" = "silent";
  await page.routeWebSocket(/connect\/ws/, (socket) => {
    if (mode === "real") socket.connectToServer();
    else if (mode === "nonsense") socket.send("<html>not a frame</html>");
  });
  await page.clock.install();
  await page.goto(`${url}/chat#token=${token(carl)}`);
  await page.waitForFunction(() => document.getElementById("main")?.hidden === false);
  await page.clock.runFor(1000);
  assert.equal(await page.innerText("#connection"), "Connecting…");
  await page.clock.runFor(16_000);
  assert.match(await page.innerText("#connection"), /No connection: no welcome for 15 s/);
  mode = "nonsense";
  await page.click("#connection button");
  await page.waitForFunction(() =>
    /not JSON|Unexpected token/.test(document.getElementById("connection")?.textContent ?? ""));
  mode = "real";
  await page.click("#connection button");
  await page.clock.runFor(1000);
  await listed(page);
  await page.close();
};

const marks = async (one: Page, other: Page): Promise<void> => {
  await startChat(other, anna);
  await write(other, "Good morning, Anna 👋");
  await until("a badge", async () => (await unread(one, both)) === "1");
  assert.equal(await one.title(), "(10) Chat"); // With nine messages of Carl.
  await marked(other, "Delivered");
  await focused(one, false);
  await choose(one, both);
  await sees(one, ["Good morning, Anna 👋"]);
  assert.equal(await unread(one, both), "1"); // Nobody looks at the page.
  await focused(one, true);
  await marked(other, "Read");
  await until("no badge", async () => (await unread(one, both)) === "");
  assert.equal(await one.title(), "(9) Chat");
  await until("online", async () => (await one.innerText("#chat-state")) === "online");
  await other.locator("#text").pressSequentially("Are you");
  await until("typing", async () => (await one.innerText("#typing")) === `${ben} is typing…`);
  await one.fill("#text", "Yes, up");
  await one.press("#text", "Shift+Enter");
  await one.locator("#text").pressSequentially("since six");
  await one.press("#text", "Enter");
  await sees(other, ["Good morning, Anna 👋", "Yes, up\nsince six"]);
  assert.equal(await other.inputValue("#text"), "Are you");
};

const outages = async (one: Page, other: Page): Promise<void> => {
  // Message is killed while both write.
  await one.fill("#text", "half a sen");
  await ask("kill message");
  await write(other, "while Message is away");
  await marked(other, "Sending");
  await one.locator("#text").pressSequentially("tence, and the rest");
  await one.press("#text", "Enter");
  await ask("start message");
  await until("both", async () => {
    const texts = (await textsOf(one)).slice(-2).sort();
    return JSON.stringify(texts) ===
      JSON.stringify(["half a sentence, and the rest", "while Message is away"]);
  });
  await marked(one, "Read");
  await marked(other, "Read");
  assert.deepEqual(await textsOf(one), await textsOf(other));

  // Connect is killed: the page says so, and sends later.
  await ask("kill connect");
  await one.waitForSelector("#connection.lost:not([hidden])");
  await pages.shot(one, "chat-no-connection");
  await write(one, "while Connect is away");
  await marked(one, "Sending");
  await ask("start connect");
  await one.click("#connection button").catch(() => {}); // Perhaps it is there already.
  await until("connected", () => one.isHidden("#connection"));
  await sees(other, ["while Connect is away"]);
  await marked(one, "Read");

  // A reload with unsent messages, while nobody can sign in.
  await ask("kill message");
  await write(one, "unsent 1");
  await write(one, "unsent 2");
  await one.reload();
  await until("both are shown", async () => (await textsOf(one)).slice(-2).join() === "unsent 1,unsent 2");
  await marked(one, "Sending");
  await ask("start message");
  await sees(other, ["while Connect is away", "unsent 1", "unsent 2"]);
  await marked(one, "Read");
  await sees(one, ["while Connect is away", "unsent 1", "unsent 2"]);
};

const offline = async (context: BrowserContext, one: Page, other: Page): Promise<void> => {
  await context.setOffline(true);
  await one.waitForSelector("#connection:not([hidden])");
  await write(one, "from the tunnel");
  await write(other, "are you there?");
  await context.setOffline(false);
  await until("connected", () => one.isHidden("#connection"));
  await until("both", async () => (await textsOf(one)).slice(-2).sort().join() ===
    "are you there?,from the tunnel");
  await marked(one, "Read");
  assert.deepEqual(await textsOf(one), await textsOf(other));
};

const tabs = async (context: BrowserContext, one: Page, other: Page): Promise<void> => {
  const all = [one];
  for (let i = 0; i < 4; i++) {
    const tab = await pages.open(context, token(anna));
    await choose(tab, both);
    all.push(tab);
  }
  for (const [i, tab] of all.entries()) await write(tab, `from tab ${i}`);
  const texts = all.map((_, i) => `from tab ${i}`);
  for (const page of [...all, other]) await sees(page, texts);
  for (const tab of all) await marked(tab, "Read");
  // What is read in one tab is read in all, and what waits in one is shown in all.
  for (const tab of all) await focused(tab, false);
  await write(other, "who reads this?");
  for (const tab of all) await until("a badge", async () => (await unread(tab, both)) === "1");
  await focused(all[3] ?? one, true);
  for (const tab of all) await until("no badge", async () => (await unread(tab, both)) === "");
  await ask("kill message");
  await write(all[4] ?? one, "waits in tab 4");
  for (const tab of all) await sees(tab, ["who reads this?", "waits in tab 4"]);
  await ask("start message");
  for (const page of [...all, other]) await sees(page, ["who reads this?", "waits in tab 4"]);
  // A tab with another version of the client cannot be followed.
  await all[2]?.evaluate((name) => {
    new BroadcastChannel(name).postMessage({ v: 4711, word: {} });
  }, `wsmsg chat ${anna}`);
  await until("it is said", async () => {
    const bars = await Promise.all(all.map((tab) => tab.innerText("#connection")));
    return bars.filter((bar) => bar.includes("reload all tabs")).length >= 3;
  });
  await one.bringToFront();
  for (const tab of all.slice(1)) await tab.close();
  await one.reload();
  await focused(one, true);
  await write(one, "one tab again");
  await sees(other, ["waits in tab 4", "one tab again"]);
};

const blocks = async (one: Page, other: Page): Promise<void> => {
  const state = (page: Page) => page.innerText("#chat-state");
  await until("online", async () => (await state(other)) === "online");
  await one.click("#block");
  await one.waitForSelector("#question-text:has-text('they are not told')");
  await pages.usable(one, "the question about a block");
  await one.click("#question [data-close]");
  await one.click("#block");
  await one.click("#question-yes");
  await until("blocked", async () => /^blocked/.test(await state(one)));
  await pages.usable(one, "a conversation with a blocked user");
  await pages.shot(one, "chat-blocked");
  // The other user sees somebody who is offline, and no more.
  await until("offline", async () => (await state(other)) === "offline");
  await write(other, "nobody hears this");
  await marked(other, "Accepted by the server");
  await one.reload();
  await until("still blocked", async () => /^blocked/.test(await state(one)));
  await sees(one, ["one tab again"]);
  await one.click("#block");
  await until("online again", async () => (await state(one)) === "online");
  await write(other, "do you hear me again?");
  await sees(one, ["one tab again", "do you hear me again?"]);
  await choose(one, `u:${anna}:${anna}`);
  await one.waitForSelector(".note:has-text('You blocked')");
  await until("no button", () => one.isHidden("#block"));
  await choose(one, both);
};

const groups = async (one: Page, other: Page): Promise<void> => {
  await one.click("#start-group");
  await one.fill("#group-name", "Climbing \u202egnibmilc\u202c <b>x</b>");
  await one.fill("#group-members", `${ben}, x`);
  await one.click("#new-group button.primary");
  await until("a reason", async () => /not the number/.test(await one.innerText("#new-group .problem")));
  await pages.usable(one, "the dialog for a group");
  await one.fill("#group-members", ben);
  await one.click("#new-group button.primary");
  await one.waitForSelector("#chat-title:has-text('Climbing')");
  const title = await one.innerText("#chat-title");
  assert.ok(!title.includes("\u202e") && title.includes("<b>x</b>"), title);
  await write(one, "Who comes along?");
  await other.click(".entry:has-text('Climbing')");
  await sees(other, ["Who comes along?"]);
  await write(other, "I do");
  await sees(one, ["Who comes along?", "I do"]);
  // The protocol does not tell how far the members of a group are.
  await marked(one, "Accepted by the server");
  await one.click("#show-members");
  await one.fill("#member-add", carl);
  await one.click("#member-adding button");
  await until("three", async () => (await one.innerText("#members-count")) === "3 members");
  await pages.usable(one, "the members");
  await pages.shot(one, "chat-members");
  await one.click(`#member-list button[aria-label="Remove ${ben}"]`);
  await until("two", async () => (await one.innerText("#members-count")) === "2 members");
  await one.click("#members [data-close]");
  await other.waitForSelector(`.note:has-text("removed")`);

  // What is refused is said, and kept until the person decides.
  await write(other, "am I still here?");
  await other.waitForSelector(".failure");
  assert.match(await other.innerText(".failure"), /may not|forbidden/i);
  await pages.shot(other, "chat-refused");
  await other.reload();
  await other.waitForSelector(".failure");
  await other.click(".failure button:text('Try again')");
  await other.waitForSelector(".failure");
  await other.click(".failure button:text('Discard')");
  await until("discarded", async () => !(await other.$(".failure")));
  await choose(other, both);
};

/** What Carl has sent to Anna before: see `tests/browser/test_page.py`. */
const hostile = async (one: Page): Promise<void> => {
  await choose(one, `u:${anna}:${carl}`);
  await one.waitForSelector(".hidden-character");
  // Only what is in sight is in the document, so go through all of it by keys.
  let shown = "";
  for (const key of ["End", "Home"]) {
    await one.press("#messages", key);
    const edge = key === "End" ? "kind 42" : "begins here";
    await until(key, async () => (await one.innerText("#messages")).includes(edge));
    shown += await one.innerText("#messages");
  }
  for (const text of [
    "<img src=x onerror=alert(1)>", "javascript:alert(1)", "U+202E", "Show all",
    "a kind that this version cannot show (kind 42)", "without visible text", "שלום",
  ]) assert.ok(shown.includes(text), text);
  const links = await one.$$eval("#messages a", (all) => all.map((a) => [
    a.getAttribute("href"), a.getAttribute("rel"),
  ]));
  assert.deepEqual(links, [["https://example.org/(x)?a=1&b=2", "noopener noreferrer nofollow"]]);
  assert.equal(await one.$("#messages img, #messages script"), null);
  // The page is in English and from left to right; what people write is in any language.
  assert.equal(await one.$eval("html", ({ lang, dir }) => `${lang} ${dir}`), "en ltr");
  await one.press("#messages", "Home");
  const hebrew = one.locator("#messages .text", { hasText: "שלום" });
  assert.deepEqual(
    await hebrew.evaluate((text) => [text.matches(":dir(rtl)"), text.getAttribute("lang")]),
    [true, ""],
  );
  await one.fill("#text", "שלום");
  assert.ok(await one.$eval("#text", (field) => field.matches("[lang='']:dir(rtl)")));
  await one.fill("#text", "");
  await one.focus(".more");
  await one.keyboard.press("Enter");
  await until("all of it", async () => (await one.$(".more")) === null);
};

try {
  const context = await pages.browser();
  const others = await pages.browser({ colorScheme: "dark" });
  // The clock of Ben's machine is wrong by twenty years.
  await others.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() - 20 * 365 * 86_400_000;
  });
  await signIn();
  await denied();
  await silence();
  const one = await pages.open(context, token(anna));
  const ms = await listed(one);
  assert.ok(!one.url().includes("token"), one.url());
  const other = await pages.open(others, token(ben));
  await listed(other);
  await marks(one, other);
  await outages(one, other);
  await offline(context, one, other);
  await tabs(context, one, other);
  await blocks(one, other);
  await groups(one, other);
  await hostile(one);
  await pages.usable(one, "a chat");
  await pages.shot(one, "chat-hostile");
  await choose(one, both);
  await choose(other, both);
  await pages.usable(other, "a chat in the dark");
  await pages.shot(one, "chat-light");
  await pages.shot(other, "chat-dark");
  await one.setViewportSize({ width: 380, height: 700 });
  await one.waitForSelector("#back:visible");
  await pages.usable(one, "a chat on a narrow screen");
  await pages.shot(one, "chat-narrow");
  await one.click("#back");
  await one.waitForSelector("#list-pane:visible");
  await pages.shot(one, "chat-narrow-list");
  assert.deepEqual(pages.faults, []);
  console.log(`interactive after ${Math.round(ms)} ms`);
} finally {
  await pages.end();
}
console.log("all is well");
process.exit(0);
