/** Marks of the boxes, kept in the browser under the page's own name. */
import { csv, Kept } from "../../viewer/static/storage.js";

const EMPTY = { mark: "", comment: "" };

export class Marks {
  constructor(id, cases) {
    this.id = id;
    this.cases = cases;
    this.kept = new Kept(`nodegen-report-${id}`, {});
  }

  of(index) {
    return this.kept.value[index] ?? EMPTY;
  }

  /** The same mark once more takes it away. */
  set(index, mark) {
    this.#put(index, { ...this.of(index), mark: this.of(index).mark === mark ? "" : mark });
  }

  say(index, comment) {
    this.#put(index, { ...this.of(index), comment });
  }

  /** Call `act` when another tab has marked. */
  onOther(act) {
    this.kept.onOther(act);
  }

  get count() {
    return Object.values(this.kept.value).filter(({ mark }) => mark).length;
  }

  get works() {
    return this.kept.works;
  }

  #put(index, value) {
    this.kept.update((all) => {
      all[index] = value;
    });
  }

  /** Add the marks of a file that `json` wrote, where a box has none yet; throws where it is none. */
  load(file) {
    if (file?.report !== this.id || !Array.isArray(file.marks)) throw new Error("it holds no marks of this report");
    const known = ["method", "seed", "stack", "slice", "index"];
    const found = file.marks.map((row) => this.cases.findIndex((one) => known.every((name) => one[name] === row?.[name])));
    if (found.includes(-1)) throw new Error("it marks a box that this report does not have");
    for (const [i, index] of found.entries()) {
      const { mark, comment } = { ...EMPTY, ...file.marks[i] };
      const mine = this.of(index);
      this.#put(index, { mark: mine.mark || mark, comment: mine.comment || comment });
    }
  }

  #rows() {
    return this.cases.flatMap((one, i) => {
      const { mark, comment } = this.of(i);
      if (!mark && !comment) return [];
      const { method, seed, stack, slice, index, box } = one;
      return [{ method, seed, stack, slice, index, box, mark, comment }];
    });
  }

  json() {
    return `${JSON.stringify({ report: this.id, marks: this.#rows() }, null, 2)}\n`;
  }

  csv() {
    const head = ["method", "seed", "stack", "slice", "index", "left", "top", "right", "bottom", "mark", "comment"];
    const rows = this.#rows().map(({ method, seed, stack, slice, index, box, mark, comment }) => [
      method, seed, stack, slice, index, ...box, mark, comment,
    ]); // prettier-ignore
    return csv([head, ...rows]);
  }
}
