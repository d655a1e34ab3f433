/** Chromium with chat pages, and what no page may do: errors, strange requests, faults. */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createInterface } from "node:readline";

import axe from "axe-core";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const LIMIT_MS = 30_000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the program that started this one for something, such as `kill message`. */
export const ask = async (wish: string): Promise<void> => {
  console.log(wish);
  await lines.next();
};

/** Waits until something is so. */
export const until = async (
  what: string, reached: () => Promise<boolean> | boolean,
): Promise<void> => {
  const limit = Date.now() + LIMIT_MS;
  while (!(await reached())) {
    if (Date.now() > limit) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
};

// What Chromium reports of a daemon that was killed is no fault of the page.
const OUTAGE = /WebSocket connection to .* failed|net::ERR_(CONNECTION|INTERNET|NETWORK|EMPTY)/;

/** All pages of a test, and what they did that they may not do. */
export class Pages {
  readonly faults: string[] = [];
  readonly #browser: Browser;
  readonly #url: string;
  readonly #shots: string;
  readonly #open = new Set<Page>();

  private constructor(browser: Browser, url: string, shots: string) {
    this.#browser = browser;
    this.#url = url;
    this.#shots = shots;
  }

  /**
   * Starts Chromium.
   *
   * @param url where the pages are, such as `http://127.0.0.1:21005`.
   * @param shots a folder for screenshots.
   */
  static async begin(url: string, shots: string): Promise<Pages> {
    await mkdir(shots, { recursive: true });
    const browser = await chromium.launch({
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox"],
    });
    return new Pages(browser, url, shots);
  }

  /** Ends Chromium. */
  async end(): Promise<void> {
    await this.#browser.close();
  }

  /** Makes a browser of its own, as another person has it. */
  async browser(options: Parameters<Browser["newContext"]>[0] = {}): Promise<BrowserContext> {
    const context = await this.#browser.newContext({
      viewport: { width: 1100, height: 760 }, locale: "en-GB", timezoneId: "UTC", ...options,
    });
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
        console.error(`violation of ${violatedDirective}: ${blockedURI}`));
    });
    return context;
  }

  /** Opens the page by a link with a token. */
  async open(context: BrowserContext, token: string): Promise<Page> {
    const page = await context.newPage();
    this.#open.add(page);
    page.on("pageerror", (error) => this.faults.push(`error: ${error.stack ?? error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !OUTAGE.test(text)) this.faults.push(`console: ${text}`);
    });
    const requested = (address: string) => {
      const { origin } = new URL(address.replace(/^ws/, "http"));
      if (origin !== this.#url) this.faults.push(`request to ${address}`);
      if (token && address.includes(token)) this.faults.push(`a token in ${address}`);
    };
    page.on("request", (request) => requested(request.url()));
    page.on("websocket", (socket) => requested(socket.url()));
    await page.goto(`${this.#url}/chat${token && `#token=${token}`}`);
    return page;
  }

  /** Checks that a page has no serious fault for people who cannot see or use a mouse. */
  async usable(page: Page, what: string): Promise<void> {
    await page.evaluate(axe.source);
    const found = await page.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
      return (await axe.run()).violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
    });
    assert.deepEqual(found, [], what);
  }

  /** Keeps a picture of a page. */
  async shot(page: Page, name: string): Promise<void> {
    await page.screenshot({ path: `${this.#shots}/${name}.png` });
  }
}

/** Returns the texts of the messages in the document, in their order. */
export const textsOf = (page: Page): Promise<string[]> =>
  page.$$eval("#messages .row .text", (all) => all.map((one) => one.textContent ?? ""));

/** Waits until the last messages in the document are these. */
export const sees = async (page: Page, texts: readonly string[]): Promise<void> => {
  let found: string[] = [];
  try {
    await until("", async () => {
      found = (await textsOf(page)).slice(-texts.length);
      return JSON.stringify(found) === JSON.stringify(texts);
    });
  } catch {
    assert.deepEqual(found, texts);
  }
};

/** Writes a message. */
export const write = async (page: Page, text: string): Promise<void> => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

/** Returns how far the last own message is. */
export const lastMark = (page: Page): Promise<string> =>
  page.$$eval("#messages .mine .mark", (all) => all.at(-1)?.getAttribute("aria-label") ?? "");

/** Waits until the last own message is so far. */
export const marked = (page: Page, label: string): Promise<void> =>
  until(label, async () => (await lastMark(page)) === label);

/** Opens a conversation of the list. */
export const choose = async (page: Page, name: string): Promise<void> => {
  await page.click(`[data-name="${name}"]`);
  await page.waitForSelector("#chat:not([hidden])");
};

/** Returns the number of unread messages that the list shows. */
export const unread = async (page: Page, name: string): Promise<string> =>
  page.$eval(`[data-name="${name}"]`, (one) => one.querySelector(".badge")?.firstChild?.textContent ?? "")
    .catch(() => "");
