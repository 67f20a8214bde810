/** One box: its measures, what they mean and where they lie among real ones, profile, recipe. */
import { $, make } from "../../viewer/static/dom.js";
import { nameOf } from "./list.js";
import { labelOf } from "./state.js";

export function fillPanel(data, one, { comment }) {
  $("title").textContent = nameOf(one);
  $("profile-part").hidden = Boolean(one.bare);
  const [left, top, right, bottom] = one.box;
  const { spacing } = data.slices[one.where];
  const mm = spacing
    ? `, ${((right - left) * spacing[0]).toFixed(0)} × ${((bottom - top) * spacing[1]).toFixed(0)} mm`
    : "";
  $("place").textContent = one.bare
    ? `${labelOf(one.method)}; no box is listed here`
    : `${labelOf(one.method)}; ${right - left} × ${bottom - top} px${mm}`;
  if (document.activeElement !== $("comment")) $("comment").value = comment;
  $("verdict").textContent = one.bare ? "" : verdict(data, one);
  $("figures").replaceChildren(
    ...(one.bare ? [] : Object.entries(data.measures)).map(([name, measure]) =>
      figure(data, one, name, measure),
    ),
  );
  const rows = Object.entries({ seed: one.seed, ...one.recipe }).filter(([, value]) => value !== null);
  $("recipe").tBodies[0].replaceChildren(
    ...rows.map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value))),
    ),
  );
}

/** In how many measures a box lies within the range of real nodules. */
function verdict({ measures }, one) {
  const known = Object.entries(measures).filter(
    ([name, { reference }]) => reference && Number.isFinite(one.measures[name]),
  );
  const outside = known.filter(([name, { reference: { low, high } }]) => {
    const value = one.measures[name];
    return value < low || value > high;
  });
  if (!known.length) return "";
  const names = outside.map(([, { title }]) => title.toLowerCase()).join(", ");
  const inside = `Within the real range in ${known.length - outside.length} of ${known.length} measures`;
  return names ? `${inside}; outside: ${names}.` : `${inside}.`;
}

function figure(data, one, name, measure) {
  const value = one.measures[name];
  const known = Number.isFinite(value);
  const text = known ? `${value.toFixed(measure.digits)} ${measure.unit}`.trim() : "not measured";
  return make(
    "div",
    { class: "measure" },
    make("h3", {}, make("span", {}, measure.title), make("span", {}, text)),
    known ? strip(data, one, name, measure) : null,
    make("p", {}, `${measure.sentence} ${standing(value, measure)}`),
  );
}

function standing(value, { reference, digits, unit }) {
  if (!reference) return "No range of real nodules is known for it.";
  const { low, high, n } = reference;
  const range = `${low.toFixed(digits)} to ${high.toFixed(digits)} ${unit}`.trim();
  const from = n ? ` (${n} boxes)` : "";
  const place = !Number.isFinite(value)
    ? ""
    : value < low ? " Below the real range." : value > high ? " Above the real range." : " Within the real range."; // prettier-ignore
  return `Real nodules: mostly ${range}${from}.${place}`;
}

/** A line with the real range, all boxes as points, and this box as a line. */
function strip(data, one, name, { reference, title, digits }) {
  const all = data.cases.map((each) => each.measures[name]).filter(Number.isFinite);
  const ends = [...all, ...(reference ? [reference.low, reference.high] : [])];
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  const span = most - least || 1;
  const x = (value) => 12 + ((value - least) / span) * 276;
  const shapes = [];
  if (reference) {
    const width = Math.max(2, x(reference.high) - x(reference.low));
    shapes.push(
      make("svg:rect", { x: x(reference.low), y: 4, width, height: 16, rx: 3, fill: "#3c6e57" }),
    );
    if (reference.middle !== null) {
      const at = x(reference.middle);
      shapes.push(make("svg:line", { x1: at, x2: at, y1: 4, y2: 20, stroke: "#8fe0b8" }));
    }
  }
  for (const value of all) {
    shapes.push(make("svg:circle", { cx: x(value), cy: 12, r: 2, fill: "#c3cbd2", opacity: 0.55 }));
  }
  const mine = x(one.measures[name]);
  shapes.push(
    make("svg:line", { x1: mine, x2: mine, y1: 0, y2: 24, stroke: "#ffd24a", "stroke-width": 2.5 }),
  );
  for (const [value, anchor] of [[least, "start"], [most, "end"]]) {
    const at = anchor === "start" ? 2 : 298;
    const style = { x: at, y: 33, "text-anchor": anchor, fill: "#a3adb7", "font-size": 10 };
    shapes.push(make("svg:text", style, value.toFixed(digits)));
  }
  const label = `${title}: this box among all boxes${reference ? " and the range of real nodules" : ""}`;
  return make("svg:svg", { viewBox: "0 0 300 34", role: "img", "aria-label": label }, ...shapes);
}

/** Grey levels before and after along the row through the box's centre, as far as the box is wide twice. */
export function profile(one, scene) {
  const [left, top, right, bottom] = one.box;
  const margin = Math.max(30, right - left);
  const [from, to] = [Math.max(0, left - margin), Math.min(scene.width, right + margin)];
  const row = Math.min(scene.height - 1, Math.floor((top + bottom) / 2));
  const lines = ["before", "after"].map((view) =>
    Array.from(scene[view].subarray(row * scene.width + from, row * scene.width + to), (v) => v * scene.slope),
  );
  const all = lines.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const x = (column) => 60 + ((column - from) / (to - from - 1 || 1)) * 550;
  const y = (value) => 170 - ((value - low) / (high - low || 1)) * 160;
  const text = (at, height, anchor, words) =>
    make("svg:text", { x: at, y: height, "text-anchor": anchor, fill: "#a3adb7" }, words);
  $("profile").replaceChildren(
    make("svg:rect", { x: x(left), y: 4, width: x(right) - x(left), height: 172, fill: "#ffd24a", opacity: 0.14 }),
    ...[low, high].map((value) => text(54, y(value) + 5, "end", Math.round(value))),
    ...[left, right].map((column) => text(x(column), 194, "middle", `x ${column}`)),
    ...lines.map((line, i) =>
      make("svg:polyline", {
        fill: "none",
        stroke: ["#6fb1f5", "#ffab52"][i],
        "stroke-width": 1.6,
        points: line.map((v, j) => `${x(from + j).toFixed(1)},${y(v).toFixed(1)}`).join(" "),
      }),
    ),
  );
}
