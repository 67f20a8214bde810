/** The report as a reading room: what is shown, and what each hand and key does. */
import { $, isTyping, make, oncePerFrame } from "../../viewer/static/dom.js";
import { listen } from "../../viewer/static/gestures.js";
import { download } from "../../viewer/static/keep.js";
import { Store } from "../../viewer/static/pixels.js";
import { spread } from "../../viewer/static/tone.js";
import { View } from "../../viewer/static/view.js";
import { rulerText, Viewport } from "../../viewer/static/viewport.js";
import { fillList, markCurrent, nameOf, selected } from "./list.js";
import { Marks } from "./marks.js";
import { fillPanel, profile } from "./panel.js";

const FLICKER_MS = 700; // slower than three flashes a second (WCAG 2.3.1)
const WINDOW_STEP = 4; // grey levels a CSS pixel of dragging
const GREY_MAX = 4095;
const SWIPE_GRIP_PX = 22;

const data = JSON.parse($("data").textContent);
const { cases, slices } = data;
const store = new Store({ folder: data.folder });
const scenes = new Map(); // a change's key: promise of its scene
const view = new View();
const marks = new Marks(data.id, cases);
const panes = []; // { figure, canvas, viewport, caption, scale }
const state = {
  list: [], // indices of the cases that the filters leave
  at: 0, // index of the case that is read
  mode: "after",
  tool: "window",
  preset: "film",
  outlines: { box: true, nodule: false, lungs: false },
  swipe: 0.5,
  swiping: false,
  ruler: [],
  cursor: null, // pointer moved by keys, image coordinates
  flicker: 0,
  most: 100,
};

/* --- scenes ------------------------------------------------------------------------------------ */

function sceneOf(where, change) {
  const key = `${where} ${change}`;
  if (!scenes.has(key)) {
    scenes.set(key, load(where, change));
    if (scenes.size > 12) scenes.delete(scenes.keys().next().value);
  }
  return scenes.get(key);
}

async function load(where, change) {
  const slice = slices[where];
  const [before, difference] = await Promise.all(
    [slice.pixels, change].map((key) => store.get(key, slice.width, slice.height)),
  );
  const after = new Uint16Array(before.length); // counts modulo 65536, as the difference does
  for (let i = 0; i < after.length; i++) after[i] = before[i] + difference[i];
  return { ...slice, before, after };
}

const treatmentsOf = (where) => {
  const found = new Map();
  for (const one of cases) {
    if (one.where === where && !found.has(one.change)) found.set(one.change, one);
  }
  return [...found.values()];
};

/* --- show -------------------------------------------------------------------------------------- */

let shownWhere = null;

async function show(index) {
  state.at = index;
  const one = cases[index];
  markCurrent(index);
  fillPanel(data, index, marks.of(index));
  const treatments = state.mode === "methods" ? treatmentsOf(one.where) : [one];
  try {
    const made = await Promise.all(treatments.map((each) => sceneOf(one.where, each.change)));
    if (state.at !== index) return; // meanwhile another box was chosen
    arrange(one, treatments, made);
  } catch (fault) {
    $("fault").textContent = `The radiograph cannot be shown: ${fault.message}`;
    $("fault").hidden = false;
  }
}

function arrange(one, treatments, made) {
  const side = state.mode === "methods";
  const wanted = side
    ? [["before", made[0], one], ...made.map((scene, i) => ["after", scene, treatments[i]])]
    : [[state.mode, made[0], one]];
  while (panes.length < wanted.length) addPane();
  while (panes.length > wanted.length) panes.pop().figure.remove();
  $("films").style.setProperty("--columns", columnsFor(wanted.length));
  wanted.forEach(([mode, scene, treated], i) => {
    const mine = cases.filter((each) => each.change === treated.change && each.where === one.where);
    scene.boxes = mine.map((each) => [...each.box, each.index === one.index]);
    scene.nodules = mine.flatMap((each) => each.nodule);
    panes[i].viewport.show(scene, mode);
    caption(panes[i], mode, treated);
  });
  state.most = mostOf(made[0], one);
  const moved = shownWhere !== one.where;
  if (moved) state.ruler = [];
  if (moved || view.fitted) view.fit(made[0], panes[0].viewport.pane);
  if (state.preset !== "own") applyPreset(made[0], one);
  shownWhere = one.where;
  profile(one, made[0]);
  for (const button of document.querySelectorAll("[data-outline=lungs]")) {
    button.disabled = !made[0].lungs?.length;
    button.title = button.disabled ? "Lungs: no outline is known here" : "Lungs (l)";
  }
  document.querySelector("[data-mode=methods]").disabled = treatmentsOf(one.where).length < 2;
  $("films").dataset.case = state.at;
  press();
  draw();
  ahead(one);
}

