// The status page: draws what /events tells, and keeps nothing.
//
// All text of the daemon is put into text nodes: names of nodes, reasons and labels may
// have been chosen by others.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = 180;
/** Without any event for so long, the connection is taken for dead. */
const SILENCE_MS = 6000;
const RETRY_MS = [500, 1000, 2000, 5000];
const MOST_ROWS = 400;

const DAEMONS = {
  connect: "holds the connections of clients",
  message: "accepts, numbers and stores messages",
};

/** What /status has that the page shows in a place of its own. */
const SHOWN = new Set([
  "version", "daemon", "node", "phase", "since", "uptime_s", "ready", "degraded",
  "reason", "in_words", "alarms", "dependencies", "figures", "refusals", "nodes",
]);

/** Figures that should be 0. */
const SHOULD_BE_ZERO = new Set(["dead_letters", "pushes_missed"]);

/** Characters that a browser would obey: changes of direction, ends of lines. */
const OBEYED = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const at = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

let history = null;
let status = null;
/** The clock of the daemon minus that of this browser, in ms. */
let skew = 0;
let heardAt = 0;
let lostAt = 0;
let lostReason = "";
let announced = "";

// ---------------------------------------------------------------- text

function put(element, text) {
  const wanted = String(text).replace(OBEYED, "\ufffd");
  if (element.textContent !== wanted) element.textContent = wanted;
}

function made(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) put(element, text);
  return element;
}

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const spaced = (name) => name.replaceAll("_", " ");
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const ago = (time) => Date.now() + skew - Date.parse(time);

function amount(value, unit) {
  if (unit === "rate") {
    const rate = value / 1000;
    return `${rate < 100 ? tenths.format(rate) : whole.format(Math.round(rate))}/s`;
  }
  if (unit === "ms") return value < 1000 ? `${value} ms` : `${tenths.format(value / 1000)} s`;
  return whole.format(value);
}

// ---------------------------------------------------------------- tables

/**
 * Fills a table; cells that stay the same are not touched, so that selected text and the
 * place of a screen reader stay.
 *
 * A cell is a text, or {text, state, title, short, href}.
 */
function fill(body, rows) {
  const labels = [...body.parentElement.querySelectorAll("th")].map((th) => th.textContent);
  const most = rows.slice(0, MOST_ROWS);
  while (body.rows.length > most.length) body.deleteRow(-1);
  most.forEach((cells, index) => {
    const row = body.rows[index] ?? body.insertRow();
    row.setAttribute("role", "row");
    cells.forEach((given, column) => {
      const cell = typeof given === "object" ? given : { text: given };
      const td = row.cells[column] ?? row.insertCell();
      td.setAttribute("role", "cell");
      td.dataset.label = labels[column] ?? "";
      td.classList.toggle("short", Boolean(cell.short));
      if (cell.title) td.title = cell.title;
      if (cell.state) {
        const inner = td.firstElementChild ?? td.appendChild(made("span", "state"));
        inner.dataset.state = cell.state;
        put(inner, cell.text);
      } else if (cell.href) {
        const link = td.querySelector("a") ?? (put(td, ""), td.appendChild(made("a")));
        link.href = cell.href;
        link.rel = "noreferrer";
        put(link, cell.text);
      } else {
        put(td, cell.text);
      }
    });
  });
}

const since = (time) => ({ text: span(ago(time)), title: new Date(time).toLocaleString(), short: true });

function dependencyState({ state, required }) {
  if (state === "up") return { text: "up", state: "good" };
  if (state === "stopped") return { text: "stopped", state: "idle" };
  const text = state === "down" ? "given up" : "connecting";
  return { text, state: required ? "bad" : "warn" };
}

function nextTry({ state, next_try: next, attempts }) {
  if (state === "up" || state === "stopped") return "";
  if (state === "down") return "none";
  if (!next) return attempts ? "now" : "";
  const wait = -ago(next);
  return wait > 0 ? `in ${Math.ceil(wait / 1000)} s` : "now";
}

