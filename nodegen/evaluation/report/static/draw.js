/** Draws the panes, and the line of words below them. */
import { $, oncePerFrame } from "../../viewer/static/dom.js";
import { regionText } from "../../viewer/static/region.js";
import { rulerText } from "../../viewer/static/viewport.js";
import { current, measured, order, panes, shownScene, slices, state, view } from "./state.js";

/** Draw all panes in the next frame. */
export const draw = oncePerFrame(() => {
  const { ruler, region } = measured();
  for (const pane of panes) {
    pane.viewport.draw(view, {
      shown: state.outlines, ruler, region, cursor: state.cursor, loupe: state.loupe,
      swipe: state.swipe, most: state.most,
    }); // prettier-ignore
    const change = pane.viewport.mode === "change" ? `±${Math.round(state.most)} grey levels, ` : "";
    pane.scale.textContent = `${change}${(view.scale * 100).toFixed(0)} %`;
  }
  const slice = slices[current().where];
  $("where").textContent =
    `slice ${order.indexOf(current().where) + 1} of ${order.length}, ` +
    `level ${Math.round(view.level)}, width ${Math.round(view.width)}`;
  const scene = shownScene();
  const length = ruler.length ? rulerText(ruler, slice.spacing) : "";
  const statistics = region.length === 2 && scene?.after ? regionText(region, scene) : "";
  const words = [length && `ruler ${length}`, statistics && `region ${statistics}`].filter(Boolean);
  if (words.length) $("values").textContent = words.join("; ");
});

/** Show the grey levels at a point. */
export function values([x, y]) {
  const scene = shownScene();
  if (!scene) return;
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= scene.width || row >= scene.height) {
    $("values").textContent = "\u00a0";
    return;
  }
  const i = row * scene.width + column;
  const level = (value) => (value * scene.slope).toFixed(scene.slope < 1 ? 1 : 0);
  const change = scene.after[i] - scene.before[i];
  $("values").textContent =
    `x ${column}, y ${row}: before ${level(scene.before[i])}, after ${level(scene.after[i])}` +
    ` (${change < 0 ? "−" : "+"}${level(Math.abs(change))})`;
}
