/** A reader study: one case after the other, each answer kept at once. */
import { $, isTyping, make, oncePerFrame } from "../../viewer/static/dom.js";
import { listen } from "../../viewer/static/gestures.js";
import { csv, download, Kept } from "../../viewer/static/keep.js";
import { Store } from "../../viewer/static/pixels.js";
import { spread } from "../../viewer/static/tone.js";
import { View } from "../../viewer/static/view.js";
import { Viewport } from "../../viewer/static/viewport.js";

const WINDOW_STEP = 4; // grey levels a CSS pixel of dragging
const MARK_REACH_PX = 14; // CSS pixels: a click so near to a mark takes it up
const EMPTY = { reader: "", work: "", answers: [], practice: [] };

const data = JSON.parse($("data").textContent);
const { kind, cases } = data;
const store = new Store({ folder: data.folder, limit: 8 });
const kept = new Kept(`nodegen-study-${data.study}`, structuredClone(EMPTY));
const panes = [];
const state = {
  at: 0, // index of the case
  answer: {},
  tool: kind === "marking" ? "mark" : "window",
  box: true,
  told: false, // a practice case that was answered and now tells
  began: 0,
  seconds: 0, // that the case was looked at before the page was hidden
  cursor: null,
};

/* --- the case ---------------------------------------------------------------------------------- */

const done = () => kept.value.practice.length + kept.value.answers.length;

async function open() {
  state.at = done();
  if (state.at >= cases.length) {
    finish();
    return;
  }
  const one = cases[state.at];
  Object.assign(state, { answer: kind === "marking" ? { marks: [] } : {}, told: false, cursor: null });
  const before = cases[state.at - 1];
  $("told").textContent =
    before?.practice && !one.practice ? "That was the practice. From now on nothing is told." : "";
  $("told").className = "";
  const practice = cases.filter((each) => each.practice).length;
  $("progress").textContent = one.practice
    ? `Practice ${state.at + 1} of ${practice}`
    : `Case ${state.at + 1 - practice} of ${cases.length - practice}`;
  while (panes.length < one.panes.length) addPane();
  try {
    const pixels = await Promise.all(one.panes.map((p) => store.get(p.pixels, p.width, p.height)));
    one.panes.forEach((pane, i) => {
      const scene = { ...pane, before: pixels[i], after: pixels[i] };
      scene.boxes = pane.box ? [[...pane.box, true]] : [];
      panes[i].viewport.show(scene, "after");
      panes[i].canvas.setAttribute("aria-label", one.panes.length > 1 ? `Film, ${sideNames()[i].toLowerCase()}` : "Film");
      fit(panes[i]);
      resetWindow(panes[i]);
    });
  } catch (fault) {
    $("fault").textContent = `The film cannot be shown: ${fault.message}`;
    $("fault").hidden = false;
    return;
  }
  state.seconds = 0;
  state.began = performance.now();
  $("films").dataset.case = one.case;
  press();
  draw();
  const next = cases[state.at + 1];
  for (const p of next?.panes ?? []) setTimeout(() => store.get(p.pixels, p.width, p.height), 100);
}

function addPane() {
  const canvas = make("canvas", { tabindex: 0, role: "img" });
  const figure = make("figure", {}, canvas);
  const pane = { canvas, viewport: new Viewport(canvas), view: new View() };
  $("films").append(figure);
  panes.push(pane);
  hands(pane);
  arrange();
}

const isWide = () => $("films").clientWidth > $("films").clientHeight;
const sideNames = () => (isWide() ? ["Left", "Right"] : ["Upper", "Lower"]);

function arrange() {
  $("films").style.setProperty("--columns", isWide() ? panes.length : 1);
  for (const button of document.querySelectorAll("[data-side]")) {
    button.textContent = sideNames()[+button.dataset.side];
  }
}

const fit = ({ view, viewport }) => view.fit(viewport.scene, viewport.pane);

function resetWindow({ view, viewport }) {
  const [low, high] = spread(viewport.scene, [0.005, 0.995]);
  view.window((low + high) / 2, high - low);
}

const draw = oncePerFrame(() => {
  for (const { viewport, view } of panes) {
    const truth = state.told ? cases[state.at].truth : null;
    if (truth?.boxes) viewport.scene.boxes = truth.boxes.map((box) => [...box, true]);
    viewport.draw(view, {
      shown: { box: state.box },
      marks: state.answer.marks ?? [],
      cursor: state.cursor,
    });
  }
});

/* --- the answer -------------------------------------------------------------------------------- */

const complete = () => {
  const { side, confidence, rating, marks } = state.answer;
  if (kind === "choice") return side !== undefined && confidence !== undefined;
  if (kind === "rating") return rating !== undefined;
  return marks.every((mark) => mark.confidence);
};

