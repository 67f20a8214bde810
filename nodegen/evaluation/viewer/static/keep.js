/** What a person has entered: kept in the browser, handed out as a file. */

/** Read and write one JSON value under a name; a browser that keeps nothing is told of once. */
export class Kept {
  constructor(name, empty) {
    this.name = name;
    this.works = true;
    this.value = empty;
    try {
      this.value = JSON.parse(localStorage.getItem(name)) ?? empty;
    } catch {
      this.works = false;
    }
  }

  save() {
    try {
      localStorage.setItem(this.name, JSON.stringify(this.value));
      this.works = true;
    } catch {
      this.works = false;
    }
    return this.works;
  }

  clear(empty) {
    this.value = empty;
    this.save();
  }
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