function showDependencies(dependencies) {
  fill(at("dependencies"), dependencies.map((d) => [
    d.name,
    dependencyState(d),
    since(d.since),
    whole.format(d.losses),
    d.attempts ? whole.format(d.attempts) : "",
    { text: nextTry(d), short: true },
    d.state === "up" ? "" : d.last_error,
  ]));
}

function showNodes(document) {
  const nodes = document[document.daemon]?.nodes ?? [];
  const own = [
    document.node, capital(document.daemon), readinessState(document),
    since(document.since), "this node",
  ];
  fill(at("nodes"), [own, ...nodes.map((node) => [
    /^https?:/.test(node.page ?? "") ? { text: node.node, href: node.page } : node.node,
    capital(node.kind),
    node.up ? { text: "answers", state: "good" } : { text: "does not answer", state: "bad" },
    since(node.since),
    node.about,
  ])]);
}

function showRefusals(refusals) {
  const rows = Object.entries(refusals).flatMap(([what, reasons]) =>
    Object.entries(reasons)
      .sort((a, b) => b[1] - a[1])
      .map(([reason, count]) => [capital(spaced(what)), spaced(reason), whole.format(count)]));
  at("no-refusals").hidden = rows.length > 0;
  at("refusals-table").hidden = rows.length === 0;
  fill(at("refusals"), rows);
}

function flattened(value, path, found) {
  if (value !== null && typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) {
      const name = Array.isArray(value) ? String(Number(key) + 1) : spaced(key);
      if (key !== "nodes" && (path.length || !SHOWN.has(key))) flattened(inner, [...path, name], found);
    }
  } else {
    found.push([path.join(" \u203a "), typeof value === "number" ? whole.format(value) : String(value)]);
  }
  return found;
}

// ---------------------------------------------------------------- readiness and figures

function readinessState({ ready, degraded }) {
  if (!ready) return { text: "not ready", state: "bad" };
  return degraded ? { text: "degraded", state: "warn" } : { text: "ready", state: "good" };
}

function showReadiness(document) {
  const { state, text } = readinessState(document);
  at("readiness").dataset.state = state;
  put(at("sentence"), document.in_words);
  // A screen reader is told changes of the state, not each second of a countdown.
  if (announced !== text) {
    announced = text;
    put(at("announcement"), document.in_words);
  }
  const alarms = at("alarms");
  alarms.hidden = document.alarms.length === 0;
  while (alarms.children.length > document.alarms.length) alarms.lastChild.remove();
  document.alarms.forEach((alarm, index) => {
    const item = alarms.children[index] ?? alarms.appendChild(made("li"));
    put(item, `${spaced(alarm.name)}, for ${span(ago(alarm.since))}: ${alarm.reason}`);
  });
}

function showFigures(figures) {
  const list = at("figures");
  for (const [name, value] of Object.entries(figures)) {
    let tile = list.querySelector(`[data-name="${CSS.escape(name)}"]`);
    if (!tile) {
      tile = list.appendChild(made("div"));
      tile.dataset.name = name;
      const about = made("dd", "about", history?.figures?.[name] ?? "");
      tile.append(made("dt", "", capital(spaced(name))), made("dd", "value"), about);
    }
    tile.dataset.state = SHOULD_BE_ZERO.has(name) && value ? "bad" : "";
    put(tile.querySelector(".value"), whole.format(value));
  }
}

function showStatus() {
  const { daemon, node, version } = status;
  const name = capital(daemon);
  const { text } = readinessState(status);
  document.title = `${text}: ${name} ${node}`;
  put(at("daemon"), `wsmsg ${name}`);
  put(at("about"), `${name} ${DAEMONS[daemon] ?? "is a part of wsmsg"}. Node ${node}, version ${version}, up for ${span(ago(status.since))}.`);
  showReadiness(status);
  showFigures(status.figures);
  showDependencies(status.dependencies);
  showNodes(status);
  showRefusals(status.refusals);
  if (document.querySelector("details").open) fill(at("all"), flattened(status, [], []));
}

// ---------------------------------------------------------------- charts

