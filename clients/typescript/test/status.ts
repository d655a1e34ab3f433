/**
 * The status pages of both daemons in Chromium.
 *
 *     node status.js FOLDER NAME=URL=KEY...
 *
 * FOLDER gets the screenshots.  What the program wants of the daemons it asks for as a line
 * of output, such as `kill message`, and waits for a line of input.  The exit status is 0 if
 * all is well.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { chromium, type Page } from "playwright-core";

const [, , folder = "", ...given] = process.argv;
const LIMIT_MS = 30_000;

interface Daemon {
  readonly name: string;
  readonly url: string;
  readonly key: string;
}

const daemons = given.map((one): Daemon => {
  const [name = "", url = "", key = ""] = one.split("=", 3);
  return { name, url, key };
});

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (wish: string): Promise<void> => {
  console.log(wish);
  await lines.next();
};

const axe = await readFile(
  fileURLToPath(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url)), "utf8",
);

const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

/** What the pages reported that they should not have. */
const faults: string[] = [];
/** Messages of the browser that belong to what the test does, such as a refused key. */
let expected = /^$/;

const open = async (
  daemon: Daemon, prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<Page> => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("pageerror", (error) => faults.push(`${daemon.name}: ${error.message}`));
  page.on("dialog", (dialog) => faults.push(`${daemon.name}: ${dialog.message()}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !expected.test(text)) faults.push(`${daemon.name}: ${text}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(daemon.url)) faults.push(`${daemon.name}: asked ${request.url()}`);
  });
  await prepare(page);
  await page.goto(daemon.url);
  return page;
};

const says = (page: Page, text: string | RegExp) =>
  page.getByText(text).first().waitFor({ state: "visible", timeout: LIMIT_MS });

const enter = async (page: Page, key: string): Promise<void> => {
  await page.getByLabel("Key", { exact: true }).fill(key);
  await page.getByRole("button", { name: "Show the status" }).click();
};

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

const check = async (page: Page, what: string): Promise<void> => {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: () => Promise<{ violations: Violation[] }> };
    };
    return (await axe.run()).violations;
  });
  for (const { id, impact, nodes } of found) {
    const where = nodes.map((node) => node.html).join(" ").slice(0, 300);
    if (impact === "serious" || impact === "critical") faults.push(`${what}: ${id}: ${where}`);
  }
};

const shoot = async (page: Page, name: string): Promise<void> => {
  await page.screenshot({ path: `${folder}/status-${name}.png`, fullPage: true });
};

const [connect, message] = await Promise.all(daemons.map((daemon) => open(daemon)));
assert(connect && message);
const pages = new Map([["connect", connect], ["message", message]]);

