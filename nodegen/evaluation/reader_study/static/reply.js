/** The answer to a case: given, kept, and for practice compared with the truth. */
import { $ } from "../../viewer/static/dom.js";
import { missing } from "./answers.js";
import { draw, open } from "./case.js";
import { cases, current, kind, panes, pause, practiceCount, sideNames, state } from "./study.js";

const MARK_REACH_PX = 14; // CSS pixels: a click so near to a mark takes it up
let onEnd = () => {};
let onElsewhere = () => {};

/** Say what follows the last case, and what to do where another tab has the study. */
export function listenToReply(end, elsewhere) {
  onEnd = end;
  onElsewhere = elsewhere;
}

export function say(part) {
  if (state.told || state.shut) return;
  Object.assign(state.reply, part);
  hint("");
  press();
  draw();
}

export function sayConfidence(confidence) {
  if (kind !== "marking") say({ confidence });
  else if (state.reply.marks.length && !state.told) {
    state.reply.marks.at(-1).confidence = confidence;
    say({});
  }
}

/** Set a mark at an image point, or take up the one that is there. */
export function mark([x, y]) {
  if (state.told || state.shut) return;
  const { marks } = state.reply;
  const reach = MARK_REACH_PX / panes[0].view.scale;
  const near = marks.findIndex((each) => Math.hypot(each.x - x, each.y - y) < reach);
  if (near >= 0) marks.push(...marks.splice(near, 1));
  else marks.push({ x: Math.round(x * 10) / 10, y: Math.round(y * 10) / 10, confidence: 0 });
  say({});
}

export function undo() {
  if (state.told || state.shut) return;
  state.reply.marks?.pop();
  say({});
}

function hint(words, kindOf = "") {
  $("feedback").textContent = words;
  $("feedback").className = kindOf;
}

/** Keep the answer; false where another tab has the study. */
function keep() {
  pause();
  const seconds = Math.round(state.seconds) / 1000;
  if (!state.answers.put(current(), { ...state.reply, seconds })) {
    onElsewhere();
    return false;
  }
  state.drafts.delete(current().case);
  if (!state.answers.works) {
    $("fault").textContent = "This browser keeps no answers: save them before you close the page.";
    $("fault").hidden = false;
  }
  return true;
}

/** A practice case shows its truth, any other one is kept; then comes the next one. */
export function next() {
  if (state.shut) return;
  const lacks = missing(state.reply);
  if (lacks) {
    hint(lacks, "hint");
    return;
  }
  if (!state.told) {
    if (!keep()) return;
    if (current().practice) {
      state.told = true;
      shown();
      draw();
      return;
    }
  }
  if (state.at + 1 < cases.length) open(state.at + 1);
  else if (state.answers.first < cases.length) open(state.answers.first);
  else onEnd();
}

/** The case before; what was said of this one stays. */
export function back() {
  if (state.shut) return;
  if (!state.at) {
    hint("This is the first case.", "hint");
    return;
  }
  if (!state.told) {
    if (missing(state.reply) || current().practice) {
      state.drafts.set(current().case, structuredClone(state.reply));
    } else if (!keep()) return;
  }
  open(state.at - 1);
}

/** Say what belongs to the case that is shown now. */
export function shown() {
  if (state.told) truth(current().truth);
  else if (practiceCount && state.at === practiceCount) hint("The practice is over: no more truths are shown.");
  else hint("");
  press();
}

function truth({ kinds, boxes }) {
  const [words, right] = {
    choice: () => {
      const real = kinds.indexOf("real");
      return [`The real one is the ${sideNames()[real].toLowerCase()} one.`, state.reply.side === real];
    },
    rating: () => {
      const said = state.reply.rating;
      const names = { real: "a real nodule", synthetic: "a synthetic nodule", untouched: "no nodule here" };
      const right = { real: said > 3, synthetic: said > 0 && said < 4, untouched: said === 0 };
      return [`It is ${names[kinds[0]]}.`, right[kinds[0]]];
    },
    marking: () => {
      const inside = ({ x, y }) => boxes.some(([l, t, r, b]) => x >= l && x <= r && y >= t && y <= b);
      const hits = state.reply.marks.filter(inside).length;
      const right = hits === boxes.length && hits === state.reply.marks.length;
      return [`${boxes.length || "No"} nodule${boxes.length === 1 ? "" : "s"} here${boxes.length ? ", framed" : ""}.`, right];
    },
  }[kind]();
  hint(words, right ? "right" : "wrong");
}

/** Show which buttons are down. */
export function press() {
  const down = (attribute, is) => {
    for (const button of document.querySelectorAll(`[${attribute}]`)) {
      button.setAttribute("aria-pressed", is(button.getAttribute(attribute)));
    }
  };
  const { side, rating, confidence, marks } = state.reply;
  down("data-side", (value) => +value === side);
  down("data-rating", (value) => +value === rating);
  down("data-confidence", (value) => +value === (marks ? marks.at(-1)?.confidence : confidence));
  down("data-tool", (value) => value === state.tool);
  $("next").textContent = current()?.practice && !state.told ? "Answer" : "Next";
  $("back").disabled = !state.at;
  if (marks) {
    $("marks-count").value = marks.length || "none";
    $("confidence").hidden = !marks.length;
  }
  document.querySelector("[data-act=inverse]").setAttribute("aria-pressed", panes[0]?.view.inverse ?? false);
  document.querySelector("[data-act=box]")?.setAttribute("aria-pressed", state.box);
}
