/** Statistics of an elliptic region. */

/**
 * Grey levels of the pixels whose middle lies in the ellipse between two corners, image coordinates.
 *
 * `mm2` is the area by the spacing [x, y], mm; null where there is none. The standard deviation is
 * that of these pixels (divided by their number).
 */
export function regionOf([[x1, y1], [x2, y2]], pixels, { width, height, slope, spacing }) {
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const [a, b] = [Math.abs(x2 - x1) / 2, Math.abs(y2 - y1) / 2];
  let [count, sum, squares, min, max] = [0, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let row = Math.max(0, Math.floor(y - b)); row < Math.min(height, y + b); row++) {
    for (let column = Math.max(0, Math.floor(x - a)); column < Math.min(width, x + a); column++) {
      if (((column + 0.5 - x) / a) ** 2 + ((row + 0.5 - y) / b) ** 2 > 1) continue;
      const value = pixels[row * width + column] * slope;
      count += 1;
      sum += value;
      squares += value * value;
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
  }
  if (!count) return null;
  const mean = sum / count;
  const sd = Math.sqrt(Math.max(0, squares / count - mean * mean));
  return { count, mean, sd, min, max, mm2: spacing ? count * spacing[0] * spacing[1] : null };
}

/** The same before and after, in words. */
export function regionText(corners, scene) {
  const found = ["after", "before"].map((name) => [name, regionOf(corners, scene[name], scene)]);
  if (!found[0][1]) return "";
  const words = found.map(
    ([name, { mean, sd, min, max }]) =>
      `${name}: mean ${mean.toFixed(1)}, SD ${sd.toFixed(1)}, min ${Math.round(min)}, max ${Math.round(max)}`,
  );
  const { count, mm2 } = found[0][1];
  const area = mm2 === null ? "" : `, ${mm2.toFixed(1)} mm²`;
  return `${words.join("; ")}; ${count} px${area}`;
}