// A wrong key is refused with the reason, and the page asks again.
await check(connect, "the question for the key");
await shoot(connect, "key");
expected = /401/;
await enter(connect, "not-the-key");
await says(connect, /admin\.key in the daemon's data directory/);
expected = /^$/;
for (const { name, key } of daemons) await enter(pages.get(name) as Page, key);

await says(connect, "Ready: clients can log in, send and receive.");
await says(message, "Ready: messages are accepted, stored and delivered.");
for (const [name, page] of pages) {
  const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
  assert.deepEqual(stored, [0, 0, ""], "the key is in memory only");
  await page.locator("figure .line-0[d^=M]").first().waitFor({ state: "attached" });
  await page.getByText("All counts of this node").click();
  await page.getByRole("table", { name: "Everything else" }).waitFor();
  await page.getByText("All counts of this node").click();
  await check(page, name);
}

// Names, reasons and counts that others have chosen are text, whatever is in them; a daemon
// that tells nonsense is said to.
const hostile = `<img src=x onerror="alert(1)"><b>odd</b>\u202e`;
const spoilt = (value: unknown, key = ""): unknown => {
  if (Array.isArray(value)) return value.map((one) => spoilt(one));
  if (typeof value === "string") return /since|next_try|state|daemon/.test(key) ? value : value + hostile;
  if (value === null || typeof value !== "object") return value;
  const all = Object.entries(value).map(([name, inner]) => [name, spoilt(inner, name)]);
  return Object.fromEntries(all);
};
for (const daemon of daemons) {
  const headers = { authorization: `Bearer ${daemon.key}` };
  const real = (await (await fetch(`${daemon.url}status`, { headers })).json()) as object;
  const told: Record<string, unknown> =
    { ...(spoilt(real) as object), refusals: { [hostile]: { [hostile]: 7 } } };
  // A page of another node is a link, if it is one of the web.
  const known = { kind: "connect", up: true, since: new Date().toISOString(), about: hostile };
  const nodes = [
    { ...known, node: `bad ${hostile}`, page: "javascript:alert(1)" },
    { ...known, node: `good ${hostile}`, page: "http://two.example:23005/" },
  ];
  Object.assign(told[daemon.name] as object, { nodes });
  const alarms = [{ name: hostile, reason: hostile, since: new Date().toISOString() }];
  const history = { interval_s: 5, samples: [[1, null], null, [2, 3]], charts: [
    { title: hostile, unit: "level", about: hostile, series: [hostile, hostile] }] };
  const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  let body = event("history", history) + event("odd", 1) + event("status", { ...told, alarms });
  const page = await open(daemon, (page) =>
    page.route("**/events", (route) => route.fulfill({ contentType: "text/event-stream", body })));
  await enter(page, daemon.key);
  await says(page, new RegExp(`Ready.*<img src=x`));
  await page.getByText("All counts of this node").click();
  await says(page, /has not answered for/);
  assert.equal(await page.locator("img, main b:text('odd')").count(), 0);
  assert.deepEqual(
    await page.locator("#nodes a").evaluateAll((all) => all.map((a) =>
      [a.textContent?.slice(0, 8), a.getAttribute("href"), a.getAttribute("rel")])),
    [["good <im", "http://two.example:23005/", "noreferrer"]],
  );
  await shoot(page, `${daemon.name}-hostile`);
  body = "event: status\ndata: {\n\n";
  await says(page, /is not understood/);
  await page.close();
}

// The survivor says what is missing, and the page of the other that it does not answer.
expected = /Failed to load resource|ERR_/;
await ask("kill message");
await says(connect, /^Not ready: the Message at .* cannot be reached: .*Clients stay connected/);
await says(message, /has not answered for/);
await shoot(connect, "outage");
await check(connect, "the outage");
await ask("start message");
await says(connect, "Ready: clients can log in, send and receive.");
await says(message, "Ready: messages are accepted, stored and delivered.");
await message.locator("#stale").waitFor({ state: "hidden" });

await ask("kill connect");
await says(message, /its stream ended/);
await ask("start connect");
await says(connect, "Ready: clients can log in, send and receive.");
await connect.locator("#stale").waitFor({ state: "hidden" });

// A daemon that hangs, with its connections open, is taken for one that does not answer.
await ask("suspend connect");
await connect.locator("#sentence", { hasText: "has not answered for" }).waitFor({ timeout: LIMIT_MS });
await shoot(connect, "hanging");
await check(connect, "a daemon that hangs");
await ask("continue connect");
await says(connect, "Ready: clients can log in, send and receive.");
await connect.locator("#stale").waitFor({ state: "hidden" });

await ask("talk");
for (const page of pages.values()) {
  const label = 'svg[aria-label*="accepted"]:not([aria-label*="at most 0/s"])';
  await page.locator(label).first().waitFor({ timeout: LIMIT_MS });
}
for (const [name, page] of pages) {
  await shoot(page, `${name}-light`);
  await page.emulateMedia({ colorScheme: "dark" });
  await check(page, `${name}, dark`);
  await shoot(page, `${name}-dark`);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  await check(page, `${name}, narrow`);
  await shoot(page, `${name}-narrow`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= 360, `${name} is ${wide} pixels wide`);
}

await browser.close();
assert.deepEqual(faults, []);
console.log("all is well");
process.exit(0);
