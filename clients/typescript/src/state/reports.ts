/**
 * Reports to the server that it does not answer: after a lost connection, the client
 * repeats those of that connection.
 */

import { removeExcess } from "./bounded.js";

/** The reports that are repeated; older ones have arrived long ago. */
export const REMEMBERED = 10_000;

/** The reports of one kind, the newest of each key. */
export class Reports<Frame> {
  protected untold = new Map<string, Frame>();
  protected readonly told = new Map<string, Frame>();
  /** The times until which reports are held back. */
  protected readonly held = new Map<string, number>();

  /** Returns the frames to write now, up to a limit. */
  due(limit: number, now: number): Frame[] {
    const frames: Frame[] = [];
    for (const [key, frame] of this.untold) {
      if (frames.length >= limit) break;
      if ((this.held.get(key) ?? 0) > now) continue;
      this.untold.delete(key);
      this.held.delete(key);
      this.told.set(key, frame);
      removeExcess(this.told, REMEMBERED);
      frames.push(frame);
    }
    return frames;
  }

  /** The first time, not before another one, at which there is something to report. */
  nextReport(from: number): number {
    let next = Infinity;
    for (const key of this.untold.keys()) {
      next = Math.min(next, Math.max(from, this.held.get(key) ?? 0));
      if (next === from) break;
    }
    return next;
  }

  /** Repeats the reports of a lost connection, which may not have arrived. */
  lost(): void {
    this.untold = new Map([...this.told, ...this.untold]);
    this.told.clear();
    this.held.clear();
  }

  /** Forgets all reports. */
  beginAnew(): void {
    this.untold.clear();
    this.told.clear();
    this.held.clear();
  }
}
