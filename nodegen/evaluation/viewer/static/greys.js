/** From stored values to shades: window, inversion, and colours of a change. */

const pack = (red, green, blue) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
const GREYS = Uint32Array.from({ length: 256 }, (_, v) => pack(v, v, v));
const NONE = [18, 21, 24];
const DARKER = [110, 185, 255];
const BRIGHTER = [255, 170, 80];

/** Shade of each of the 65536 stored values; `slope` is grey levels a stored step. */
export function greyTable({ level, width, inverse }, slope) {
  const table = new Uint32Array(65536);
  const low = level - width / 2;
  for (let i = 0; i < table.length; i++) {
    const grey = Math.max(0, Math.min(255, Math.round(((i * slope - low) / width) * 255)));
    table[i] = GREYS[inverse ? 255 - grey : grey];
  }
  return table;
}

/** Red, green, blue of a change in -1..1: dark is none, blue darker, orange brighter. */
export function changeColour(share) {
  const strength = Math.min(Math.abs(share), 1);
  const end = share < 0 ? DARKER : BRIGHTER;
  return NONE.map((from, i) => Math.round(from + strength * (end[i] - from)));
}

/** Colour of each stored difference, taken modulo 65536; `most` grey levels are full colour. */
export function changeTable(most, slope) {
  return Uint32Array.from({ length: 65536 }, (_, i) =>
    pack(...changeColour(((i < 32768 ? i : i - 65536) * slope) / most)),
  );
}

/** Paint stored values, or their difference to `other`, into a canvas of their size. */
export function paint(canvas, pixels, table, other = null) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const target = new Uint32Array(image.data.buffer);
  if (other) {
    for (let i = 0; i < target.length; i++) target[i] = table[(pixels[i] - other[i]) & 0xffff];
  } else {
    for (let i = 0; i < target.length; i++) target[i] = table[pixels[i]];
  }
  context.putImageData(image, 0, 0);
}

/** Grey levels at two shares of the pixels in a part of an image; padding (0) does not count. */
export function spread(scene, shares, part = [0, 0, scene.width, scene.height]) {
  const counts = new Uint32Array(65536);
  const [left, top, right, bottom] = part.map(Math.round);
  let total = 0;
  for (let y = Math.max(0, top); y < Math.min(scene.height, bottom); y++) {
    for (let x = Math.max(0, left); x < Math.min(scene.width, right); x++) {
      const value = scene.before[y * scene.width + x];
      if (value) total += 1;
      counts[value] += 1;
    }
  }
  counts[0] = 0;
  return shares.map((share) => {
    let seen = 0;
    let value = 0;
    while (value < 65535 && seen + counts[value] <= share * total) seen += counts[value++];
    return value * scene.slope;
  });
}
