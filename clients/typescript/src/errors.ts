/**
 * Errors that the server names, and the close codes of a connection.
 *
 * The table is the one of `docs/reference/errors.md`.
 */

/** The name of an error, as `rejected` and `error` frames carry it. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * The close code of a connection that the error ends; 0: it goes on; `RETRY`: it goes on,
 * and the same request may succeed later.
 */
const RETRY = 1;
const ERRORS = {
  internal: 1011,
  bad_frame: 4500,
  bad_request: 0,
  unauthenticated: 4501,
  forbidden: 0,
  stale: 4502,
  replaced: 4503,
  kicked: 4505,
  too_large: 0,
  conflict: 0,
  not_found: 0,
  unsupported: 0,
  rate_limited: RETRY,
  limit_reached: 0,
  overloaded: RETRY,
  unavailable: RETRY,
} as const;

/** The close codes that have a meaning in the protocol. */
export const Close = {
  DONE: 1000,
  BAD_PROTOCOL: 1002,
  UNSUPPORTED: 1003,
  BAD_TEXT: 1007,
  TOO_LARGE: 1009,
  BUG: 1011,
  DRAIN: 1012,
  RATE_LIMITED: 4001,
  SLOW_CLIENT: 4002,
  NO_PONG: 4003,
  UNAVAILABLE: 4004,
  BAD_FRAME: 4500,
  UNAUTHENTICATED: 4501,
  STALE: 4502,
  REPLACED: 4503,
  FORBIDDEN: 4504,
  KICKED: 4505,
} as const;

/** Whether the table of errors has this name. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/** A request that failed, or the end of a client. */
export class WsmsgError extends Error {
  override readonly name = "WsmsgError";

  /**
   * @param code the name of the error in the table of `docs/reference/errors.md`.
   * @param reason one sentence for a person; it is the error's message.
   * @param retryAfterMs the time until a repeat, in milliseconds; 0: no hint.
   */
  constructor(
    readonly code: ErrorCode,
    readonly reason: string,
    readonly retryAfterMs = 0,
  ) {
    super(reason);
  }

  /** Whether the same request may be repeated later. */
  get retry(): boolean {
    return ERRORS[this.code] === RETRY;
  }

  /** The close code of a connection that this error ends; 0: the connection goes on. */
  get close(): number {
    return this.retry ? 0 : ERRORS[this.code];
  }
}

/** Returns the error that the server named; an unknown name is `internal`. */
export const fromCode = (code: string, reason: string, retryAfterMs = 0): WsmsgError =>
  new WsmsgError(isErrorCode(code) ? code : "internal", reason, retryAfterMs);

/** Returns the name of the error that a close code stands for. */
export const codeOfClose = (close: number): ErrorCode => {
  if (close === Close.FORBIDDEN) return "forbidden";
  if (close === Close.TOO_LARGE) return "too_large";
  const codes = Object.keys(ERRORS) as ErrorCode[];
  return codes.find((code) => ERRORS[code] === close) ?? "unavailable";
};

/** Whether a client should reconnect after this close code of the protocol. */
export const reconnectAllowed = (code: number): boolean =>
  code > Close.TOO_LARGE && (code < 4500 || code > 4999);
