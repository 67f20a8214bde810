/** Mouse and fingers on a pane. */
import { $ } from "../../viewer/static/dom.js";
import { listen } from "../../viewer/static/gestures.js";
import { step, stepSlice, zoom } from "./actions.js";
import { draw, values } from "./draw.js";
import { state, view } from "./state.js";
import { ownWindow } from "./window.js";

const WINDOW_STEP = 4; // grey levels a CSS pixel of dragging
const SWIPE_GRIP_PX = 22;

export function hands({ canvas, viewport }) {
  const at = (event) => viewport.toImage(view, event.clientX, event.clientY);
  const across = (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    return (event.clientX - left) / width;
  };
  listen(canvas, {
    hover: (event) => state.tool !== "ruler" && values(at(event)),
    leave: () => {
      if (!state.ruler.length) $("values").textContent = "\u00a0";
    },
    down: (event) => {
      const away = Math.abs(across(event) - state.swipe) * canvas.clientWidth;
      state.swiping = viewport.mode === "swipe" && away < SWIPE_GRIP_PX;
      if (!state.swiping && state.tool === "ruler") state.ruler = [at(event)];
      draw();
    },
    drag: (dx, dy, event) => {
      if (state.swiping) state.swipe = Math.min(1, Math.max(0, across(event)));
      else if (state.tool === "window") {
        ownWindow(view.level + dy * WINDOW_STEP, view.width + dx * WINDOW_STEP);
      } else if (state.tool === "ruler" && state.ruler.length) {
        state.ruler = [state.ruler[0], at(event)];
      } else view.pan(dx, dy, viewport.scene);
      draw();
    },
    cancel: () => {
      if (state.tool === "ruler") state.ruler = [];
      state.swiping = false;
    },
    tap: (event) => {
      if (state.tool === "ruler") state.ruler = [];
      values(at(event));
      draw();
    },
    pan: (dx, dy) => {
      view.pan(dx, dy, viewport.scene);
      draw();
    },
    zoom,
    scroll: (by, boxes) => (boxes ? step(by) : stepSlice(by)),
  });
  new ResizeObserver(() => {
    if (view.fitted && viewport.scene) view.fit(viewport.scene, viewport.pane);
    draw();
  }).observe(canvas);
}