/** Unpack the next slice while this one is read. */
function ahead(one) {
  const order = [...new Set(state.list.map((i) => cases[i].where))];
  const next = order[order.indexOf(one.where) + 1];
  const follower = next && cases[state.list.find((i) => cases[i].where === next)];
  if (follower) setTimeout(() => sceneOf(next, follower.change).catch(() => {}), 150);
}

function columnsFor(count) {
  const { clientWidth, clientHeight } = $("films");
  let best = 1;
  let most = 0;
  for (let columns = 1; columns <= count; columns++) {
    const side = Math.min(clientWidth / columns, clientHeight / Math.ceil(count / columns));
    if (side > most) [best, most] = [columns, side];
  }
  return best;
}

function addPane() {
  const canvas = make("canvas", { tabindex: 0, role: "img" });
  const scale = make("span", { class: "scale" });
  const words = make("figcaption");
  const figure = make("figure", {}, canvas, words, scale);
  const pane = { figure, canvas, words, scale, viewport: new Viewport(canvas) };
  $("films").append(figure);
  panes.push(pane);
  hands(pane);
}

const WORDS = { after: "after", before: "before", swipe: "before | after", change: "change" };

function caption(pane, mode, one) {
  const seeds = new Set(treatmentsOf(one.where).map((each) => each.seed)).size > 1;
  const by = mode === "before" ? "" : `, ${one.method}${seeds ? `, seed ${one.seed}` : ""}`;
  pane.mode = mode;
  pane.words.textContent = `${WORDS[mode]}${by}`;
  pane.canvas.setAttribute("aria-label", `${nameOf(one)}: ${WORDS[mode]}${by}`);
}

/** Grey levels of full colour in the picture of the change: its largest in the box. */
function mostOf(scene, one) {
  const [left, top, right, bottom] = one.box;
  let most = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const i = y * scene.width + x;
      most = Math.max(most, Math.abs(scene.after[i] - scene.before[i]));
    }
  }
  return Math.max(10, most * scene.slope);
}

const draw = oncePerFrame(() => {
  for (const pane of panes) {
    pane.viewport.draw(view, {
      shown: state.outlines, ruler: state.ruler, cursor: state.cursor,
      swipe: state.swipe, most: state.most,
    }); // prettier-ignore
    const change = pane.viewport.mode === "change" ? `±${Math.round(state.most)} grey levels, ` : "";
    pane.scale.textContent = `${change}${(view.scale * 100).toFixed(0)} %`;
  }
  const one = cases[state.at];
  const slice = slices[one.where];
  const order = Object.keys(slices);
  $("where").textContent =
    `slice ${order.indexOf(one.where) + 1} of ${order.length}, ` +
    `level ${Math.round(view.level)}, width ${Math.round(view.width)}`;
  const length = rulerText(state.ruler.length ? state.ruler : [[0, 0]], slice.spacing);
  if (length) $("values").textContent = `ruler ${length}`;
});

function values([x, y]) {
  const scene = panes[0]?.viewport.scene;
  if (!scene) return;
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= scene.width || row >= scene.height) {
    $("values").textContent = "\u00a0";
    return;
  }
  const i = row * scene.width + column;
  const level = (value) => (value * scene.slope).toFixed(scene.slope < 1 ? 1 : 0);
  const change = scene.after[i] - scene.before[i];
  $("values").textContent =
    `x ${column}, y ${row}: before ${level(scene.before[i])}, after ${level(scene.after[i])}` +
    ` (${change < 0 ? "−" : "+"}${level(Math.abs(change))})`;
}

