/**
 * Players of the shared vectors: each plays the steps of a scenario to one part of the
 * client, and returns the effects as `tools/make_vectors.py` spells them.
 */

import { apart, checkedId, checkName, checkSend } from "../src/checks.js";
import { Unreadable } from "../src/decode.js";
import { WsmsgError } from "../src/errors.js";
import type {
  ClientFrame, Decoded, Request, ServerFrame, Submission,
} from "../src/frames.js";
import { json } from "../src/json.js";
import { protobuf } from "../src/protobuf/index.js";
import { decodeMessage, encodeMessage } from "../src/protobuf/messages.js";
import type { Event } from "../src/state/events.js";
import { Exchange } from "../src/state/exchange.js";
import { HeartbeatTimer } from "../src/state/heartbeat.js";
import { NOTHING } from "../src/state/saved.js";
import { Reconnect } from "../src/state/reconnect.js";
import { checkRequest } from "../src/submissions.js";

/** A line of a file of vectors. */
export type Line = Readonly<Record<string, unknown>>;

/** Plays one step, and returns its effects. */
export interface Player {
  play(step: Line): Line;
}

/** Returns no time for one that never comes. */
const finite = (time: number): number | undefined => (time < Infinity ? time : undefined);
const text = (value: unknown): string => String(value);

/**
 * Returns a value as both clients are compared: without fields that are zero, empty or
 * false, with integers as texts, and the names of fields in small letters.
 */
export const plain = (value: unknown): unknown => {
  if (typeof value === "number") return Number.isInteger(value) ? text(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof WsmsgError) {
    return plain({ code: value.code, retry_after_ms: value.retryAfterMs });
  }
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([name, one]) => [
    name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), plain(one),
  ] as const);
  return Object.fromEntries(fields.filter(([, one]) => !isZero(one)));
};

const isZero = (value: unknown): boolean =>
  value === undefined || value === "0" || value === "" || value === false || value === 0 ||
  (typeof value === "object" && value !== null && Object.keys(value).length === 0);

const told = (event: Event): unknown => {
  const { type, ...rest } = event;
  return { event: type.charAt(0).toUpperCase() + type.slice(1), ...rest };
};

// The frames of the vectors leave out what a program need not say.
const submission = (line: Line): Submission => {
  const { type, client_id } = line as { type: string; client_id: string };
  const id = (name: string) => checkedId(text(line[name] ?? 0), name, true);
  const group = () => checkedId(text(line["group"] ?? 0), "group");
  const users = (name: string) =>
    apart(((line[name] ?? []) as unknown[]).map(text), name)[0];
  const given = Object.fromEntries(
    Object.entries(line).filter(([name]) => /_names?$/.test(name)),
  ) as { user_name?: string };
  switch (type) {
    case "send":
      return {
        type, client_id, to: id("to"), group: id("group"),
        content: (line["content"] ?? "") as string, kind: (line["kind"] ?? 1) as number, ...given,
      };
    case "recall":
      return {
        type, client_id,
        conversation: line["conversation"] as string, seq: line["seq"] as number,
      };
    case "create_group":
      return {
        type, client_id, name: line["name"] as string, members: users("members"),
        history: line["history"] === true, ...given,
      };
    case "change_group":
      return {
        type, client_id, group: group(), add: users("add"), remove: users("remove"), ...given,
      };
    case "block":
      return {
        type, client_id, user: id("user"), group: id("group"), on: line["on"] === true, ...given,
      };
    case "invite":
      return {
        type, client_id, group: group(),
        user: given.user_name ? "0" : checkedId(text(line["user"] ?? 0), "user"), ...given,
      };
    case "accept_invitation":
    case "decline_invitation":
      return { type, client_id, group: group() };
    default:
      throw new Error(`no submission: ${type}`);
  }
};

const checked = (frame: Submission): Submission => {
  checkName(frame.client_id, "client_id");
  return frame.type === "send" ? checkSend(frame) : checkRequest(frame);
};

const frame = (line: Line): ServerFrame => {
  const found = wire.decoded(JSON.stringify(line));
  if (!found) throw new Error(`no frame: ${JSON.stringify(line)}`);
  return found.frame;
};

/** A way of frames over the wire. */
export interface Wire {
  readonly name: string;
  /** Returns what a client reads when the server sends a frame, as JSON spells it. */
  decoded(text: string): Decoded | undefined;
  /** Returns what the server reads when a client sends a frame. */
  encoded(frame: ClientFrame): unknown;
}

const asJson: Wire = {
  name: "json",
  decoded: (text) => json.decode(text),
  encoded: (frame) => JSON.parse(json.encode(frame)) as unknown,
};

const asProtobuf: Wire = {
  name: "protobuf",
  decoded: (text) => {
    const read = json.decode(text);
    if (!read) return read;
    const { frame: { type, ...fields }, names } = read;
    const beside = names.map(([key, value]) => ({ key, value }));
    return protobuf.decode(encodeMessage("ServerFrame", { [type]: fields, names: beside }));
  },
  encoded: (frame) => {
    const read = decodeMessage("ClientFrame", new Uint8Array(protobuf.encode(frame)));
    const [[type, fields] = ["", {}]] = Object.entries(read).filter(([, one]) => one);
    return { type, ...(fields as object) };
  },
};

/** The ways that a client has. */
export const WIRES = [asJson, asProtobuf];

let wire = asJson;

/** Plays all steps from now on with the frames on this way. */
export const use = (another: Wire): void => {
  wire = another;
};

class ExchangePlayer implements Player {
  #exchange: Exchange;
  readonly #options: Line;
  #effects: Record<string, unknown[]> = {};