/** The lowest of 1, 2, 3, 5, 10, ... that is not below a value. */
function roundedUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 3, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/** The lines of one chart: for each series, a value for each sample. */
function linesOf(index) {
  const before = history.charts.slice(0, index).reduce((n, c) => n + c.series.length, 0);
  return history.charts[index].series.map((_, line) =>
    history.samples.map((sample) => (sample ? sample[before + line] : null)));
}

const x = (index, count) => KEPT - count + index;

function pathOf(values, top, closed) {
  let path = "";
  let first = null;
  values.forEach((value, index) => {
    if (value === null) {
      if (closed && first !== null) path += `V100H${first}Z`;
      first = null;
      return;
    }
    const place = x(index, values.length);
    path += `${first === null ? "M" : "L"}${place} ${(100 - (100 * value) / top).toFixed(1)}`;
    first ??= place;
  });
  return closed && first !== null ? `${path}V100H${first}Z` : path;
}

class Chart {
  constructor(index) {
    const { title, about, series } = history.charts[index];
    this.index = index;
    this.cursor = null;
    this.element = made("figure");
    const caption = made("figcaption");
    caption.append(made("strong", "", title), made("span", "", about));
    this.svg = drawn("svg", { viewBox: `0 0 ${KEPT - 1} 100`, preserveAspectRatio: "none", role: "img" });
    for (const y of [0, 50, 100]) this.svg.append(drawn("line", { class: "grid", x1: 0, x2: KEPT - 1, y1: y, y2: y }));
    this.area = this.svg.appendChild(drawn("path", { class: "fill line-0" }));
    this.lines = series.map((_, line) => this.svg.appendChild(drawn("path", { class: `line line-${line}` })));
    this.mark = this.svg.appendChild(drawn("path", { class: "cursor" }));
    this.most = made("span", "most");
    this.most.ariaHidden = "true";
    const plot = made("div", "plot");
    plot.append(this.svg, this.most);
    const axis = made("div", "axis");
    axis.ariaHidden = "true";
    this.when = made("span", "", "now");
    axis.append(made("span", "", "15 min ago"), this.when);
    const legend = made("ul", "legend");
    this.values = series.map((name, line) => {
      const item = made("li");
      const sample = drawn("svg", { viewBox: "0 0 20 6", "aria-hidden": "true" });
      sample.append(drawn("path", { class: `line line-${line}`, d: "M0 3H20" }));
      const value = made("b");
      item.append(sample, made("span", "", name), value);
      legend.append(item);
      return value;
    });
    this.element.append(caption, plot, axis, legend);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => { this.cursor = null; this.draw(); });
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const place = Math.round(((event.clientX - box.left) / box.width) * (KEPT - 1));
    const index = place - KEPT + history.samples.length;
    this.cursor = index >= 0 && index < history.samples.length ? KEPT - 1 - place : null;
    this.draw();
  }

  draw() {
    const { title, unit, series } = history.charts[this.index];
    const lines = linesOf(this.index);
    const most = Math.max(0, ...lines.flat());
    const top = roundedUp(unit === "rate" ? Math.max(most, 1000) : Math.max(most, unit === "ms" ? 10 : 1));
    put(this.most, amount(top, unit));
    lines.forEach((values, line) => this.lines[line].setAttribute("d", pathOf(values, top, false)));
    this.area.setAttribute("d", pathOf(lines[0], top, true));
    const back = this.cursor ?? 0;
    this.mark.setAttribute("d", this.cursor === null ? "" : `M${KEPT - 1 - back} 0V100`);
    put(this.when, this.cursor === null ? "now" : `${span(back * history.interval_s * 1000)} ago`);
    const told = series.map((name, line) => {
      const value = lines[line].at(-1 - back);
      put(this.values[line], value === null || value === undefined ? "no sample" : amount(value, unit));
      const now = lines[line].at(-1) ?? 0;
      return `${name} ${amount(now, unit)} now, at most ${amount(Math.max(0, ...lines[line]), unit)}`;
    });
    this.svg.setAttribute("aria-label", `${title} in the last 15 minutes: ${told.join("; ")}`);
  }
}

let charts = [];

