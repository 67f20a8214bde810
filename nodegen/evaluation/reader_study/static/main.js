/** A reader study: the reader, the buttons and the keys. */
import { $, isTyping, make } from "../../viewer/static/dom.js";
import { chooseJson, download } from "../../viewer/static/storage.js";
import { Answers, load, readers } from "./answers.js";
import { draw, fit, listenToCase, open, resetWindow } from "./case.js";
import { back, listenToReply, mark, next, press, say, sayConfidence, shown, undo } from "./reply.js";
import { cases, data, kind, look, panes, pause, state } from "./study.js";

const LAST = `nodegen-study-${data.study}`; // this tab's reader, so that a reload goes on

/* --- the reader -------------------------------------------------------------------------------- */

const nameGiven = () => $("reader").value.trim().replace(/\s+/g, " ");

/** Ask who reads; in mid-study, show how to answer. */
function ask(name = "") {
  const { answers } = state;
  $("reader").value = answers?.reader ?? name;
  $("work").value = answers?.work ?? "";
  $("reader").readOnly = Boolean(answers);
  $("readers").replaceChildren(...readers().map((each) => make("option", { value: each })));
  for (const part of document.querySelectorAll(".mid-study")) part.hidden = !answers;
  $("load").hidden = Boolean(answers);
  told();
  $("start").showModal();
}

/** Say what the name in the field begins, or goes on with. */
function told(words = "") {
  const name = nameGiven();
  const count = name ? new Answers(name).count : 0;
  const whose = count ? `${name} has answered ${count} of ${cases.length} cases in this browser.` : "";
  $("whose").textContent = words || whose;
  $("begin").textContent = count || state.answers ? "Go on" : "Begin";
}

function begin() {
  if (state.answers) {
    look();
    return;
  }
  const answers = new Answers(nameGiven());
  answers.hold($("work").value.trim() || answers.work);
  answers.onOther(() => state.answers === answers && !answers.held && elsewhere());
  state.answers = answers;
  state.drafts.clear();
  remember(answers.reader);
  if (answers.first < cases.length) open(answers.first);
  else open(cases.length - 1).then(end);
}

function remember(reader) {
  try {
    sessionStorage.setItem(LAST, reader);
  } catch {
    // The name is asked for again.
  }
}

function remembered() {
  try {
    return sessionStorage.getItem(LAST) ?? "";
  } catch {
    return "";
  }
}

function another() {
  pause();
  state.answers = null;
  state.shut = true;
  remember("");
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close("another");
  ask();
}

/** Another tab has begun to answer as the same reader: this one stops. */
function elsewhere() {
  pause();
  state.shut = true;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close("elsewhere");
  $("elsewhere").showModal();
}

function end() {
  pause();
  const { reader, works } = state.answers;
  const count = cases.filter((one) => !one.practice).length;
  const where = works ? "They stay in this browser under your name." : "This browser does not keep them.";
  $("end-words").textContent = `${count} answers by ${reader}. Save them and send the file back. ${where}`;
  $("views").dataset.case = "end";
  if (!$("end").open) $("end").showModal();
}

/* --- buttons and keys -------------------------------------------------------------------------- */

function all(act) {
  if (!state.answers || !panes[0]?.viewport.scene) return;
  for (const pane of panes) act(pane);
  press();
  draw();
}

const zoomAll = (factor) => all(({ view, viewport }) => view.zoom(factor, 0, 0, viewport.scene));
const fileName = (suffix) => `answers-${state.answers.reader.replace(/[^\p{L}\p{N}-]+/gu, "_")}.${suffix}`;

const ACTS = {
  fit: () => all(fit),
  in: () => zoomAll(1.25),
  out: () => zoomAll(1 / 1.25),
  inverse: () => all(({ view }) => { view.inverse = !view.inverse; }),
  reset: () => all(resetWindow),
  box: () => {
    state.box = !state.box;
    all(() => {});
  },
  undo,
  back,
  help: () => {
    pause();
    ask();
  },
  export: () => download(fileName("json"), "application/json", state.answers.json()),
  "export-csv": () => download(fileName("csv"), "text/csv", state.answers.csv()),
  load: () =>
    chooseJson((file) => {
      const { reader, count } = load(file);
      $("reader").value = reader;
      told(`${count} answers by ${reader} are loaded.`);
    }, told),
  another,
  here: () => {
    state.answers.hold();
    $("elsewhere").close();
    open(Math.min(state.answers.first, cases.length - 1));
  },
  again: () => {
    $("end").close();
    open(cases.length - 1);
  },
};

function arrow(dx, dy, { shiftKey }) {
  if (state.cursor) {
    const step = shiftKey ? 10 : 2;
    state.cursor = [state.cursor[0] + dx * step, state.cursor[1] + dy * step];
    draw();
  } else if (kind === "choice" && dx) say({ side: dx > 0 ? 1 : 0 });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// A key has one meaning: 0 is an answer, so the whole picture is f.
const KEYS = {
  Enter: next, b: back, PageUp: back, PageDown: next, Backspace: undo, f: ACTS.fit, "+": ACTS.in, "=": ACTS.in,
  "-": ACTS.out, i: ACTS.inverse, p: ACTS.reset, x: ACTS.box, "?": ACTS.help,
}; // prettier-ignore

/** Act on a key; false where it has no meaning here. */
function key(event) {
  const digit = "0123456".indexOf(event.key);
  const tool = { w: "window", v: "move", k: "mark" }[event.key];
  if (ARROWS[event.key]) arrow(...ARROWS[event.key], event);
  else if (kind === "rating" && digit >= 0) say({ rating: digit });
  else if (kind === "rating" && event.key === "n") say({ rating: 0 });
  else if (digit > 0 && digit <= (kind === "choice" ? 3 : 4)) sayConfidence(digit);
  else if (kind === "marking" && event.key === "c") {
    state.cursor = state.cursor ? null : [panes[0].view.x, panes[0].view.y];
    draw();
  } else if (event.key === " " && state.cursor) mark(state.cursor);
  else if (tool && document.querySelector(`[data-tool=${tool}]`)) {
    state.tool = tool;
    press();
  } else if (KEYS[event.key]) KEYS[event.key]();
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  if (document.querySelector("dialog[open]") || !state.answers) return;
  const pressing = event.target.tagName === "BUTTON" && event.target.id !== "next";
  if (pressing && (event.key === " " || event.key === "Enter")) return;
  if (key(event)) event.preventDefault();
});

for (const [name, act] of [["act", (value) => ACTS[value]()], ["side", (value) => say({ side: +value })],
  ["rating", (value) => say({ rating: +value })], ["confidence", (value) => sayConfidence(+value)],
  ["tool", (value) => { state.tool = value; press(); }]]) {
  for (const button of document.querySelectorAll(`[data-${name}]`)) button.onclick = () => act(button.dataset[name]);
}
$("answer").onsubmit = (event) => {
  event.preventDefault();
  next();
};
$("reader").oninput = () => told();
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("cancel", (event) => event.preventDefault());
}
$("start").querySelector("form").onsubmit = (event) => {
  if (nameGiven()) return;
  event.preventDefault();
  told("Give your name or number.");
};
$("start").addEventListener("close", () => $("start").returnValue === "begin" && begin());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) pause();
  else if (state.answers && !document.querySelector("dialog[open]")) look();
});
addEventListener("beforeunload", (event) => {
  if (state.answers && !state.answers.works) event.preventDefault();
});

listenToCase((point) => state.tool === "mark" && mark(point), shown);
listenToReply(end, elsewhere);
ask(remembered());
