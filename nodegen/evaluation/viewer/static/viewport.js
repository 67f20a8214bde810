/** One pane: an image in a window, at a zoom, with outlines and ruler above it. */
import { changeTable, greyTable, paint } from "./greys.js";

const SHARP_FROM = 3; // screen pixels a pixel from which no smoothing is done
const INK = { box: "#ffd24a", nodule: "#5fe0c8", lungs: "#8fb8ff", ruler: "#ff9d5c", mark: "#ff9d5c" };
const LOUPE = { radius: 95, zoom: 3 }; // CSS pixels; times the zoom around it

export class Viewport {
  #layers = new Map(); // "before", "after", "change": painted canvas and what it shows

  constructor(canvas) {
    this.canvas = canvas;
    this.scene = null;
    this.mode = "after";
  }

  get pane() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  show(scene, mode) {
    if (this.scene !== scene) this.#layers.clear();
    this.scene = scene;
    this.mode = mode;
  }

  /** Image coordinates of a point of the page. */
  toImage(view, clientX, clientY) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [
      view.x + (clientX - left - width / 2) / view.scale,
      view.y + (clientY - top - height / 2) / view.scale,
    ];
  }

  /** Draw; `shown` names the outlines wanted, `marks` and `ruler` come from whoever holds them. */
  draw(view, { shown = {}, ruler = [], region = [], cursor = null, loupe = null, swipe = 0.5, most = 100, marks = [] } = {}) {
    const { canvas, scene } = this;
    const { width, height } = this.pane;
    const dense = globalThis.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * dense), Math.round(height * dense)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, w, h);
    if (!scene) return;
    const origin = [width / 2 - view.x * view.scale, height / 2 - view.y * view.scale];
    const at = (x, y) => [origin[0] + x * view.scale, origin[1] + y * view.scale];
    pen.imageSmoothingEnabled = view.scale * dense < SHARP_FROM;
    const paintLayer = (layer) => {
      const k = view.scale * dense;
      pen.setTransform(k, 0, 0, k, origin[0] * dense, origin[1] * dense);
      pen.drawImage(this.#layer(layer, view, most), 0, 0);
      pen.setTransform(dense, 0, 0, dense, 0, 0);
    };
    if (this.mode === "swipe") {
      paintLayer("before");
      pen.save();
      pen.beginPath();
      pen.rect(width * swipe, 0, width, height);
      pen.clip();
      paintLayer("after");
      pen.restore();
      pen.fillStyle = "#fff";
      pen.fillRect(width * swipe - 0.75, 0, 1.5, height);
      pen.beginPath();
      pen.arc(width * swipe, height / 2, 9, 0, 7);
      pen.fill();
    } else {
      paintLayer(this.mode);
    }
    this.#outlines(pen, at, shown, view.scale);
    for (const [i, { x, y }] of marks.entries()) cross(pen, at(x, y), INK.mark, String(i + 1));
    if (ruler.length) measure(pen, ruler.map(([x, y]) => at(x, y)), rulerText(ruler, scene.spacing));
    if (region.length === 2) ellipse(pen, ...region.map(([x, y]) => at(x, y)));
    if (loupe) {
      const point = at(...loupe);
      const side = point[0] > width * swipe ? "after" : "before";
      this.#magnify(pen, loupe, point, view, dense, this.#layer(this.mode === "swipe" ? side : this.mode, view, most));
    }
    if (cursor) cross(pen, at(...cursor), "#fff");
  }

  #magnify(pen, [x, y], point, view, dense, layer) {
    const k = view.scale * dense * LOUPE.zoom;
    pen.save();
    pen.beginPath();
    pen.arc(...point, LOUPE.radius, 0, 7);
    pen.clip();
    pen.fillStyle = "#000";
    pen.fill();
    pen.setTransform(k, 0, 0, k, point[0] * dense - x * k, point[1] * dense - y * k);
    pen.drawImage(layer, 0, 0);
    pen.restore();
    pen.lineWidth = 1.5;
    outline(pen, "#fff", () => pen.arc(...point, LOUPE.radius, 0, 7));
  }

  #layer(name, view, most) {
    const { scene } = this;
    const stamp =
      name === "change" ? `${most}` : `${view.level} ${view.width} ${view.inverse}`;
    const known = this.#layers.get(name);
    if (known?.stamp === stamp) return known.canvas;
    const canvas = known?.canvas ?? document.createElement("canvas");
    if (!known) Object.assign(canvas, { width: scene.width, height: scene.height });
    if (name === "change") {
      paint(canvas, scene.after, changeTable(most, scene.slope), scene.before);
    } else {
      paint(canvas, scene[name], greyTable(view, scene.slope));
    }
    this.#layers.set(name, { canvas, stamp });
    return canvas;
  }

  #outlines(pen, at, shown, scale) {
    const { boxes = [], nodules = [], lungs = [] } = this.scene;
    if (shown.box) {
      for (const [left, top, right, bottom, current] of boxes) {
        const [x, y] = at(left, top);
        pen.lineWidth = current ? 2 : 1;
        outline(pen, INK.box, () => pen.rect(x, y, (right - left) * scale, (bottom - top) * scale));
      }
    }
    pen.lineWidth = 1.5;
    for (const [name, shapes] of [["nodule", nodules], ["lungs", lungs]]) {
      if (!shown[name]) continue;
      for (const shape of shapes) {
        outline(pen, INK[name], () => {
          trace(pen, shape.map(([x, y]) => at(x, y)));
          pen.closePath();
        });
      }
    }
  }
}

/** Length of a ruler between two image points, in px and, by the spacing (x, y), in mm. */
export function rulerText([a, b], spacing) {
  if (!b) return "";
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const px = `${Math.hypot(dx, dy).toFixed(1)} px`;
  return spacing ? `${Math.hypot(dx * spacing[0], dy * spacing[1]).toFixed(1)} mm, ${px}` : px;
}

function trace(pen, points) {
  for (const [i, point] of points.entries()) pen[i ? "lineTo" : "moveTo"](...point);
}

function outline(pen, colour, path) {
  const { lineWidth } = pen;
  for (const [stroke, width] of [["#000a", lineWidth + 2], [colour, lineWidth]]) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width;
    pen.beginPath();
    path();
    pen.stroke();
  }
  pen.lineWidth = lineWidth;
}

function cross(pen, [x, y], colour, words = "") {
  pen.lineWidth = 1.5;
  outline(pen, colour, () => {
    pen.arc(x, y, 9, 0, 7);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + dx * 4, y + dy * 4);
      pen.lineTo(x + dx * 14, y + dy * 14);
    }
  });
  if (words) label(pen, words, x + 12, y - 10, colour);
}

function measure(pen, points, words) {
  pen.lineWidth = 1.5;
  outline(pen, INK.ruler, () => trace(pen, points));
  for (const point of points) outline(pen, INK.ruler, () => pen.arc(...point, 3, 0, 7));
  if (words) label(pen, words, points[1][0] + 8, points[1][1] - 8, INK.ruler);
}

function ellipse(pen, [x1, y1], [x2, y2]) {
  pen.lineWidth = 1.5;
  outline(pen, INK.ruler, () =>
    pen.ellipse((x1 + x2) / 2, (y1 + y2) / 2, Math.abs(x2 - x1) / 2, Math.abs(y2 - y1) / 2, 0, 0, 7),
  );
}

function label(pen, words, x, y, colour) {
  pen.font = "600 13px system-ui, sans-serif";
  pen.lineWidth = 3;
  pen.strokeStyle = "#000c";
  pen.strokeText(words, x, y);
  pen.fillStyle = colour;
  pen.fillText(words, x, y);
}