/* --- window ------------------------------------------------------------------------------------ */

function applyPreset(scene, one) {
  const [left, top, right, bottom] = one.box;
  const margin = Math.max(right - left, bottom - top) / 2;
  const around = [left - margin, top - margin, right + margin, bottom + margin];
  const [low, high] = {
    film: () => spread(scene, [0.005, 0.995]),
    nodule: () => spread(scene, [0.005, 0.998], around),
    full: () => [0, GREY_MAX],
    bright: () => [GREY_MAX / 2, GREY_MAX],
    dark: () => [0, GREY_MAX / 2],
  }[state.preset]();
  setWindow((low + high) / 2, high - low);
}

function setWindow(level, width) {
  view.window(level, width);
  for (const [name, value] of [["level", level], ["width", width]]) {
    $(name).value = value;
    document.querySelector(`output[for=${name}]`).value = Math.round(value);
  }
  draw();
}

function choosePreset(name) {
  state.preset = name;
  $("preset").value = name;
  if (name !== "own") applyPreset(panes[0].viewport.scene, cases[state.at]);
}

function ownWindow(level, width) {
  choosePreset("own");
  setWindow(level, width);
}

/* --- acts -------------------------------------------------------------------------------------- */

function setMode(mode) {
  if (mode === "methods" && treatmentsOf(cases[state.at].where).length < 2) return;
  stopFlicker();
  const sides = state.mode === "methods" || mode === "methods";
  state.mode = mode;
  if (sides) show(state.at);
  else remode(mode);
}

function remode(mode) {
  for (const pane of panes) {
    pane.viewport.mode = mode;
    caption(pane, mode, cases[state.at]);
  }
  press();
  draw();
}

const swap = () => setMode(state.mode === "after" ? "before" : "after");

function stopFlicker() {
  clearInterval(state.flicker);
  state.flicker = 0;
}

function flicker() {
  if (state.flicker) {
    setMode("after");
    return;
  }
  if (state.mode === "methods") setMode("after");
  state.mode = "after";
  state.flicker = setInterval(() => {
    state.mode = state.mode === "after" ? "before" : "after";
    remode(state.mode);
  }, FLICKER_MS);
  remode("after");
}

function setTool(tool) {
  state.tool = tool;
  press();
}

function toggleOutline(name) {
  state.outlines[name] = !state.outlines[name];
  press();
  draw();
}

function zoom(factor, px = 0, py = 0) {
  view.zoom(factor, px, py, panes[0].viewport.scene);
  draw();
}

function step(by) {
  const place = state.list.indexOf(state.at) + by;
  if (place >= 0 && place < state.list.length) show(state.list[place]);
}

function stepSlice(by) {
  const order = [...new Set(state.list.map((i) => cases[i].where))];
  const { where, method } = cases[state.at];
  const next = order[order.indexOf(where) + by];
  if (next === undefined) return;
  const there = state.list.filter((i) => cases[i].where === next);
  show(there.find((i) => cases[i].method === method) ?? there[0]);
}

function nextMethod() {
  const one = cases[state.at];
  const same = cases.flatMap((each, i) =>
    each.where === one.where && each.index === one.index ? [i] : [],
  );
  const next = same[(same.indexOf(state.at) + 1) % same.length];
  if (!state.list.includes(next)) refilter(true);
  show(next);
}

function setMark(mark) {
  marks.set(state.at, mark);
  marked();
}

function marked() {
  fillList(data, state.list, marks, show);
  markCurrent(state.at);
  press();
  $("marked-count").value = `${marks.count} of ${cases.length} marked.`;
  if (!marks.works) $("marked-count").value += " This browser keeps nothing: export before leaving.";
}

const ACTS = {
  flicker,
  fit: () => {
    view.fit(panes[0].viewport.scene, panes[0].viewport.pane);
    draw();
  },
  focus: () => {
    view.focus(cases[state.at].box, panes[0].viewport.pane);
    draw();
  },
  in: () => zoom(1.25),
  out: () => zoom(1 / 1.25),
  inverse: () => {
    view.inverse = !view.inverse;
    press();
    draw();
  },
  full: () => {
    const done = document.fullscreenElement
      ? document.exitFullscreen()
      : $("desk").requestFullscreen?.();
    done?.catch?.(() => {});
  },
  help: () => $("help").showModal(),
  json: () => download("marks.json", "application/json", marks.json()),
  csv: () => download("marks.csv", "text/csv", marks.csv()),
};

