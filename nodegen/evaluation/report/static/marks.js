/** Marks of the boxes, kept in the browser under the page's own name. */
import { csv, Kept } from "../../viewer/static/storage.js";

const EMPTY = { mark: "", word: "" };

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

  say(index, word) {
    this.#put(index, { ...this.of(index), word });
  }

  get count() {
    return Object.values(this.kept.value).filter(({ mark }) => mark).length;
  }

  get works() {
    return this.kept.works;
  }

  #put(index, value) {
    this.kept.value[index] = value;
    this.kept.save();
  }

  #rows() {
    return this.cases.flatMap((one, i) => {
      const { mark, word } = this.of(i);
      if (!mark && !word) return [];
      const { method, seed, stack, slice, index, box } = one;
      return [{ method, seed, stack, slice, index, box, mark, word }];
    });
  }

  json() {
    return `${JSON.stringify({ report: this.id, marks: this.#rows() }, null, 2)}\n`;
  }

  csv() {
    const head = ["method", "seed", "stack", "slice", "index", "left", "top", "right", "bottom", "mark", "word"];
    const rows = this.#rows().map(({ method, seed, stack, slice, index, box, mark, word }) => [
      method, seed, stack, slice, index, ...box, mark, word,
    ]); // prettier-ignore
    return csv([head, ...rows]);
  }
}
