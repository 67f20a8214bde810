/** What buttons, keys and the pointer do. */
import { $ } from "../../viewer/static/dom.js";
import { chooseJson, download } from "../../viewer/static/storage.js";
import { draw } from "./draw.js";
import { fillList, markCurrent, selected } from "./list.js";
import {
  bareSlice, cases, current, data, marks, order, paneSize, panes, shownScene, slices, state, treatmentsOf,
  view,
} from "./state.js"; // prettier-ignore
import { caption, press, reopen, show, showBare } from "./show.js";

const FLICKER_MS = 700; // slower than three flashes a second (WCAG 2.3.1)

const isSeveral = (mode) => mode === "side" || mode === "methods";

/** Show after, before, swipe or change in one pane; or both sides, or all methods, in several. */
export function setMode(mode) {
  if (mode === "methods" && treatmentsOf(current().where).length < 2) return;
  stopFlicker();
  const several = isSeveral(state.mode) || isSeveral(mode);
  state.mode = mode;
  if (several) reopen();
  else remode(mode);
}

/** A mode of several panes; once more, back to one. */
export const toggleMode = (mode) => setMode(state.mode === mode ? "after" : mode);

function remode(mode) {
  for (const pane of panes) {
    pane.viewport.mode = mode;
    caption(pane, mode, current());
  }
  press();
  draw();
}

export const swap = () => setMode(state.mode === "after" ? "before" : "after");

function stopFlicker() {
  clearInterval(state.flicker);
  state.flicker = 0;
}

export function flicker() {
  if (state.flicker) {
    setMode("after");
    return;
  }
  if (isSeveral(state.mode)) setMode("after");
  state.mode = "after";
  state.flicker = setInterval(() => {
    state.mode = state.mode === "after" ? "before" : "after";
    remode(state.mode);
  }, FLICKER_MS);
  remode("after");
}

export function setTool(tool) {
  state.tool = tool;
  state.loupe = null;
  press();
  draw();
}

export function toggleOutline(name) {
  state.outlines[name] = !state.outlines[name];
  press();
  draw();
}

export function zoom(factor, px = 0, py = 0) {
  view.zoom(factor, px, py, shownScene());
  draw();
}

export function step(by) {
  const { list } = state;
  let next = list[list.indexOf(state.at) + by];
  if (state.bare) {
    const away = (i) => (order.indexOf(cases[i].where) - order.indexOf(state.bare.where)) * by;
    next = list.filter((i) => away(i) > 0).sort((a, b) => away(a) - away(b) || (a - b) * by)[0];
  }
  if (next !== undefined) show(next);
}

export const stepSlice = (by) => toSlice(order[order.indexOf(current().where) + by]);

/** Show a slice: its first box of the list, by the method that is shown; else the slice by itself. */
export function toSlice(where) {
  if (where === undefined) return;
  const there = state.list.filter((i) => cases[i].where === where);
  const next = there.find((i) => cases[i].method === current().method) ?? there[0];
  if (next === undefined) showBare(bareSlice(where));
  else show(next);
}

export function nextMethod() {
  const one = current();
  if (one.bare) {
    const all = treatmentsOf(one.where);
    const at = all.findIndex((each) => each.change === one.change);
    showBare({ ...one, ...slices[one.where].treatments[(at + 1) % all.length] });
    return;
  }
  const same = cases.flatMap((each, i) =>
    each.where === one.where && each.index === one.index ? [i] : [],
  );
  const next = same[(same.indexOf(state.at) + 1) % same.length];
  if (!state.list.includes(next)) refilter(true);
  show(next);
}

export function setMark(mark) {
  if (state.bare) return;
  marks.set(state.at, mark);
  marked();
}

export function marked() {
  fillList(data, state.list, marks, show);
  markCurrent(state.bare ? -1 : state.at);
  press();
  const { comment } = marks.of(state.at);
  if (document.activeElement !== $("comment")) $("comment").value = state.bare ? "" : comment;
  $("marked-count").value = `${marks.count} of ${cases.length} marked.`;
  if (!marks.works) $("marked-count").value += " This browser keeps nothing: save before leaving.";
}

export const ACTS = {
  flicker,
  fit: () => {
    view.fit(shownScene(), paneSize());
    draw();
  },
  focus: () => {
    if (state.bare) return;
    view.focus(current().box, paneSize());
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
  load: () =>
    chooseJson(
      (file) => {
        marks.load(file);
        marked();
      },
      (words) => {
        $("marked-count").value = words;
      },
    ),
};

export function refilter(all = false) {
  if (all) for (const name of ["method", "signal", "marked"]) $(name).value = "";
  state.list = selected(data, marks);
  fillList(data, state.list, marks, show);
  if (state.list.length && !state.list.includes(state.at)) show(state.list[0]);
  else markCurrent(state.bare ? -1 : state.at);
}