function say(part) {
  if (state.told) return;
  Object.assign(state.answer, part);
  press();
  draw();
}

function sayConfidence(confidence) {
  if (kind !== "marking") say({ confidence });
  else if (state.answer.marks.length) {
    state.answer.marks.at(-1).confidence = confidence;
    say({});
  }
}

function mark([x, y]) {
  if (state.told) return;
  const { marks } = state.answer;
  const reach = MARK_REACH_PX / panes[0].view.scale;
  const near = marks.findIndex((each) => Math.hypot(each.x - x, each.y - y) < reach);
  if (near >= 0) marks.push(...marks.splice(near, 1));
  else marks.push({ x: Math.round(x * 10) / 10, y: Math.round(y * 10) / 10, confidence: 0 });
  say({});
}

function undo() {
  if (state.told) return;
  state.answer.marks?.pop();
  say({});
}

/** Enter: a practice case tells, any other one is kept; then the next one. */
function next() {
  if (!complete()) return;
  const one = cases[state.at];
  if (one.practice && !state.told) {
    tell(one.truth);
    return;
  }
  if (!state.told) pause();
  const record = { case: one.case, ...state.answer, seconds: Math.round(state.seconds) / 1000, at: new Date().toISOString() };
  kept.value[one.practice ? "practice" : "answers"].push(record);
  if (!kept.save()) {
    $("fault").textContent = "This browser keeps no answers: save them before you close the page.";
    $("fault").hidden = false;
  }
  open();
}

function tell(truth) {
  pause();
  state.told = true;
  const [words, right] = {
    choice: () => {
      const real = truth.kinds.indexOf("real");
      return [`The real one is the ${sideNames()[real].toLowerCase()} one.`, state.answer.side === real];
    },
    rating: () => {
      const said = state.answer.rating;
      const words = { real: "a real nodule", synthetic: "a made nodule", untouched: "no nodule here" };
      const right = { real: said > 3, synthetic: said > 0 && said < 4, untouched: said === 0 };
      return [`It is ${words[truth.kinds[0]]}.`, right[truth.kinds[0]]];
    },
    marking: () => {
      const inside = ({ x, y }) => truth.boxes.some(([l, t, r, b]) => x >= l && x <= r && y >= t && y <= b);
      const hits = state.answer.marks.filter(inside).length;
      const right = hits === truth.boxes.length && hits === state.answer.marks.length;
      return [`${truth.boxes.length || "No"} nodule${truth.boxes.length === 1 ? "" : "s"} here${truth.boxes.length ? ", framed" : ""}.`, right];
    },
  }[kind]();
  $("told").textContent = words;
  $("told").className = right ? "right" : "wrong";
  press();
  draw();
}

function finish() {
  const { reader, answers } = kept.value;
  $("end-words").textContent = `${answers.length} answers by ${reader}. Save them and send the file back.`;
  $("films").dataset.case = "end";
  if (!$("end").open) $("end").showModal();
}

/** Time counts only while the page is seen. */
function pause() {
  if (state.began) state.seconds += performance.now() - state.began;
  state.began = 0;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) pause();
  else if (!state.told && !$("start").open) state.began = performance.now();
});

const fileName = (suffix) => `answers-${kept.value.reader.replace(/[^\w-]+/g, "_") || "reader"}.${suffix}`;

function exported() {
  const { reader, work, answers, practice } = kept.value;
  return `${JSON.stringify({ study: data.study, kind, title: data.title, reader, work, answers, practice }, null, 1)}\n`;
}

function exportedCsv() {
  const rows = kept.value.answers.flatMap(({ case: name, side, rating, confidence, marks, seconds, at }) =>
    (marks ?? [{}]).map((mark) => [name, side, rating, mark.confidence ?? confidence, mark.x, mark.y, seconds, at]),
  );
  return csv([["case", "side", "rating", "confidence", "x", "y", "seconds", "at"], ...rows]);
}

/* --- hands ------------------------------------------------------------------------------------- */

function press() {
  const down = (attribute, is) => {
    for (const button of document.querySelectorAll(`[${attribute}]`)) {
      button.setAttribute("aria-pressed", is(button.getAttribute(attribute)));
    }
  };
  const { side, rating, confidence, marks } = state.answer;
  down("data-side", (value) => +value === side);
  down("data-rating", (value) => +value === rating);
  down("data-confidence", (value) => +value === (marks ? marks.at(-1)?.confidence : confidence));
  down("data-tool", (value) => value === state.tool);
  $("next").disabled = !complete();
  $("next").textContent = cases[state.at]?.practice && !state.told ? "Answer" : "Next";
  if (marks) {
    $("marks-count").value = marks.length || "none";
    $("confidence").hidden = !marks.length;
  }
  document.querySelector("[data-act=inverse]").setAttribute("aria-pressed", panes[0]?.view.inverse ?? false);
  document.querySelector("[data-act=box]")?.setAttribute("aria-pressed", state.box);
}