function showCharts() {
  const known = charts.map((chart) => chart.element);
  if (charts.length !== history.charts.length) {
    for (const element of known) element.remove();
    charts = history.charts.map((_, index) => new Chart(index));
    at("charts").dataset.count = charts.length;
    at("charts").append(...charts.map((chart) => chart.element));
  }
  for (const chart of charts) chart.draw();
}

// ---------------------------------------------------------------- events

const RECEIVED = {
  history(data) {
    history = data;
    showCharts();
  },
  sample(data) {
    if (!history) return;
    history.samples = [...history.samples, data].slice(-KEPT);
    showCharts();
  },
  status(data) {
    status = data;
    skew = Date.parse(data.since) + data.uptime_s * 1000 - Date.now();
    showStatus();
  },
};

function received(text) {
  let name = "message";
  let data = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (!Object.hasOwn(RECEIVED, name)) return;
  try {
    RECEIVED[name](JSON.parse(data));
  } catch (error) {
    console.info(error);
    throw new Error(`the event ${name} is not understood`);
  }
}

class Refused extends Error {}

async function reasonOf(response) {
  try {
    const { detail } = await response.json();
    return typeof detail === "string" ? detail : `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}

/** Reads the events of one connection, until it ends. */
async function read(key, opened) {
  const abort = new AbortController();
  let silence = setTimeout(() => abort.abort(), SILENCE_MS);
  try {
    const response = await fetch("events", {
      headers: { authorization: `Bearer ${key}` }, cache: "no-store", signal: abort.signal,
    });
    if (!response.ok) {
      const reason = await reasonOf(response);
      throw response.status === 401 || response.status === 403 ? new Refused(reason) : new Error(reason);
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let waiting = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
      const events = (waiting + value).split("\n\n");
      waiting = events.pop();
      heardAt = Date.now();
      for (const event of events) received(event);
      if (events.length) opened();
    }
  } finally {
    clearTimeout(silence);
    abort.abort();
  }
}

function live(state, text) {
  at("live").dataset.state = state;
  put(at("live"), text);
}

function showBoard(shown) {
  at("gate").hidden = shown;
  at("board").hidden = !shown;
}

/** Says that the daemon does not answer, and for how long; called each second. */
function showLost() {
  if (!lostAt) return;
  const text = `This node has not answered for ${span(Date.now() - lostAt)}.`;
  put(at("sentence"), text);
  put(at("stale"), `${lostReason} It told last: ${status.in_words}`.trim());
  if (announced !== "lost") {
    announced = "lost";
    put(at("announcement"), text);
    document.title = "no answer: wsmsg status";
  }
}

function isLost(reason) {
  lostAt ||= heardAt || Date.now();
  live("lost", "No answer");
  at("board").dataset.state = "lost";
  at("readiness").dataset.state = "bad";
  at("stale").hidden = false;
  lostReason = reason;
  showLost();
}

/** Follows the events for as long as the page is open, or until the key is refused. */
async function follow(key) {
  let failures = 0;
  const opened = () => {
    failures = 0;
    lostAt = 0;
    at("stale").hidden = true;
    at("board").dataset.state = "";
    showBoard(true);
    live("live", "Live");
  };
  for (;;) {
    let reason = "";
    try {
      await read(key, opened);
    } catch (error) {
      if (error instanceof Refused || (error instanceof TypeError && !status)) throw error;
      if (!(error instanceof TypeError) && error.name !== "AbortError") reason = `${capital(error.message)}.`;
      if (!status) throw error;
    }
    isLost(reason);
    await new Promise((done) => setTimeout(done, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
    failures += 1;
  }
}

at("gate-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = at("key").value.trim();
  at("key").value = "";
  put(at("key-error"), "");
  live("idle", "Connecting");
  try {
    await follow(key);
  } catch (error) {
    showBoard(false);
    live("idle", "Not connected");
    const unanswered = error instanceof TypeError || error.name === "AbortError";
    put(at("key-error"), unanswered ? "The node does not answer, or this is not a key." : capital(error.message));
    at("key").focus();
  }
});

document.querySelector("details").addEventListener("toggle", () => status && showStatus());

setInterval(showLost, 1000);

at("key").focus();
