/** Shows a case: its radiographs, in one pane or several, with all that is known of it. */
import { $, make } from "../../viewer/static/dom.js";
import { Viewport } from "../../viewer/static/viewport.js";
import { draw } from "./draw.js";
import { markCurrent, nameOf } from "./list.js";
import { fillPanel, profile } from "./panel.js";
import { cases, current, data, keyOf, labelOf, marks, order, panes, state, treatmentsOf, view } from "./state.js";
import { ahead, mostOf, sceneOf } from "./scenes.js";
import { applyPreset } from "./window.js";

let shownKey = null;
let onPane = () => {};

/** Say what is done with each new pane. */
export function whenPaneIsMade(act) {
  onPane = act;
}

/** Show a case by its index. */
export function show(index) {
  state.at = index;
  state.bare = null;
  return reopen();
}

/** Show a slice by itself. */
export function showBare(slice) {
  state.bare = slice;
  return reopen();
}

/** Show what is shown once more, in the mode that is set now. */
export async function reopen() {
  const one = current();
  markCurrent(one.bare ? -1 : state.at);
  fillPanel(data, one, one.bare ? { comment: "" } : marks.of(state.at));
  const treatments = state.mode === "methods" ? treatmentsOf(one.where) : [one];
  try {
    const made = await Promise.all(treatments.map((each) => sceneOf(one.where, each.change)));
    if (current() !== one) return; // meanwhile another was chosen
    arrange(one, treatments, made);
  } catch (fault) {
    $("fault").textContent = `The radiograph cannot be shown: ${fault.message}`;
    $("fault").hidden = false;
  }
}

function arrange(one, treatments, made) {
  const several = state.mode === "side" || state.mode === "methods";
  const wanted = several
    ? [["before", made[0], one], ...made.map((scene, i) => ["after", scene, treatments[i]])]
    : [[state.mode, made[0], one]];
  while (panes.length < wanted.length) addPane();
  while (panes.length > wanted.length) panes.pop().figure.remove();
  $("views").style.setProperty("--columns", columnsFor(wanted.length));
  wanted.forEach(([mode, scene, treated], i) => {
    const mine = cases.filter((each) => each.change === treated.change && each.where === one.where);
    scene.boxes = mine.map((each) => [...each.box, !one.bare && each.index === one.index]);
    scene.nodules = mine.flatMap((each) => each.nodule);
    panes[i].viewport.show(scene, mode);
    panes[i].figure.classList.toggle("mirrored", data.slices[one.where].right === "right");
    caption(panes[i], mode, treated);
  });
  state.most = mostOf(made[0], one);
  look(one, made[0]);
  if (state.preset !== "own") applyPreset(made[0], one);
  if (!one.bare) profile(one, made[0]);
  $("slice").value = order.indexOf(one.where) + 1;
  for (const button of document.querySelectorAll("[data-outline=lungs]")) {
    button.disabled = !made[0].lungs?.length;
    button.title = button.disabled ? "Lungs: no outline is known here" : "Lungs (l)";
  }
  document.querySelector("[data-several=methods]").disabled = treatmentsOf(one.where).length < 2;
  $("views").dataset.case = one.bare ? "" : state.at;
  press();
  draw();
  ahead(one);
}

/** The view follows the box: at the zoom that is set, across boxes and slices. */
function look(one, scene) {
  const { pane } = panes[0].viewport;
  const other = shownKey !== keyOf(one);
  if (other) $("values").textContent = "\u00a0";
  if (view.fitted) view.fit(scene, pane);
  else if (other) {
    if (one.bare) view.pan(0, 0, scene);
    else if (view.close) view.focus(one.box, pane);
    else view.centre(one.box);
  }
  shownKey = keyOf(one);
}

function columnsFor(count) {
  const { clientWidth, clientHeight } = $("views");
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
  const sides = [["R", "right"], ["L", "left"]].map(([letter, name]) =>
    make("abbr", { class: `patient-${name}`, title: `The patient's ${name}, by the direction that the file says` }, letter),
  );
  const figure = make("figure", {}, canvas, words, scale, ...sides);
  const pane = { figure, canvas, words, scale, viewport: new Viewport(canvas) };
  $("views").append(figure);
  panes.push(pane);
  onPane(pane);
}

const WORDS = { after: "after", before: "before", swipe: "before | after", change: "change" };

export function caption(pane, mode, one) {
  const seeds = new Set(treatmentsOf(one.where).map((each) => each.seed)).size > 1;
  const by = mode === "before" ? "" : `, ${labelOf(one.method)}${seeds ? `, seed ${one.seed}` : ""}`;
  pane.mode = mode;
  pane.words.textContent = `${WORDS[mode]}${by}`;
  pane.canvas.setAttribute("aria-label", `${nameOf(one)}: ${WORDS[mode]}${by}`);
}

/** Show which buttons are down. */
export function press() {
  const down = (attribute, is) => {
    for (const button of document.querySelectorAll(`[${attribute}]`)) {
      button.setAttribute("aria-pressed", is(button.getAttribute(attribute)));
    }
  };
  down("data-mode", (mode) => !state.flicker && mode === state.mode);
  down("data-several", (mode) => mode === state.mode);
  down("data-tool", (tool) => tool === state.tool);
  down("data-outline", (name) => state.outlines[name]);
  down("data-mark", (mark) => !state.bare && marks.of(state.at).mark === mark);
  for (const part of document.querySelectorAll("[data-mark], #comment, [data-act=focus]")) {
    part.disabled = Boolean(state.bare); // there is no box to mark, or to go to
  }
  document.querySelector("[data-act=flicker]").setAttribute("aria-pressed", state.flicker > 0);
  document.querySelector("[data-act=inverse]").setAttribute("aria-pressed", view.inverse);
  const pointer = { window: "crosshair", move: "grab", ruler: "cell", region: "cell", loupe: "none" }[state.tool];
  for (const pane of panes) pane.canvas.style.cursor = pointer;
}