function all(act) {
  for (const pane of panes) act(pane);
  press();
  draw();
}

const zoomAll = (factor) => all(({ view, viewport }) => view.zoom(factor, 0, 0, viewport.scene));

const ACTS = {
  fit: () => all(fit),
  in: () => zoomAll(1.25),
  out: () => zoomAll(1 / 1.25),
  inverse: () => all(({ view }) => { view.inverse = !view.inverse; }),
  reset: () => all(resetWindow),
  box: () => {
    state.box = !state.box;
    all(() => {});
  },
  undo,
  help: () => {
    pause();
    begin();
  },
  export: () => download(fileName("json"), "application/json", exported()),
  "export-csv": () => download(fileName("csv"), "text/csv", exportedCsv()),
  again: () => {
    kept.clear(structuredClone(EMPTY));
    $("end").close();
    $("reader").value = $("work").value = "";
    begin();
  },
};

function hands({ canvas, viewport, view }) {
  const at = (event) => viewport.toImage(view, event.clientX, event.clientY);
  const pan = (dx, dy) => {
    view.pan(dx, dy, viewport.scene);
    draw();
  };
  listen(canvas, {
    drag: (dx, dy) => {
      if (state.tool === "move") pan(dx, dy);
      else if (state.tool === "window") {
        view.window(view.level + dy * WINDOW_STEP, view.width + dx * WINDOW_STEP);
        draw();
      }
    },
    tap: (event) => state.tool === "mark" && mark(at(event)),
    pan,
    zoom: (factor, px, py) => {
      view.zoom(factor, px, py, viewport.scene);
      draw();
    },
  });
  new ResizeObserver(() => {
    arrange();
    if (view.fitted && viewport.scene) view.fit(viewport.scene, viewport.pane);
    draw();
  }).observe(canvas);
}

function arrow(dx, dy, { shiftKey }) {
  if (state.cursor) {
    const step = shiftKey ? 10 : 2;
    state.cursor = [state.cursor[0] + dx * step, state.cursor[1] + dy * step];
    draw();
  } else if (kind === "choice" && dx) say({ side: dx > 0 ? 1 : 0 });
}

function key(event) {
  const digit = "0123456".indexOf(event.key);
  if (event.key === "Enter") next();
  else if (event.key.startsWith("Arrow")) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    arrow(dx, dy, event);
  } else if (kind === "rating" && digit >= 0) say({ rating: digit });
  else if (kind === "rating" && event.key === "n") say({ rating: 0 });
  else if (digit > 0 && digit <= (kind === "choice" ? 3 : 4)) sayConfidence(digit);
  else if (kind === "marking" && event.key === "c") {
    state.cursor = state.cursor ? null : [panes[0].view.x, panes[0].view.y];
    draw();
  } else if (event.key === " " && state.cursor) mark(state.cursor);
  else if (event.key === "Backspace") undo();
  else {
    const act = { f: "fit", 0: "fit", "+": "in", "=": "in", "-": "out", i: "inverse", p: "reset", x: "box", "?": "help" }[event.key];
    const tool = { w: "window", v: "move", k: "mark" }[event.key];
    if (tool && document.querySelector(`[data-tool=${tool}]`)) {
      state.tool = tool;
      press();
    } else if (act) ACTS[act]();
    else return false;
  }
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  if ($("start").open || $("end").open) return;
  const pressing = event.target.tagName === "BUTTON" && event.target.id !== "next";
  if (pressing && (event.key === " " || event.key === "Enter")) return;
  if (key(event)) event.preventDefault();
});

function begin() {
  $("reader").value = kept.value.reader;
  $("work").value = kept.value.work;
  $("begin").textContent = done() ? "Go on" : "Begin";
  $("start").showModal();
}

for (const [name, act] of [["act", (value) => ACTS[value]()], ["side", (value) => say({ side: +value })],
  ["rating", (value) => say({ rating: +value })], ["confidence", (value) => sayConfidence(+value)],
  ["tool", (value) => { state.tool = value; press(); }]]) {
  for (const button of document.querySelectorAll(`[data-${name}]`)) button.onclick = () => act(button.dataset[name]);
}
$("answer").onsubmit = (event) => {
  event.preventDefault();
  next();
};
$("start").addEventListener("cancel", (event) => event.preventDefault());
$("end").addEventListener("cancel", (event) => event.preventDefault());
$("start").addEventListener("close", () => {
  kept.value.reader = $("reader").value.trim();
  kept.value.work = $("work").value.trim();
  kept.save();
  if (done() === state.at && $("films").dataset.case === cases[state.at]?.case) state.began = performance.now();
  else open();
});
begin();