  constructor(scenario: Line) {
    this.#options = (scenario["options"] ?? {}) as Line;
    this.#exchange = this.#begin(NOTHING);
  }

  #begin(saved: typeof NOTHING): Exchange {
    const { start, queued_messages, unsent } = this.#options;
    return new Exchange({
      device: "d",
      client: "test",
      saved,
      start: (start ?? "beginning") as "beginning",
      queuedMessages: (queued_messages ?? 1000) as number,
      unsent: (unsent ?? 10_000) as number,
      onSettled: (clientId, outcome) => {
        const failed = outcome instanceof WsmsgError;
        this.#effect("settled", {
          clientId, ...(failed ? { error: outcome } : { accepted: outcome }),
        });
      },
      onAnswer: (id, answer) =>
        this.#effect("answers", answer instanceof WsmsgError ? { id, error: answer } : answer),
    });
  }

  #effect(name: string, value: unknown): void {
    (this.#effects[name] ??= []).push(value);
  }

  play(step: Line): Line {
    this.#effects = {};
    const now = step["at"] as number;
    const effects: Record<string, unknown> = {};
    try {
      this.#input(step, now, effects);
    } catch (error) {
      if (!(error instanceof WsmsgError)) throw error;
      effects["raised"] = error;
    }
    if ("saved" in step) effects["saved"] = this.#exchange.saved();
    const events: unknown[] = [];
    const most = (step["take"] ?? Infinity) as number;
    while (events.length < most) {
      const event = this.#exchange.queue.take();
      if (!event) break;
      events.push(told(event));
      this.#exchange.took(event);
    }
    const frames = this.#exchange.due(now).map((f) => wire.encoded(f));
    return {
      ...effects, ...this.#effects, events, frames,
      next: finite(this.#exchange.nextDue(now)),
      caught_up: this.#exchange.caughtUp,
    };
  }

  #input(step: Line, now: number, effects: Record<string, unknown>): void {
    const exchange = this.#exchange;
    if ("receive" in step) exchange.receive(frame(step["receive"] as Line), now);
    if ("send" in step) exchange.send(checked(submission(step["send"] as Line)));
    if ("withdraw" in step) exchange.outbound.withdraw(step["withdraw"] as string);
    if ("ask" in step) exchange.ask(step["ask"] as Request, now);
    if ("forget" in step) exchange.forget(step["forget"] as string);
    if ("mark_read" in step) {
      const [conversation, seq, messageId] = step["mark_read"] as [string, number, unknown];
      exchange.markRead(conversation, seq, text(messageId));
    }
    if ("typing" in step) exchange.typing(step["typing"] as string);
    if ("watch" in step) exchange.watch((step["watch"] as unknown[]).map(text));
    if ("lost" in step) exchange.lost();
    if ("hello" in step) {
      effects["hello"] = { ...exchange.hello(), client: undefined };
    }
    if ("last_words" in step) effects["last_words"] = exchange.lastWords();
    if ("restart" in step) this.#exchange = this.#begin(exchange.saved());
  }
}

class ReconnectPlayer implements Player {
  readonly #reconnect: Reconnect;

  constructor(scenario: Line) {
    this.#reconnect = new Reconnect(scenario["url"] as string, { random: () => 0.5 });
  }

  play(step: Line): Line {
    if ("told_to_move" in step) {
      const [at, alternatives] = step["told_to_move"] as [number, string[]];
      this.#reconnect.toldToMove(at, alternatives);
      return { move_at: finite(this.#reconnect.moveAt) };
    }
    if ("welcomed" in step) {
      this.#reconnect.welcomed();
      return {};
    }
    const how = step["ended"] as Readonly<Record<string, number>>;
    const after = this.#reconnect.ended(
      {
        reason: "r",
        closeCode: how["close_code"] ?? 1006,
        httpStatus: how["http_status"] ?? 0,
        code: text(how["code"] ?? ""),
        retryAfterS: how["retry_after_s"] ?? 0,
        livedS: how["lived_s"] ?? 0,
      },
      step["at"] as number,
    );
    return "error" in after
      ? { never: after.error.code }
      : { url: after.url, delay_s: after.delayS };
  }
}

class HeartbeatPlayer implements Player {
  readonly #timer: HeartbeatTimer;

  constructor(scenario: Line) {
    this.#timer = new HeartbeatTimer(scenario["interval_s"] as number, 0);
  }

  play(step: Line): Line {
    const now = step["at"] as number;
    if ("received" in step) this.#timer.received(now);
    const dead = this.#timer.dead(now);
    return { dead, ping: this.#timer.ask(now), next: this.#timer.nextDue };
  }
}

class FramePlayer implements Player {
  play(step: Line): Line {
    try {
      return { frame: wire.decoded(step["text"] as string)?.frame ?? null };
    } catch (error) {
      if (error instanceof Unreadable) return { frame: null };
      throw error;
    }
  }
}

class RequestPlayer implements Player {
  play(step: Line): Line {
    try {
      checked(submission(step["check"] as Line));
      return {};
    } catch (error) {
      if (error instanceof WsmsgError) return { code: error.code };
      throw error;
    }
  }
}

/** Returns the player for a file, by its name without a suffix. */
export const playerFor = (file: string, scenario: Line): Player => {
  switch (file) {
    case "reconnect":
      return new ReconnectPlayer(scenario);
    case "heartbeat":
      return new HeartbeatPlayer(scenario);
    case "frames":
      return new FramePlayer();
    case "requests":
      return new RequestPlayer();
    default:
      return new ExchangePlayer(scenario);
  }
};

