/**
 * A list that has only its visible rows in the document.
 *
 * Rows have different heights, which are measured when they are shown and estimated
 * before.  Whatever changes (rows before or after, heights, the width), the first visible
 * row stays where it is; at the end of the list, the end stays in sight.
 *
 * While a person scrolls, the list does not touch the scroll position, which would stop
 * the movement: it moves the rows instead, by `shift`, and settles the difference when the
 * scrolling rests.
 */

/** The rows of a list. */
export interface Rows {
  readonly count: number;
  /** Returns the name of a row, which stays the same wherever the row is. */
  key(index: number): string;
  /** Returns the element of a row, perhaps the one that it had. */
  element(index: number, old: HTMLElement | undefined): HTMLElement;
}

/** Settings of a {@link VirtualList}. */
export interface VirtualListOptions {
  /** The height of a row that has not been measured, in pixels. */
  readonly estimate: number;
  /** Whether the list begins at its end, and stays there when rows are added. */
  readonly follows: boolean;
  /** Called after each change, with the first and last row that are in sight. */
  readonly onView?: (first: number, last: number) => void;
}

const OVERSCAN = 600;
const REST_MS = 120;
const AT_END = 8;
const FAR = 2000;

/** Shows rows in a scrolling element. */
export class VirtualList {
  readonly #viewport: HTMLElement;
  readonly #rows: Rows;
  readonly #options: VirtualListOptions;
  readonly #space = document.createElement("div");
  readonly #band = document.createElement("div");
  readonly #heights = new Map<string, number>();
  readonly #shown = new Map<string, HTMLElement>();
  #offsets: number[] = [0];
  #width = 0;
  #shift = 0;
  #anchor = "";
  #anchorAt = 0;
  #isAtEnd: boolean;
  #isMoving = false;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(viewport: HTMLElement, rows: Rows, options: VirtualListOptions) {
    this.#viewport = viewport;
    this.#rows = rows;
    this.#options = options;
    this.#isAtEnd = options.follows;
    this.#space.className = "space";
    this.#band.className = "band";
    this.#space.append(this.#band);
    viewport.replaceChildren(this.#space);
    viewport.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(viewport);
  }

  /** Whether the end of the list is in sight. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** The pixels between what is in sight and the end of the list. */
  get beyond(): number {
    const { scrollTop, clientHeight } = this.#viewport;
    return Math.max(0, this.#total + this.#shift - scrollTop - clientHeight);
  }

  /** The element that has the rows. */
  get band(): HTMLElement {
    return this.#band;
  }

  /** Forgets everything about the rows: others come in their place. */
  reset(atEnd = this.#options.follows): void {
    this.#heights.clear();
    this.#anchor = "";
    this.#shift = 0;
    this.#isAtEnd = atEnd;
    this.#viewport.scrollTop = 0;
  }

  /** Shows the rows as they are now. */
  update(): void {
    this.#measureAll();
    this.#keep();
    this.#show();
  }

  /** Stays where it is when the rows grow, also at the end. */
  hold(): void {
    this.#isAtEnd = false;
  }

  /** Scrolls to the end. */
  toEnd(): void {
    this.#isAtEnd = true;
    this.update();
  }

  /** Scrolls so that a row is in sight, near the top if `at` is a number of pixels. */
  toRow(index: number, at?: number): void {
    this.#settle();
    const { scrollTop, clientHeight } = this.#viewport;
    const [top, bottom] = [this.#offsets[index] ?? 0, this.#offsets[index + 1] ?? 0];
    if (at === undefined) {
      if (top < scrollTop) this.#viewport.scrollTop = top;
      else if (bottom > scrollTop + clientHeight) this.#viewport.scrollTop = bottom - clientHeight;
    } else {
      this.#viewport.scrollTop = Math.max(0, top - at);
    }
    this.#look();
    this.#show();
    // The rows that came into sight have their true heights now.
    if (at !== undefined) this.#viewport.scrollTop = Math.max(0, (this.#offsets[index] ?? 0) - at);
  }

  /** Returns the element of a row that is in the document. */
  shown(key: string): HTMLElement | undefined {
    return this.#shown.get(key);
  }

  get #total(): number {
    return this.#offsets.at(-1) ?? 0;
  }

  #scrolled(): void {
    this.#isMoving = true;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#rested(), REST_MS);
    this.#look();
    this.#show();
  }

