/** Pixels as nodegen.evaluation.viewer.html_page packs them: read, inflated, kept while there is room. */

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Stored values (row by row, 0..65535) of one packed image. */
export async function unpack(base64, width, height) {
  const planes = await inflate(bytesOf(base64));
  const count = width * height;
  const pixels = new Uint16Array(count);
  for (let row = 0, i = 0; row < height; row++) {
    let value = row ? pixels[i - width] : 0;
    for (let column = 0; column < width; column++, i++) {
      const folded = (planes[i] << 8) | planes[count + i];
      value = (value + ((folded >>> 1) ^ -(folded & 1))) & 0xffff;
      pixels[i] = value;
    }
  }
  return pixels;
}

/** Packed images stand in the page, or beside it as scripts; either way one is unpacked on demand. */
export class Store {
  #kept = new Map();
  #waiting = new Map();

  constructor({ folder = "", limit = 48 } = {}) {
    this.folder = folder;
    this.limit = limit;
    globalThis.nodegenPixels = (key, text) => this.#waiting.get(key)?.resolve(text);
  }

  /** Promise of an image's stored values; the ones asked for last are kept. */
  get(key, width, height) {
    const found = this.#kept.get(key) ?? this.#text(key).then((text) => unpack(text, width, height));
    this.#kept.delete(key);
    this.#kept.set(key, found);
    if (this.#kept.size > this.limit) this.#kept.delete(this.#kept.keys().next().value);
    return found;
  }

  #text(key) {
    const element = document.getElementById(`pixels-${key}`);
    if (element) return Promise.resolve(element.textContent);
    return new Promise((resolve, reject) => {
      // A script, since a page opened from a disk may not fetch its neighbours.
      const script = document.createElement("script");
      this.#waiting.set(key, { resolve });
      script.src = `${this.folder}/${key}.js`;
      script.onload = () => script.remove();
      script.onerror = () => reject(new Error(`${script.src} is missing; keep it beside the page.`));
      document.head.append(script);
    });
  }
}
