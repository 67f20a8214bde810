/** What part of an image is seen, and in which window; several panes share one view. */

export const LEAST_SCALE = 0.1;
export const MOST_SCALE = 16;

export class View {
  constructor() {
    // Fitted: the whole image, whatever the pane. Close: a box fills the pane.
    Object.assign(this, { scale: 1, x: 0, y: 0, fitted: true, close: false });
    Object.assign(this, { level: 2048, width: 4096, inverse: false });
  }

  /** The whole image in a pane of so many CSS pixels. */
  fit(scene, pane) {
    this.scale = Math.min(pane.width / scene.width, pane.height / scene.height);
    this.x = scene.width / 2;
    this.y = scene.height / 2;
    Object.assign(this, { fitted: true, close: false });
  }

  /** A box [left, top, right, bottom] in the middle, with `around` times its larger side. */
  focus([left, top, right, bottom], pane, around = 3) {
    const side = Math.max(right - left, bottom - top) * around;
    this.scale = Math.min(MOST_SCALE, Math.min(pane.width, pane.height) / side);
    this.centre([left, top, right, bottom]);
    this.close = true;
  }

  /** A box in the middle, at the zoom that is set. */
  centre([left, top, right, bottom]) {
    this.x = (left + right) / 2;
    this.y = (top + bottom) / 2;
    this.fitted = false;
  }

  /** Move by CSS pixels; the middle of the pane stays inside the image. */
  pan(dx, dy, scene) {
    this.x = Math.min(scene.width, Math.max(0, this.x - dx / this.scale));
    this.y = Math.min(scene.height, Math.max(0, this.y - dy / this.scale));
    Object.assign(this, { fitted: false, close: false });
  }

  /** Zoom so that the point at (px, py) from the pane's middle, CSS pixels, stays where it is. */
  zoom(factor, px, py, scene) {
    const next = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.scale * factor));
    this.x += px / this.scale - px / next;
    this.y += py / this.scale - py / next;
    this.scale = next;
    this.pan(0, 0, scene);
  }

  window(level, width) {
    this.level = level;
    this.width = Math.max(1, width);
  }
}