/** Show which buttons are down. */
function press() {
  const down = (attribute, is) => {
    for (const button of document.querySelectorAll(`[${attribute}]`)) {
      button.setAttribute("aria-pressed", is(button.getAttribute(attribute)));
    }
  };
  down("data-mode", (mode) => !state.flicker && mode === state.mode);
  down("data-tool", (tool) => tool === state.tool);
  down("data-outline", (name) => state.outlines[name]);
  down("data-mark", (mark) => marks.of(state.at).mark === mark);
  document.querySelector("[data-act=flicker]").setAttribute("aria-pressed", state.flicker > 0);
  document.querySelector("[data-act=inverse]").setAttribute("aria-pressed", view.inverse);
  const pointer = { window: "crosshair", move: "grab", ruler: "cell" }[state.tool];
  for (const pane of panes) pane.canvas.style.cursor = pointer;
}

/* --- hands ------------------------------------------------------------------------------------- */

function hands({ canvas, viewport }) {
  const at = (event) => viewport.toImage(view, event.clientX, event.clientY);
  const across = (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    return (event.clientX - left) / width;
  };
  listen(canvas, {
    hover: (event) => state.tool !== "ruler" && values(at(event)),
    leave: () => {
      if (!state.ruler.length) $("values").textContent = "\u00a0";
    },
    down: (event) => {
      const away = Math.abs(across(event) - state.swipe) * canvas.clientWidth;
      state.swiping = viewport.mode === "swipe" && away < SWIPE_GRIP_PX;
      if (!state.swiping && state.tool === "ruler") state.ruler = [at(event)];
      draw();
    },
    drag: (dx, dy, event) => {
      if (state.swiping) state.swipe = Math.min(1, Math.max(0, across(event)));
      else if (state.tool === "window") {
        ownWindow(view.level + dy * WINDOW_STEP, view.width + dx * WINDOW_STEP);
      } else if (state.tool === "ruler" && state.ruler.length) {
        state.ruler = [state.ruler[0], at(event)];
      } else view.pan(dx, dy, viewport.scene);
      draw();
    },
    cancel: () => {
      if (state.tool === "ruler") state.ruler = [];
      state.swiping = false;
    },
    tap: (event) => {
      if (state.tool === "ruler") state.ruler = [];
      values(at(event));
      draw();
    },
    pan: (dx, dy) => {
      view.pan(dx, dy, viewport.scene);
      draw();
    },
    zoom,
    scroll: (by, boxes) => (boxes ? step(by) : stepSlice(by)),
  });
  new ResizeObserver(() => {
    if (view.fitted && viewport.scene) view.fit(viewport.scene, viewport.pane);
    draw();
  }).observe(canvas);
}

/* --- keys -------------------------------------------------------------------------------------- */

function moveCursor(dx, dy) {
  const { scene } = panes[0].viewport;
  const [x, y] = state.cursor;
  state.cursor = [
    Math.min(scene.width - 0.5, Math.max(0.5, x + dx)),
    Math.min(scene.height - 0.5, Math.max(0.5, y + dy)),
  ];
  if (state.ruler.length !== 2) values(state.cursor);
  draw();
}

function toggleCursor() {
  const [left, top, right, bottom] = cases[state.at].box;
  state.cursor = state.cursor ? null : [(left + right) / 2, (top + bottom) / 2];
  state.ruler = [];
  if (state.cursor) values(state.cursor);
  draw();
}

function enter() {
  if (!state.cursor) ACTS.full();
  else state.ruler = state.ruler.length === 1 ? [state.ruler[0], state.cursor] : [state.cursor];
  draw();
}

function arrow(dx, dy, event) {
  if (event.shiftKey && !state.cursor) {
    view.pan(-40 * dx, -40 * dy, panes[0].viewport.scene);
    draw();
  } else if (state.cursor) moveCursor(dx * (event.shiftKey ? 10 : 1), dy * (event.shiftKey ? 10 : 1));
  else if (dx) step(dx);
  else stepSlice(dy);
}

