/** Radiographs before and after, unpacked on demand. */
import { Store } from "../../viewer/static/pixels.js";
import { data, order, slices } from "./state.js";

const KEPT = 12; // scenes; one takes twice its pixels
const store = new Store({ folder: data.folder });
const scenes = new Map(); // slice and change: promise of the scene

/** The radiograph of a slice, before and after one change. */
export function sceneOf(where, change) {
  const key = `${where} ${change}`;
  if (!scenes.has(key)) {
    scenes.set(key, load(where, change));
    if (scenes.size > KEPT) scenes.delete(scenes.keys().next().value);
  }
  return scenes.get(key);
}

async function load(where, change) {
  const slice = slices[where];
  const [before, difference] = await Promise.all(
    [slice.pixels, change].map((key) => store.get(key, slice.width, slice.height)),
  );
  const after = new Uint16Array(before.length); // counts modulo 65536, as the difference does
  for (let i = 0; i < after.length; i++) after[i] = before[i] + difference[i];
  return { ...slice, before, after };
}

/** Unpack the next slice while this one is read. */
export function ahead(one) {
  const next = order[order.indexOf(one.where) + 1];
  const same = slices[next]?.treatments.find((each) => each.method === one.method);
  if (same) setTimeout(() => sceneOf(next, same.change).catch(() => {}), 150);
}

/** Grey levels of full colour in the picture of the change: its largest in the box. */
export function mostOf(scene, one) {
  const [left, top, right, bottom] = one.box;
  let most = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const i = y * scene.width + x;
      most = Math.max(most, Math.abs(scene.after[i] - scene.before[i]));
    }
  }
  return Math.max(10, most * scene.slope);
}
