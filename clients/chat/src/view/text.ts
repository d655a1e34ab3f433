/**
 * The text of a message as elements: links, line breaks, and characters that would
 * otherwise hide or reorder what is around them.
 */

import { h } from "./dom.js";

/** Longer texts are cut, with a button that shows the rest. */
export const LONG = 1500;

// Addresses end before a space, a quote, or a character that is not seen.
const LINK = /\bhttps?:\/\/[^\s<>"'`\u0000-\u0020\u007f-\u00a0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/giu;
const TRAILING = /[.,;:!?)\]}]+$/;
// Overrides of the direction, and characters that have no form at all.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202d\u202e]/gu;
const SEEN = /[^\s\p{Cf}\p{Cc}\p{Zs}\u115f\u1160\u2800\u3164\uffa0]/u;

const emoji = (): RegExp | undefined => {
  try {
    return new RegExp("^(?:\\p{RGI_Emoji}){1,3}$", "v");
  } catch {
    return undefined; // A browser of before 2023, which shows them as text.
  }
};

const EMOJI = emoji();

/** Whether a text is some emoji, which are shown larger. */
export const isEmoji = (text: string): boolean => text.length <= 80 && EMOJI?.test(text.trim()) === true;

/** Whether anything of a text can be seen. */
export const isVisible = (text: string): boolean => SEEN.test(text);

/** Returns the first characters of a text, without half a character at the end. */
export const startOf = (text: string, length: number): string => {
  if (text.length <= length) return text;
  const cut = text.slice(0, length);
  const last = cut.charCodeAt(length - 1);
  return last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut;
};

/** Returns the nodes of a text. */
export const textNodes = (text: string): Node[] => {
  const nodes: Node[] = [];
  let at = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = match[0].replace(TRAILING, "");
    const address = addressOf(shown);
    if (!address) continue;
    nodes.push(...plain(text.slice(at, match.index)), link(shown, address));
    at = match.index + shown.length;
  }
  nodes.push(...plain(text.slice(at)));
  return nodes;
};

/** Returns where a link leads; empty: it is none that is followed. */
export const addressOf = (text: string): string => {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : "";
  } catch {
    return "";
  }
};

const link = (text: string, address: string): HTMLElement =>
  h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, text);

const plain = (text: string): Node[] => {
  const nodes: Node[] = [];
  let at = 0;
  for (const { index, 0: character } of text.matchAll(HIDDEN)) {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    if (index > at) nodes.push(new Text(text.slice(at, index)));
    nodes.push(h("span", { class: "hidden-character" }, `U+${code}`));
    at = index + 1;
  }
  if (at < text.length) nodes.push(new Text(text.slice(at)));
  return nodes;
};
