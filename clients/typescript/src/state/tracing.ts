/**
 * The frame to which a `bad_frame` of the server refers.
 *
 * That error names no frame.  But the server answers pings, and frames that it cannot
 * decode, in the order in which it reads.  So after the first such error the client
 * repeats what has no answer, and follows each frame with a ping: the next error refers
 * to the first frame whose ping is unanswered.
 */

import type { ClientFrame, Ping } from "../frames.js";

const FRAMES = 10_000;

/** The frames that the server may not have decoded yet. */
export class FrameTracer {
  /** Frames are followed by pings. */
  active = false;
  #unanswered: { readonly nonce: string; frame: ClientFrame | undefined }[] = [];
  #first: Ping[] = [];
  #made = 0;

  /** Traces the frames from now on. */
  begin(): void {
    this.active = true;
    // Errors that arrive before its answer refer to earlier frames.
    this.#first = [this.#pingAfter(undefined)];
  }

  /** Returns the frames to write in place of these. */
  traced(frames: ClientFrame[]): ClientFrame[] {
    if (!this.active) return frames;
    if (this.#unanswered.length > FRAMES) {
      this.active = false;
      this.lost();
      return frames;
    }
    const first = this.#first;
    this.#first = [];
    return [...first, ...frames.flatMap((frame) => [frame, this.#pingAfter(frame)])];
  }

  /** Processes a `pong`: the server has decoded the frames before its ping. */
  answered(nonce: string): void {
    const at = this.#unanswered.findIndex((known) => known.nonce === nonce);
    if (at < 0) return;
    this.#unanswered.splice(0, at + 1);
    this.active = this.#unanswered.length > 0;
  }

  /** Returns the frame to which an error refers that arrives now, if it is traced. */
  cause(): ClientFrame | undefined {
    const first = this.#unanswered[0];
    const frame = first?.frame;
    if (first) first.frame = undefined;
    return frame;
  }

  /** Forgets the frames of a lost connection; the next one continues to trace. */
  lost(): void {
    this.#unanswered = [];
    this.#first = [];
  }

  #pingAfter(frame: ClientFrame | undefined): Ping {
    this.#made += 1;
    const nonce = `t${this.#made}`;
    this.#unanswered.push({ nonce, frame });
    return { type: "ping", nonce };
  }
}
