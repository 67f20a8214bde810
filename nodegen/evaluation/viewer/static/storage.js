/** What a person has entered: kept in the browser, shared by its tabs, saved as a file. */

const memory = new Map(); // stands in for a browser that keeps nothing, until the page is closed

/** One JSON value under a name. A change is made to what is stored now: no tab undoes another's. */
export class Kept {
  #text = null;
  #value = null;

  constructor(name, empty) {
    this.name = name;
    this.empty = empty;
    this.works = !memory.has(name);
  }

  get value() {
    const text = this.#read();
    if (text !== this.#text || !this.#value) {
      this.#text = text;
      try {
        this.#value = JSON.parse(text) ?? structuredClone(this.empty);
      } catch {
        this.#value = structuredClone(this.empty);
      }
    }
    return this.#value;
  }

  /** Change the value; true where the browser keeps it. */
  update(change) {
    const { value } = this;
    change(value);
    this.#text = JSON.stringify(value);
    try {
      localStorage.setItem(this.name, this.#text);
      memory.delete(this.name);
      this.works = true;
    } catch {
      memory.set(this.name, this.#text);
      this.works = false;
    }
    return this.works;
  }

  /** Call `act` when another tab has changed the value. */
  onOther(act) {
    addEventListener("storage", ({ key }) => (key === this.name || key === null) && act());
  }

  #read() {
    if (memory.has(this.name)) return memory.get(this.name);
    try {
      return localStorage.getItem(this.name);
    } catch {
      this.works = false;
      return null;
    }
  }
}

/** What follows a prefix in the names of all kept values. */
export function keptNames(prefix) {
  let names = [...memory.keys()];
  try {
    names = [...names, ...Object.keys(localStorage)];
  } catch {
    // This browser keeps nothing.
  }
  const found = names.filter((name) => name.startsWith(prefix));
  return [...new Set(found)].map((name) => name.slice(prefix.length)).sort();
}

/** Rows as comma-separated values, quoted where needed. */
export function csv(rows) {
  const cell = (value) => {
    const text = String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${rows.map((row) => row.map(cell).join(",")).join("\n")}\n`;
}

export function download(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Let a file be chosen; `act` gets its JSON, `fail` a sentence where it is none. */
export function chooseJson(act, fail) {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept: ".json,application/json", id: "chosen", hidden: true });
  input.onchange = async () => {
    const [file] = input.files;
    input.remove();
    try {
      act(JSON.parse(await file.text()));
    } catch (fault) {
      const words = fault instanceof SyntaxError ? "it is no JSON" : fault.message;
      fail(`${file.name} cannot be loaded: ${words}.`);
    }
  };
  document.body.append(input);
  input.click();
}
