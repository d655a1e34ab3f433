/**
 * A long history, scrolled from its end to its start, and down again.
 *
 *     node history.js URL SHOTS USER=TOKEN OTHER=TOKEN COUNT
 *
 * Prints how many frames that took, and how long they were.  The exit status is 0 if the
 * rows were in order, without a hole, and few at any time.
 */

import assert from "node:assert/strict";

import type { Page } from "playwright-core";

import { choose, Pages, until } from "./browser.js";

const [, , url = "", shots = "", one = "", other = "", count = "0"] = process.argv;
const [anna = "", token = ""] = one.split("=", 2);
const [ben = ""] = other.split("=", 2);
const total = Number(count);
const MOST_ROWS = 120;
const STEP = 500;
/** How far it is scrolled down again. */
const DOWN = 3000;

/** What was seen while scrolling. */
interface Scrolled {
  /** The time from each frame to the next, in milliseconds. */
  readonly frames: number[];
  /** The time that the page worked in each frame. */
  readonly work: number[];
  readonly seqs: number[];
  readonly mostRows: number;
  readonly disorder: string[];
  readonly moved: number;
}

/**
 * Scrolls by some pixels in each frame, to a row or for a number of frames, and notes what
 * is in the document.
 */
const scroll = (page: Page, step: number, to: number, most = Infinity): Promise<Scrolled> =>
  page.evaluate(
    ([step, to, most]) =>
      new Promise<Scrolled>((resolve, reject) => {
        const viewport = document.getElementById("messages");
        if (!viewport) throw new Error("there are no messages");
        const [frames, work, disorder]: [number[], number[], string[]] = [[], [], []];
        const seen = new Set<number>();
        let [mostRows, last, moved] = [0, performance.now(), 0];
        const limit = last + 200_000;
        // A row that is in sight in two frames moves by what was scrolled, and by no more.
        let before = new Map<number, number>();
        const frame = (now: number) => {
          // What the page does at a scroll event comes before this in the same frame.
          work.push(performance.now() - now);
          frames.push(now - last);
          last = now;
          const rows = [...document.querySelectorAll<HTMLElement>("#messages .row")];
          mostRows = Math.max(mostRows, rows.length);
          const seqs = rows.map((row) => Number(row.dataset["seq"]));
          seqs.forEach((seq, i) => {
            seen.add(seq);
            if (i && seq !== (seqs[i - 1] ?? 0) + 1) disorder.push(`${seqs[i - 1]} before ${seq}`);
          });
          const places = new Map(
            rows.map((row, i) => [seqs[i] ?? 0, row.getBoundingClientRect().top] as const),
          );
          for (const [seq, top] of places) {
            const was = before.get(seq);
            if (was !== undefined) moved = Math.max(moved, Math.abs(top - was) - Math.abs(step));
          }
          before = places;
          if (frames.length >= most || seen.has(to) && (to === 1 ? viewport.scrollTop <= 0 : true)) {
            resolve({ frames, work, seqs: [...seen], mostRows, disorder: disorder.slice(0, 5), moved });
          } else if (now > limit) {
            reject(new Error(`stuck at ${seqs[0]} to ${seqs.at(-1)}`));
          } else {
            viewport.scrollTop += step;
            requestAnimationFrame(frame);
          }
        };
        requestAnimationFrame(frame);
      }),
    [step, to, most] as const,
  );

const spread = (all: readonly number[]): string => {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(1);
  return `${at(0.5)} (p95 ${at(0.95)}, most ${at(1)})`;
};

const tell = (what: string, { frames, work, mostRows }: Scrolled): void => {
  const late = frames.filter((ms) => ms > 1000 / 60 * 1.5).length;
  console.log(
    `${what}: ${frames.length} frames, ${late} late, every ${spread(frames)} ms; ` +
      `work in each ${spread(work)} ms; at most ${mostRows} rows`,
  );
};

const judge = (
  what: string, { seqs, mostRows, disorder, moved }: Scrolled, last: number,
): void => {
  assert.deepEqual(disorder, [], what);
  assert.deepEqual(
    seqs.filter((seq) => seq <= last).sort((a, b) => a - b),
    Array.from({ length: last }, (_, i) => i + 1), what,
  );
  assert.ok(mostRows <= MOST_ROWS, `${mostRows} rows`);
  assert.ok(moved < 2, `${what}: a row jumped by ${moved} pixels`);
};

const pages = await Pages.begin(url, shots);
try {
  const page = await pages.open(await pages.browser(), token);
  await page.waitForSelector(".entry");
  await choose(page, `u:${anna}:${ben}`);
  await until("the last messages", async () =>
    (await page.$(`#messages .row[data-seq="${total}"]`)) !== null ||
    (await page.isVisible("#jump")));
  if (await page.isVisible("#jump")) await page.click("#jump");
  await page.waitForSelector(`#messages .row[data-seq="${total}"]`);
  // As fast as a person scrolls; then faster, to see all.
  tell("6,000 pixels a second", await scroll(page, -100, 0, 300));
  await page.focus("#messages");
  await page.keyboard.press("End");
  await page.waitForSelector(`#messages .row[data-seq="${total}"]`);
  const up = await scroll(page, -STEP, 1);
  tell("up", up);
  judge("up", up, total);
  await pages.shot(page, "chat-history");
  const down = await scroll(page, STEP, DOWN);
  tell("down", down);
  judge("down", down, DOWN);
  assert.deepEqual(pages.faults, []);
} finally {
  await pages.end();
}
console.log("all is well");
process.exit(0);
