/** Level and width: by preset, by dragging, by numbers. */
import { $ } from "../../viewer/static/dom.js";
import { spread } from "../../viewer/static/greys.js";
import { draw } from "./draw.js";
import { current, shownScene, state, view } from "./state.js";

const GREY_MAX = 4095;

export function applyPreset(scene, one) {
  const [left, top, right, bottom] = one.box;
  const margin = Math.max(right - left, bottom - top) / 2;
  const around = [left - margin, top - margin, right + margin, bottom + margin];
  const [low, high] = {
    radiograph: () => spread(scene, [0.005, 0.995]),
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

export function choosePreset(name) {
  state.preset = name;
  $("preset").value = name;
  if (name !== "own") applyPreset(shownScene(), current());
}

export function ownWindow(level, width) {
  choosePreset("own");
  setWindow(level, width);
}
