/** A case on the screen: its panes, their windows and zooms. */
import { $, make, oncePerFrame } from "../../viewer/static/dom.js";
import { listen } from "../../viewer/static/gestures.js";
import { spread } from "../../viewer/static/greys.js";
import { Store } from "../../viewer/static/pixels.js";
import { View } from "../../viewer/static/view.js";
import { Viewport } from "../../viewer/static/viewport.js";
import { cases, current, data, isWide, kind, look, panes, practiceCount, sideNames, state } from "./study.js";

const WINDOW_STEP = 4; // grey levels a CSS pixel of dragging
const store = new Store({ folder: data.folder, limit: 8 });
let onTap = () => {};
let onShown = () => {};

/** Say what a tap on a pane does, and what follows when a case is shown. */
export function listenToCase(tap, shown) {
  onTap = tap;
  onShown = shown;
}

/** Show a case with what was said of it. */
export async function open(index) {
  state.shut = true;
  state.at = index;
  const one = current();
  const known = state.answers.of(one);
  const { seconds = 0, at, ...reply } = structuredClone(
    known ?? state.drafts.get(one.case) ?? (kind === "marking" ? { marks: [] } : {}),
  );
  Object.assign(state, { reply, told: Boolean(one.practice && known), cursor: null });
  state.seconds = seconds * 1000;
  state.began = 0;
  $("progress").textContent = one.practice
    ? `Practice ${index + 1} of ${practiceCount}`
    : `Case ${index + 1 - practiceCount} of ${cases.length - practiceCount}`;
  while (panes.length < one.panes.length) addPane();
  let pixels;
  try {
    pixels = await Promise.all(one.panes.map((p) => store.get(p.pixels, p.width, p.height)));
  } catch (fault) {
    $("fault").textContent = `The radiograph cannot be shown: ${fault.message}`;
    $("fault").hidden = false;
    return;
  }
  if (current() !== one) return; // meanwhile another was asked for
  one.panes.forEach((pane, i) => {
    const scene = { ...pane, before: pixels[i], after: pixels[i] };
    scene.boxes = pane.box ? [[...pane.box, true]] : [];
    panes[i].viewport.show(scene, "after");
    const side = one.panes.length > 1 ? `, ${sideNames()[i].toLowerCase()}` : "";
    panes[i].canvas.setAttribute("aria-label", `Radiograph${side}`);
    fit(panes[i]);
    resetWindow(panes[i]);
  });
  state.shut = false;
  look();
  $("views").dataset.case = one.case;
  onShown();
  draw();
  const next = cases[index + 1];
  for (const p of next?.panes ?? []) setTimeout(() => store.get(p.pixels, p.width, p.height), 100);
}

function addPane() {
  const canvas = make("canvas", { tabindex: 0, role: "img" });
  const pane = { canvas, viewport: new Viewport(canvas), view: new View() };
  $("views").append(make("figure", {}, canvas));
  panes.push(pane);
  listenToPane(pane);
  arrange();
}

function arrange() {
  $("views").style.setProperty("--columns", isWide() ? panes.length : 1);
  for (const button of document.querySelectorAll("[data-side]")) {
    button.textContent = sideNames()[+button.dataset.side];
  }
}

export const fit = ({ view, viewport }) => view.fit(viewport.scene, viewport.pane);

export function resetWindow({ view, viewport }) {
  const [low, high] = spread(viewport.scene, [0.005, 0.995]);
  view.window((low + high) / 2, high - low);
}

export const draw = oncePerFrame(() => {
  for (const { viewport, view } of panes) {
    const truth = state.told ? current().truth : null;
    if (truth?.boxes && viewport.scene) viewport.scene.boxes = truth.boxes.map((box) => [...box, true]);
    viewport.draw(view, {
      shown: { box: state.box },
      marks: state.reply.marks ?? [],
      cursor: state.cursor,
    });
  }
});

function listenToPane({ canvas, viewport, view }) {
  const pan = (dx, dy) => {
    view.pan(dx, dy, viewport.scene);
    draw();
  };
  listen(canvas, {
    drag: (dx, dy) => {
      if (state.tool === "move") pan(dx, dy);
      else if (state.tool === "window") {
        view.window(view.level + dy * WINDOW_STEP, view.width + dx * WINDOW_STEP);
        draw();
      }
    },
    tap: (event) => onTap(viewport.toImage(view, event.clientX, event.clientY)),
    pan,
    zoom: (factor, px, py) => {
      view.zoom(factor, px, py, viewport.scene);
      draw();
    },
  });
  new ResizeObserver(() => {
    arrange();
    if (view.fitted && viewport.scene) view.fit(viewport.scene, viewport.pane);
    draw();
  }).observe(canvas);
}