const KEYS = {
  ArrowLeft: (event) => arrow(-1, 0, event),
  ArrowRight: (event) => arrow(1, 0, event),
  ArrowUp: (event) => arrow(0, -1, event),
  ArrowDown: (event) => arrow(0, 1, event),
  PageUp: () => stepSlice(-1),
  PageDown: () => stepSlice(1),
  a: () => setMode("after"),
  b: () => setMode("before"),
  " ": swap,
  s: () => setMode("swipe"),
  d: () => setMode("change"),
  m: () => setMode(state.mode === "methods" ? "after" : "methods"),
  f: flicker,
  n: nextMethod,
  w: () => setTool("window"),
  v: () => setTool("move"),
  r: () => setTool("ruler"),
  i: ACTS.inverse,
  "+": ACTS.in,
  "=": ACTS.in,
  "-": ACTS.out,
  0: ACTS.fit,
  z: ACTS.focus,
  x: () => toggleOutline("box"),
  o: () => toggleOutline("nodule"),
  l: () => toggleOutline("lungs"),
  c: toggleCursor,
  g: () => setMark("good"),
  h: () => setMark("doubtful"),
  j: () => setMark("bad"),
  "[": () => swipeBy(-0.05),
  "]": () => swipeBy(0.05),
  "?": ACTS.help,
  Enter: enter,
  Escape: () => state.cursor && toggleCursor(),
};
for (const [i, name] of ["film", "nodule", "full", "bright", "dark"].entries()) {
  KEYS[i + 1] = () => choosePreset(name);
}

function swipeBy(share) {
  state.swipe = Math.min(1, Math.max(0, state.swipe + share));
  draw();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open || isTyping(event)) return;
  const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  const pressing = /^(BUTTON|SUMMARY|A|INPUT)$/.test(event.target.tagName);
  if (!act || (pressing && (event.key === " " || event.key === "Enter"))) return;
  event.preventDefault();
  act(event);
});

/* --- page -------------------------------------------------------------------------------------- */

function refilter(all = false) {
  if (all) for (const name of ["method", "signal", "marked"]) $(name).value = "";
  state.list = selected(data, marks);
  fillList(data, state.list, marks, show);
  if (state.list.length && !state.list.includes(state.at)) show(state.list[0]);
  else markCurrent(state.at);
}

function start() {
  for (const [attribute, act] of [["mode", setMode], ["tool", setTool], ["outline", toggleOutline],
    ["mark", setMark], ["act", (name) => ACTS[name]()]]) { // prettier-ignore
    for (const button of document.querySelectorAll(`[data-${attribute}]`)) {
      button.onclick = () => act(button.dataset[attribute]);
    }
  }
  for (const name of ["method", "signal", "marked", "sort", "falling"]) {
    $(name).onchange = () => refilter();
  }
  $("preset").onchange = () => choosePreset($("preset").value);
  for (const name of ["level", "width"]) {
    $(name).oninput = () => ownWindow(+$("level").value, +$("width").value);
  }
  $("word").oninput = () => {
    marks.say(state.at, $("word").value);
    marked();
  };
  document.addEventListener("fullscreenchange", draw);
  addEventListener("beforeprint", () => {
    $("print").replaceChildren(
      ...state.list.map((i) => {
        const { mark, word } = marks.of(i);
        const said = [cases[i].method, mark, word].filter(Boolean).join(", ");
        const figures = Object.entries(data.measures).map(
          ([name, { title, digits, unit }]) =>
            `${title} ${cases[i].measures[name]?.toFixed(digits) ?? "–"} ${unit}`.trim(),
        );
        const words = make("span", {}, `${nameOf(cases[i])}: ${said}. ${figures.join("; ")}.`);
        return make("div", {}, make("img", { src: cases[i].thumb, alt: "" }), words);
      }),
    );
  });
  addEventListener("afterprint", () => $("print").replaceChildren());
  state.list = selected(data, marks);
  marked();
  show(state.list[0]);
}

if (cases.length) start();
