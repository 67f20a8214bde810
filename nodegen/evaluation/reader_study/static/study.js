/** What the study's modules share: its cases, the reader's answers, and what is on the screen. */
import { $ } from "../../viewer/static/dom.js";

export const data = JSON.parse($("data").textContent);
export const { kind, cases } = data;
export const practiceCount = cases.filter((one) => one.practice).length;
export const panes = []; // { canvas, viewport, view }
export const state = {
  answers: null, // of the reader who has begun
  at: 0, // index of the case on the screen
  reply: {}, // what is said of it: side and confidence, rating, or marks
  drafts: new Map(), // by case, what was begun and left
  shut: true, // no case can be answered: one is loading, or another tab has the study
  told: false, // a practice case that was answered: its truth is shown
  tool: kind === "marking" ? "mark" : "window",
  box: true,
  began: 0, // when the case was last looked at; 0 while the page is hidden
  seconds: 0, // milliseconds that it was looked at before that
  cursor: null,
};

export const current = () => cases[state.at];

export const isWide = () => $("views").clientWidth > $("views").clientHeight;
export const sideNames = () => (isWide() ? ["Left", "Right"] : ["Upper", "Lower"]);

/** Time counts only while the page is seen. */
export function pause() {
  if (state.began) state.seconds += performance.now() - state.began;
  state.began = 0;
}

export function look() {
  if (!state.told && !state.shut) state.began = performance.now();
}
