/**
 * Builds `dist`: modules for browsers and Node, from the sources that `tsc` has checked.
 *
 * The names of properties that stay inside the package are shortened, as minifiers cannot
 * know that they may.  No name that a program, a frame, IndexedDB or a browser knows may be
 * among them; tabs tell each other objects without such names.
 */

import { build } from "esbuild";

/** Properties that only this package uses. */
const OWN = `
  active agreesWith answered applyHead ask beforeWrite beginAnew behind cause changed
  confirm confirmed continues dead doubt due ended exchange forgetQuestions forget
  give givenId had heard held how httpStatus hurry inbound isKnown isOpen isQuestion
  isReplaced isRewoundIn know lastWords listed livedS lost merge moveAt nextDue nextHeld
  note numbers onAnswer onChange onData onEnd onEvent onHello onLead onLeader onNames
  onNews onOpen onRead onRefused onSettled onWish outbound outdate perform ponged queue queued
  raise raiseHead readyAt receive refill refused restart resume resumed retryAfterS room
  saved saving self sendAgain serverHistory skip soon spend submit suspect suspectNewest suspects
  syncId syncSeq take taken takenId took toldToMove traced tracer tried trust
  unsettled unsure upkeep waiting wake welcomed withdraw tell follows closeCode
  tokenSource socket finish untold told nextReport pace begin reached sync leave drop last received
`.split(/\s+/).filter(Boolean);

/** How the package and the chat page are built. */
export const options = {
  bundle: true,
  minify: true,
  format: "esm",
  charset: "utf8",
  logLevel: "warning",
  mangleProps: new RegExp(`^(${OWN.join("|")})$`),
};

if (process.argv[1] === import.meta.filename) {
  await build({
    ...options,
    target: "es2022",
    entryPoints: ["index", "browser", "requests", "protobuf/index"].map((n) => `src/${n}.ts`),
    outbase: "src",
    outdir: "dist",
    splitting: true,
    chunkNames: "shared-[hash]",
    sourcemap: true,
  });
}
