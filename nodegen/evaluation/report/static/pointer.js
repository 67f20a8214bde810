/** Mouse and fingers on a pane. */
import { $ } from "../../viewer/static/dom.js";
import { listen } from "../../viewer/static/gestures.js";
import { stepSlice, zoom } from "./actions.js";
import { draw, values } from "./draw.js";
import { current, measured, state, view } from "./state.js";
import { ownWindow } from "./window.js";

const WINDOW_STEP = 4; // grey levels a CSS pixel of dragging
const SWIPE_GRIP_PX = 22;

const MEASURES = ["ruler", "region"];

export function listenToPane({ canvas, viewport }) {
  const at = (event) => viewport.toImage(view, event.clientX, event.clientY);
  const across = (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    return (event.clientX - left) / width;
  };
  listen(canvas, {
    hover: (event) => {
      if (!MEASURES.includes(state.tool)) values(at(event));
      magnify(at(event));
    },
    leave: () => {
      if (!measured().ruler.length && !measured().region.length) $("values").textContent = "\u00a0";
      magnify(null);
    },
    down: (event) => {
      const away = Math.abs(across(event) - state.swipe) * canvas.clientWidth;
      state.swiping = viewport.mode === "swipe" && away < SWIPE_GRIP_PX;
      if (!state.swiping && MEASURES.includes(state.tool)) measured()[state.tool] = [at(event)];
      magnify(at(event));
      draw();
    },
    drag: (dx, dy, event) => {
      if (state.swiping) state.swipe = Math.min(1, Math.max(0, across(event)));
      else if (state.tool === "window") {
        ownWindow(view.level + dy * WINDOW_STEP, view.width + dx * WINDOW_STEP);
      } else if (MEASURES.includes(state.tool)) {
        const mine = measured();
        if (mine[state.tool].length) mine[state.tool] = [mine[state.tool][0], at(event)];
      } else if (state.tool === "loupe") magnify(at(event));
      else view.pan(dx, dy, viewport.scene);
      draw();
    },
    cancel: () => {
      if (MEASURES.includes(state.tool)) measured()[state.tool] = [];
      state.swiping = false;
    },
    tap: (event) => {
      if (MEASURES.includes(state.tool)) measured()[state.tool] = [];
      values(at(event));
      draw();
    },
    pan: (dx, dy) => {
      view.pan(dx, dy, viewport.scene);
      draw();
    },
    zoom,
    scroll: stepSlice,
  });
  new ResizeObserver(() => {
    if (view.fitted && viewport.scene) view.fit(viewport.scene, viewport.pane);
    else if (view.close) view.focus(current().box, viewport.pane);
    draw();
  }).observe(canvas);
}

/** Hold the loupe over a point, where it is in hand. */
function magnify(point) {
  if (state.tool !== "loupe") return;
  state.loupe = point;
  draw();
}
