/** The shared vectors: this client does what the Python client does, step by step. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { plain, playerFor, use, WIRES, type Line, type Player } from "./players.js";

const VECTORS =
  process.env["WSMSG_VECTORS"] ??
  fileURLToPath(new URL("../../../../protos/vectors/", import.meta.url));

/** Whether times are equal but for the last digits of their fractions. */
const rounded = (value: unknown): unknown => {
  if (typeof value === "number") return Number(value.toFixed(5));
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, rounded(v)]));
};

const files = readdirSync(VECTORS).filter((name) => name.endsWith(".jsonl"));
assert.ok(files.length >= 10, `there are no vectors in ${VECTORS}`);

for (const file of files) {
  const name = file.replace(".jsonl", "");
  const lines = readFileSync(`${VECTORS}/${file}`, "utf8").trim().split("\n");
  const scenarios: { first: Line; steps: Line[] }[] = [];
  for (const line of lines.map((one) => JSON.parse(one) as Line)) {
    if ("scenario" in line) scenarios.push({ first: line, steps: [] });
    else scenarios.at(-1)?.steps.push(line);
  }
  for (const wire of WIRES) describe(`${name} in ${wire.name}`, () => {
    for (const { first, steps } of scenarios) {
      test(String(first["scenario"]), () => {
        use(wire);
        assert.ok(steps.length > 0, "a scenario without steps");
        const player: Player = playerFor(name, first);
        for (const [i, step] of steps.entries()) {
          const { then, ...input } = step;
          assert.deepEqual(
            rounded(plain(player.play(step))), rounded(plain(then)),
            `step ${i + 1}: ${JSON.stringify(input)}`,
          );
        }
      });
    }
  });
}
