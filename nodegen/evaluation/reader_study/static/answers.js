/** One reader's answers to this study, kept in the browser under the study's and the reader's name. */
import { csv, Kept, keptNames } from "../../viewer/static/storage.js";
import { cases, data, kind } from "./study.js";

const PREFIX = `nodegen-study-${data.study}/`;
const TAB = `${Date.now()}-${Math.random()}`;
const MOST = { choice: 3, rating: 6, marking: 4 }; // the highest answer of each kind of study

export const readers = () => keptNames(PREFIX);

export class Answers {
  #kept;

  constructor(reader) {
    this.reader = reader;
    this.#kept = new Kept(PREFIX + reader, { work: "", answers: {}, practice: {}, tab: "" });
  }

  get works() {
    return this.#kept.works;
  }

  get work() {
    return this.#kept.value.work;
  }

  of({ case: name, practice }) {
    return this.#kept.value[practice ? "practice" : "answers"][name];
  }

  get count() {
    return cases.filter((one) => this.of(one)).length;
  }

  /** Index of the first case without an answer; the number of cases where there is none. */
  get first() {
    const found = cases.findIndex((one) => !this.of(one));
    return found < 0 ? cases.length : found;
  }

  /** Of several tabs, the one that began last holds the study. */
  hold(work) {
    this.#kept.update((value) => {
      if (work !== undefined) value.work = work;
      value.tab = TAB;
    });
  }

  get held() {
    return this.#kept.value.tab === TAB;
  }

  onOther(act) {
    this.#kept.onOther(act);
  }

  /** Keep an answer; false where another tab holds the study. */
  put({ case: name, practice }, reply) {
    if (!this.held) return false;
    this.#kept.update((value) => {
      value[practice ? "practice" : "answers"][name] = { case: name, ...reply, at: new Date().toISOString() };
    });
    return true;
  }

  /** Add answers of a file: of two to one case, the later one is kept. */
  add({ work, answers, practice = [] }) {
    this.#kept.update((value) => {
      value.work ||= typeof work === "string" ? work : "";
      for (const [name, given] of Object.entries({ answers, practice })) {
        for (const one of given) {
          const known = value[name][one.case];
          if (!known || (one.at ?? "") > known.at) value[name][one.case] = one;
        }
      }
    });
  }

  #rows(practice) {
    return cases.filter((one) => one.practice === practice && this.of(one)).map((one) => this.of(one));
  }

  json() {
    const { reader, work } = this;
    const { study, title, nodegen } = data;
    const rows = { answers: this.#rows(false), practice: this.#rows(true) };
    return `${JSON.stringify({ study, kind, title, nodegen, reader, work, ...rows }, null, 1)}\n`;
  }

  csv() {
    const rows = this.#rows(false).flatMap(({ case: name, side, rating, confidence, marks, seconds, at }) =>
      (marks ?? [{}]).map((mark) => [name, side, rating, mark.confidence ?? confidence, mark.x, mark.y, seconds, at]),
    );
    return csv([["case", "side", "rating", "confidence", "x", "y", "seconds", "at"], ...rows]);
  }
}

const isWhole = (value, least, most) => Number.isInteger(value) && value >= least && value <= most;

/** What an answer still lacks, in words; nothing where it is complete. */
export function missing({ side, confidence, rating, marks }) {
  if (kind === "rating") {
    return isWhole(rating, 0, MOST.rating) ? "" : "Choose one of the answers: keys 0 to 6.";
  }
  if (kind === "choice") {
    const what = [
      isWhole(side, 0, 1) ? "" : "which of the two is real (arrow keys)",
      isWhole(confidence, 1, MOST.choice) ? "" : "how sure you are (keys 1 to 3)",
    ].filter(Boolean);
    return what.length ? `Say ${what.join(", and ")}.` : "";
  }
  const bare = marks.findIndex((mark) => !isWhole(mark.confidence, 1, MOST.marking));
  return bare < 0 ? "" : `Say how sure you are of mark ${bare + 1}: click it, then keys 1 to 4.`;
}

/** Load a file that `json` wrote, and return its reader's answers; throws where it is none. */
export function load(file) {
  if (file?.study !== data.study) throw new Error("it holds no answers to this study");
  if (typeof file.reader !== "string" || !file.reader) throw new Error("it names no reader");
  for (const [name, practice] of [["answers", false], ["practice", true]]) {
    const given = practice ? (file[name] ?? []) : file[name];
    if (!Array.isArray(given)) throw new Error(`its ${name} are no list`);
    for (const one of given) {
      const known = cases.some((each) => each.case === one?.case && each.practice === practice);
      const marks = kind !== "marking" || (Array.isArray(one?.marks) && one.marks.every((mark) => mark));
      if (!known || !marks || missing(one)) throw new Error(`it has an answer that this page cannot give`);
    }
  }
  const found = new Answers(file.reader);
  found.add(file);
  return found;
}
