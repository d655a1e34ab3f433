/**
 * The token of this tab: it comes in the fragment of the address, which no server sees, or
 * from a form.  It is removed from the address at once, and kept as long as the tab.
 */

const KEY = "wsmsg chat token";
const PARTS = 3;

/** Whether the tab keeps its token across a reload; else the reason why not. */
export let unkept = "";

/** Returns the token of this tab; empty: there is none. */
export const tokenOfTab = (): string => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token")?.trim() ?? "";
  if (given) {
    history.replaceState(null, "", location.pathname + location.search);
    keep(given);
    return given;
  }
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch (error) {
    unkept = String(error);
    return "";
  }
};

/** Keeps a token as long as the tab. */
export const keep = (token: string): void => {
  try {
    sessionStorage.setItem(KEY, token);
  } catch (error) {
    unkept = String(error);
  }
};

/** Forgets the token, and what else is kept for this tab. */
export const forget = (): void => {
  try {
    sessionStorage.clear();
  } catch {
    // It was not kept either.
  }
};

/** Returns the subject of a token, without checking it; empty: it is no token. */
export const subjectOf = (token: string): string => {
  const parts = token.split(".");
  if (parts.length !== PARTS) return "";
  try {
    const base64 = (parts[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const subject = (claims as { sub?: unknown }).sub;
    return typeof subject === "string" ? subject : "";
  } catch {
    return "";
  }
};

/** Returns where clients connect: the WebSocket beside this page. */
export const clientUrl = (): string => {
  const url = new URL("api/v1/connect/ws", new URL(".", location.href));
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = url.search = "";
  return url.href;
};
