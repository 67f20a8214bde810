/** How each measure is distributed: one panel a measure, one column a method, over the real range. */
import { make } from "../../viewer/static/dom.js";
import { labelOf } from "./state.js";

const [WIDTH, TOP, BOTTOM, LEFT, RIGHT] = [260, 24, 140, 44, 254];
const COLOURS = ["#7db4ea", "#f0a468", "#8fd18f", "#c79be0", "#b9c0c7"];
const SPREAD_PX = 12; // points of a column lie side by side within so much

/** A value below which a share of sorted values lies, as NumPy interpolates it. */
function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)];
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

export function plots({ cases, measures }, methods) {
  return Object.entries(measures).map(([name, measure]) => panel(cases, methods, name, measure));
}

function panel(cases, methods, name, { title, unit, digits, reference }) {
  const columns = methods.map((method) =>
    cases.filter((one) => one.method === method).map((one) => one.measures[name]).filter(Number.isFinite),
  );
  const ends = [...columns.flat(), ...(reference ? [reference.low, reference.high] : [])];
  if (!ends.length) return "";
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const y = (value) => BOTTOM - ((value - least) / (most - least || 1)) * (BOTTOM - TOP);
  const x = (column) => LEFT + ((column + 0.5) / methods.length) * (RIGHT - LEFT);
  const across = (value, from, to, style) =>
    make("svg:line", { x1: from, x2: to, y1: y(value), y2: y(value), ...style });
  const words = (at, height, anchor, text) => make("svg:text", { x: at, y: height, "text-anchor": anchor }, text);
  const shapes = [
    words(4, 13, "start", unit ? `${title}, ${unit}` : title),
    ...[least, most].map((value) => words(LEFT - 4, y(value) + 4, "end", value.toFixed(digits))),
  ];
  if (reference) {
    const [top, bottom] = [y(reference.high), y(reference.low)];
    shapes.push(make("svg:rect", { x: LEFT, y: top, width: RIGHT - LEFT, height: bottom - top, fill: "#3c6e57", opacity: 0.7 }));
    if (reference.middle !== null) {
      shapes.push(across(reference.middle, LEFT, RIGHT, { stroke: "#8fe0b8", "stroke-dasharray": "4 3" }));
    }
  }
  for (const [i, values] of columns.entries()) {
    const colour = COLOURS[i % COLOURS.length];
    for (const [j, value] of values.entries()) {
      const aside = (((j * 0.618) % 1) - 0.5) * 2 * SPREAD_PX;
      shapes.push(make("svg:circle", { cx: x(i) + aside, cy: y(value), r: 2, fill: colour, opacity: 0.7 }));
    }
    const sorted = values.toSorted((a, b) => a - b);
    for (const [share, half] of sorted.length ? [[0.05, 14], [0.5, 22], [0.95, 14]] : []) {
      shapes.push(across(quantile(sorted, share), x(i) - half, x(i) + half, { stroke: colour, "stroke-width": 2 }));
    }
    // Of many methods the short names, one higher, one lower.
    const [shown, lower] = methods.length > 2 ? [methods[i], 11 * (i % 2)] : [labelOf(methods[i]), 0];
    shapes.push(words(x(i), BOTTOM + 14 + lower, "middle", shown));
  }
  const label = `${title}: all boxes, by method, over the range of real nodules`;
  return make("svg:svg", { viewBox: `0 0 ${WIDTH} ${BOTTOM + 30}`, role: "img", "aria-label": label }, ...shapes);
}
