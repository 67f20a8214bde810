/** The report: its parts are put together here. */
import { $, make } from "../../viewer/static/dom.js";
import { ACTS, marked, refilter, setMark, setMode, setTool, toggleMode, toggleOutline, toSlice } from "./actions.js";
import { draw } from "./draw.js";
import { listenToPane } from "./pointer.js";
import { listenToKeys } from "./keys.js";
import { nameOf, selected } from "./list.js";
import { plots } from "./plots.js";
import { cases, data, labelOf, marks, order, state } from "./state.js";
import { show, whenPaneIsMade } from "./show.js";
import { choosePreset, ownWindow } from "./window.js";

function start() {
  whenPaneIsMade(listenToPane);
  listenToKeys();
  for (const [attribute, act] of [["mode", setMode], ["several", toggleMode], ["tool", setTool], ["outline", toggleOutline],
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
  $("slice").max = order.length;
  $("slice").oninput = () => toSlice(order[$("slice").value - 1]);
  $("comment").oninput = () => {
    marks.say(state.at, $("comment").value);
    marked();
  };
  marks.onOther(marked);
  document.addEventListener("fullscreenchange", draw);
  addEventListener("beforeprint", () => {
    $("print").replaceChildren(
      ...state.list.map((i) => {
        const { mark, comment } = marks.of(i);
        const said = [labelOf(cases[i].method), mark, comment].filter(Boolean).join(", ");
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
  $("plots").replaceChildren(...plots(data, data.methods));
  state.list = selected(data, marks);
  marked();
  show(state.list[0]);
}

if (cases.length) start();
