/** The keys; they wait while one types, or reads the help. */
import { $, isTyping } from "../../viewer/static/dom.js";
import {
  ACTS, flicker, nextMethod, setMark, setMode, setTool, step, stepSlice, swap, toggleMode, toggleOutline,
} from "./actions.js";
import { draw, values } from "./draw.js";
import { current, measured, shownScene, state, view } from "./state.js";
import { choosePreset } from "./window.js";

function moveCursor(dx, dy) {
  const scene = shownScene();
  const [x, y] = state.cursor;
  state.cursor = [
    Math.min(scene.width - 0.5, Math.max(0.5, x + dx)),
    Math.min(scene.height - 0.5, Math.max(0.5, y + dy)),
  ];
  if (measured().ruler.length !== 2) values(state.cursor);
  if (state.tool === "loupe") state.loupe = state.cursor;
  draw();
}

function toggleCursor() {
  const [left, top, right, bottom] = current().box;
  state.cursor = state.cursor ? null : [(left + right) / 2, (top + bottom) / 2];
  state.loupe = state.tool === "loupe" ? state.cursor : null;
  if (state.cursor) values(state.cursor);
  draw();
}

function enter() {
  if (!state.cursor) ACTS.full();
  else {
    const [mine, name] = [measured(), state.tool === "region" ? "region" : "ruler"];
    mine[name] = mine[name].length === 1 ? [mine[name][0], state.cursor] : [state.cursor];
  }
  draw();
}

function arrow(dx, dy, event) {
  if (event.shiftKey && !state.cursor) {
    view.pan(-40 * dx, -40 * dy, shownScene());
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
  m: () => toggleMode("side"),
  y: () => toggleMode("methods"),
  f: flicker,
  n: nextMethod,
  w: () => setTool("window"),
  v: () => setTool("move"),
  r: () => setTool("ruler"),
  e: () => setTool("region"),
  u: () => setTool("loupe"),
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
for (const [i, name] of ["radiograph", "nodule", "full", "bright", "dark"].entries()) {
  KEYS[i + 1] = () => choosePreset(name);
}

function swipeBy(share) {
  state.swipe = Math.min(1, Math.max(0, state.swipe + share));
  draw();
}

/** Listen to the keys of the whole page. */
export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open || isTyping(event)) return;
    const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    const pressing = /^(BUTTON|SUMMARY|A|INPUT)$/.test(event.target.tagName);
    if (!act || (pressing && (event.key === " " || event.key === "Enter"))) return;
    event.preventDefault();
    act(event);
  });
}
