/** Elements, made without HTML text: what people write can never become markup. */

type Child = Node | string | undefined | false;

/** Attributes of an element; `undefined` and `false` leave one out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element. */
export const h = <K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: readonly Child[]
): HTMLElementTagNameMap[K] => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
};

/** Sets an attribute, or removes it where the value is `undefined` or `false`. */
export const set = (
  element: Element, name: string, value: string | number | boolean | undefined,
): void => {
  if (value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
};

/** Returns the element of the page with this id. */
export const byId = <T extends HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
};

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  back: "M15 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.6-3.6 3-5.5 6.5-5.500S15 16.4 15.5 20M16 4.500a3.3 3.3 0 0 1 0 6.300M18 14.800c2 .7 3.2 2.4 3.5 5.2",
  send: "M4 12l16-8-6 16-3-6.500z",
  down: "M12 5v14M6 13l6 6 6-6",
  out: "M14 4h5v16h-5M4 12h10M10 8l4 4-4 4",
  info: "M12 11v6M12 7.500v.2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13",
  close: "M6 6l12 12M18 6L6 18",
  waiting: "M12 7v5l3 2M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17z",
  one: "M5 12.500l4.5 4.500L19 7",
  two: "M2 12.500l4.5 4.500L16 7M10.5 16l1 1L21 7",
  failed: "M12 7.500v6M12 16.500v.2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
} as const;

/** The name of an icon. */
export type Icon = keyof typeof ICONS;

/** Makes an icon, which is hidden from screen readers: put a label beside it. */
export const icon = (name: Icon): SVGSVGElement => {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
};

/** Makes a button with an icon and a label for screen readers. */
export const iconButton = (name: Icon, label: string, onClick: () => void): HTMLButtonElement => {
  const button = h("button", { type: "button", class: "icon-button", title: label, "aria-label": label });
  button.append(icon(name));
  button.addEventListener("click", onClick);
  return button;
};

const COLOURS = 8;

/** Makes the round picture of a user or a group: its first character, in a colour of its own. */
export const avatar = (id: string, name: string, isGroup: boolean): HTMLElement => {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  const [letter = "?"] = new Intl.Segmenter().segment(name)
    [Symbol.iterator]().next().value?.segment.toUpperCase() ?? "?";
  const shown = /^\d+$/.test(name) ? name.slice(-2) : letter;
  const classes = `avatar colour-${sum % COLOURS}${isGroup ? " group" : ""}`;
  return h("span", { class: classes, "aria-hidden": "true" }, shown);
};
