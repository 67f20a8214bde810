/** What the report's modules share: the page's data, what is shown, and in which panes. */
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
  at: 0, // index of the case that is read, or was read last
  bare: null, // a slice that is shown without a box of the list
  mode: "after",
  tool: "window",
  preset: "radiograph",
  outlines: { box: true, nodule: false, lungs: false },
  swipe: 0.5,
  swiping: false,
  measured: new Map(), // ruler and region of each box
  loupe: null, // where it is held, image coordinates
  cursor: null, // pointer moved by keys, image coordinates
  flicker: 0,
  most: 100,
};

export const current = () => state.bare ?? cases[state.at];
/** Names a box, or a slice by itself, whatever the method. */
export const keyOf = (one) => `${one.where} ${one.bare ? "" : one.index}`;

/** Ruler and region of what is shown: each box has its own. */
export function measured() {
  const key = keyOf(current());
  if (!state.measured.has(key)) state.measured.set(key, { ruler: [], region: [] });
  return state.measured.get(key);
}

export const labelOf = (method) => data.labels[method] ?? method;

export const paneSize = () => panes[0].viewport.pane;
export const shownScene = () => panes[0]?.viewport.scene;

/** All slices in their order, with boxes or without. */
export const order = Object.keys(slices);

/** Of each treatment of a slice, its first case; where it has none, what stands for one. */
export function treatmentsOf(where) {
  return slices[where].treatments.map(
    (treatment) =>
      cases.find((one) => one.where === where && one.change === treatment.change) ??
      bare(where, treatment),
  );
}

/** A slice by itself, in the form of a case. */
function bare(where, treatment) {
  const { stack, slice, width, height } = slices[where];
  return { ...treatment, bare: true, where, stack, slice, box: [0, 0, width, height], measures: {} };
}

/** A slice by itself, by the method that is shown. */
export function bareSlice(where) {
  const { treatments } = slices[where];
  const { method } = current();
  return bare(where, treatments.find((each) => each.method === method) ?? treatments[0]);
}
