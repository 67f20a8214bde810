/** The list of boxes: filtered, sorted, each with a small picture and its mark. */
import { $, make } from "../../viewer/static/dom.js";
import { labelOf } from "./state.js";

export const nameOf = (one) =>
  `${one.stack}, slice ${one.slice + 1}${one.bare ? "" : `, box ${one.index + 1}`}`;

/** Indices of the cases that the filters leave, in the order asked for. */
export function selected({ cases }, marks) {
  const [method, signal, marked, sort] = ["method", "signal", "marked", "sort"].map(
    (name) => $(name).value,
  );
  const found = cases.flatMap((one, i) => {
    const fits =
      (!method || one.method === method) &&
      (!signal || one.signal === signal) &&
      (!marked || (marks.of(i).mark || "none") === marked);
    return fits ? [i] : [];
  });
  if (sort) {
    const value = (i) => cases[i].measures[sort] ?? Number.NEGATIVE_INFINITY;
    found.sort((a, b) => value(a) - value(b));
  }
  return $("falling").checked ? found.reverse() : found;
}

export function fillList({ cases, measures }, indices, marks, choose) {
  const sort = $("sort").value;
  $("list").replaceChildren(
    ...indices.map((i) => {
      const one = cases[i];
      const { mark } = marks.of(i);
      const value = sort && one.measures[sort]?.toFixed(measures[sort].digits);
      const words = make(
        "span",
        {},
        `${one.stack}, slice ${one.slice + 1}`,
        make("small", {}, `box ${one.index + 1}, ${labelOf(one.method)}`),
        mark ? make("small", { class: mark }, mark) : null,
        value ? make("small", {}, `${measures[sort].title.toLowerCase()} ${value}`) : null,
      );
      const picture = make("img", { src: one.thumb, alt: "", loading: "lazy" });
      const button = make("button", { onclick: () => choose(i) }, picture, words);
      button.dataset.case = i;
      return make("li", {}, button);
    }),
  );
}

export function markCurrent(index) {
  for (const button of $("list").querySelectorAll("button")) {
    const current = +button.dataset.case === index;
    button.setAttribute("aria-current", current);
    if (current) button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}
