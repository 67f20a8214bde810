/** What the modules of the reading room share: the page's data, what is shown, and in which panes. */
import { $ } from "../../viewer/static/dom.js";
import { View } from "../../viewer/static/view.js";
import { Marks } from "./marks.js";

export const data = JSON.parse($("data").textContent);
export const { cases, slices } = data;
export const view = new View();
export const marks = new Marks(data.id, cases);
export const panes = []; // { figure, canvas, words, scale, viewport }
export const state = {
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

export const current = () => cases[state.at];
export const paneSize = () => panes[0].viewport.pane;
export const shownScene = () => panes[0]?.viewport.scene;

/** Of each treatment of a slice, its first case. */
export function treatmentsOf(where) {
  const found = new Map();
  for (const one of cases) {
    if (one.where === where && !found.has(one.change)) found.set(one.change, one);
  }
  return [...found.values()];
}
