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

/** The close codes that are no error's, or have another name than the error. */
const CLOSES: Readonly<Record<number, string>> = {
  1000: "done",
  1002: "bad_protocol",
  1003: "unsupported",
  1007: "bad_text",
  1009: "too_large",
  1011: "bug",
  1012: "drain",
  4001: "rate_limited",
  4002: "slow_client",
  4003: "no_pong",
  4004: "unavailable",
  4504: "forbidden",
};

/** Some close codes of the protocol. */
export const DONE = 1000;
export const BUG = 1011;
export const DRAIN = 1012;
export const BAD_FRAME = 4500;
export const FORBIDDEN = 4504;
/** The connection was lost without a close code. */
export const NO_CLOSE = 1006;

const errorOfClose = (close: number): ErrorCode | undefined =>
  (Object.keys(ERRORS) as ErrorCode[]).find((code) => ERRORS[code] === close);

/** Returns the name of a close code of the protocol. */
export const nameOfClose = (close: number): string | undefined =>
  CLOSES[close] ?? errorOfClose(close);

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

/** Returns the text of anything that was thrown. */
export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Returns the error that the server named; an unknown name is `internal`. */
export const fromCode = (code: string, reason: string, retryAfterMs = 0): WsmsgError =>
  new WsmsgError(isErrorCode(code) ? code : "internal", reason, retryAfterMs);

/** Returns the name of the error that a close code stands for. */
export const codeOfClose = (close: number): ErrorCode =>
  close === 1009 ? "too_large"
  : close === FORBIDDEN ? "forbidden"
  : errorOfClose(close) ?? "unavailable";

/** Whether a client should reconnect after this close code of the protocol. */
export const reconnectAllowed = (code: number): boolean =>
  code > 1009 && (code < 4500 || code > 4999);
