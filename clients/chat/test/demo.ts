/**
 * The two people of the demo, each by the link that it prints.
 *
 *     node demo.js LINK LINK
 *
 * It asks for `kill message` as a line of output, and waits for a line of input; the demo
 * itself starts the daemon again.
 */

import assert from "node:assert/strict";
import { tmpdir } from "node:os";

import { ask, choose, marked, Pages, sees, write } from "./browser.js";

const [, , ...links] = process.argv;
const pages = await Pages.begin(new URL(links[0] ?? "").origin, tmpdir());
try {
  const [one, other] = await Promise.all(
    links.map(async (link) => {
      const token = new URL(link).hash.replace("#token=", "");
      // Both links in tabs of one browser would do as well: they are two users.
      const page = await pages.open(await pages.browser(), token);
      await choose(page, "u:1001:1002");
      return page;
    }),
  );
  assert.ok(one && other);
  await write(one, "Hello from the first link");
  await sees(other, ["Hello from the first link"]);
  await marked(one, "Read");
  await ask("kill message");
  await write(other, "Are you still there?");
  await sees(one, ["Hello from the first link", "Are you still there?"]);
  await marked(other, "Read");
  assert.deepEqual(pages.faults, []);
} finally {
  await pages.end();
}
console.log("all is well");
process.exit(0);