  #rested(): void {
    this.#isMoving = false;
    this.#settle();
    this.#show();
  }

  #resized(): void {
    const width = this.#viewport.clientWidth;
    if (width !== this.#width) this.#heights.clear();
    this.#width = width;
    this.update();
  }

  /** Notes which row is in sight, and where. */
  #look(): void {
    const { scrollTop } = this.#viewport;
    this.#isAtEnd = this.beyond <= AT_END;
    const at = scrollTop - this.#shift;
    const index = this.#indexAt(at);
    this.#anchor = this.#rows.count ? this.#rows.key(index) : "";
    this.#anchorAt = at - (this.#offsets[index] ?? 0);
  }

  /** Brings the row that was in sight back to where it was, without scrolling. */
  #keep(): void {
    const { scrollTop, clientHeight } = this.#viewport;
    if (this.#isAtEnd && this.#options.follows) {
      this.#shift = 0;
      this.#stretch();
      this.#viewport.scrollTop = Math.max(0, this.#total - clientHeight);
      return;
    }
    const index = this.#anchor ? this.#indexOf(this.#anchor) : -1;
    if (index < 0) return this.#look();
    const at = (this.#offsets[index] ?? 0) + this.#anchorAt;
    this.#shift = scrollTop - at;
    const nearTop = scrollTop < clientHeight && this.#shift < 0;
    if (!this.#isMoving || nearTop || Math.abs(this.#shift) > FAR) this.#settle();
  }

  /** Scrolls by what the rows were moved. */
  #settle(): void {
    if (!this.#shift) return;
    const { scrollTop } = this.#viewport;
    const to = scrollTop - this.#shift;
    this.#shift = 0;
    this.#stretch();
    this.#viewport.scrollTop = to;
    this.#look();
  }

  #stretch(): void {
    this.#space.style.height = `${Math.max(0, Math.ceil(this.#total + this.#shift))}px`;
  }

  #show(): void {
    const { count } = this.#rows;
    for (let pass = 0; pass < 4; pass++) {
      const { scrollTop, clientHeight } = this.#viewport;
      const at = scrollTop - this.#shift;
      const first = Math.max(0, this.#indexAt(at - OVERSCAN));
      const end = count ? Math.min(count, this.#indexAt(at + clientHeight + OVERSCAN) + 1) : 0;
      this.#fill(first, end);
      this.#stretch();
      const top = (this.#offsets[first] ?? 0) + this.#shift;
      this.#band.style.transform = `translateY(${top}px)`;
      if (!this.#measure(first, end)) break;
      this.#measureAll();
      this.#keep();
    }
    this.#tell();
  }

  #tell(): void {
    const { scrollTop, clientHeight } = this.#viewport;
    const at = scrollTop - this.#shift;
    const first = this.#indexAt(at);
    let last = Math.min(this.#rows.count - 1, this.#indexAt(at + clientHeight));
    // A row is in sight when its end is.
    while (last >= 0 && (this.#offsets[last + 1] ?? 0) > at + clientHeight + AT_END) last -= 1;
    this.#options.onView?.(first, last);
  }

  #fill(first: number, end: number): void {
    const keys = new Set<string>();
    for (let i = first; i < end; i++) keys.add(this.#rows.key(i));
    // Removed first, so that no other row is moved: one that moves loses the focus.
    for (const [key, element] of this.#shown) {
      if (keys.has(key)) continue;
      // Keys still work when the row that had the focus is out of sight.
      if (element.contains(document.activeElement)) this.#viewport.focus({ preventScroll: true });
      element.remove();
      this.#shown.delete(key);
    }
    let next: ChildNode | null = this.#band.firstChild;
    for (let i = first; i < end; i++) {
      const key = this.#rows.key(i);
      const old = this.#shown.get(key);
      const element = this.#rows.element(i, old);
      this.#shown.set(key, element);
      if (old && old !== element) {
        if (old === next) next = element;
        old.replaceWith(element);
      }
      if (element === next) next = element.nextSibling;
      else this.#band.insertBefore(element, next);
    }
  }

  /** Measures the rows in the document.  Returns whether a height has changed. */
  #measure(first: number, end: number): boolean {
    let changed = false;
    for (let i = first; i < end; i++) {
      const key = this.#rows.key(i);
      const height = this.#shown.get(key)?.getBoundingClientRect().height ?? 0;
      const known = this.#heights.get(key);
      if (known === undefined || Math.abs(known - height) > 0.4) {
        this.#heights.set(key, height);
        changed ||= Math.abs((known ?? this.#options.estimate) - height) > 0.4;
      }
    }
    return changed;
  }

  #measureAll(): void {
    const { count } = this.#rows;
    const offsets = new Array<number>(count + 1);
    let sum = (offsets[0] = 0);
    for (let i = 0; i < count; i++) {
      sum += this.#heights.get(this.#rows.key(i)) ?? this.#options.estimate;
      offsets[i + 1] = sum;
    }
    this.#offsets = offsets;
    if (this.#heights.size > 4 * count + 1000) {
      const keys = new Set(Array.from({ length: count }, (_, i) => this.#rows.key(i)));
      for (const key of this.#heights.keys()) if (!keys.has(key)) this.#heights.delete(key);
    }
  }

  #indexOf(key: string): number {
    for (let i = 0; i < this.#rows.count; i++) if (this.#rows.key(i) === key) return i;
    return -1;
  }

  /** Returns the row at a height, the first or the last one if there is none. */
  #indexAt(height: number): number {
    let [low, high] = [0, Math.max(0, this.#rows.count - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#offsets[middle] ?? 0) <= height) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
