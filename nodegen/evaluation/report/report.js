"use strict";
const { cases, crops, slices, measures } = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const state = { shown: [], at: 0, zoom: 1, x: 0, y: 0 };
const pixels = new Map(); // picture's address: promise of its grey values 0..255
const ready = new Map(); // the same, kept

/* --- grey levels ------------------------------------------------------------------------------ */

async function greyOf(uri) {
  if (!pixels.has(uri)) pixels.set(uri, (async () => {
    const image = new Image();
    image.src = uri;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const values = Uint8Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
    const grey = { width: image.width, height: image.height, values };
    ready.set(uri, grey);
    return grey;
  })());
  return pixels.get(uri);
}

async function levelsOf(one) {
  return levelsFrom(one, ...await Promise.all([greyOf(crops[one.crop].image), greyOf(one.change)]));
}

function levelsFrom(one, old, change) {
  const crop = crops[one.crop];
  const before = Float32Array.from(old.values, (v) => crop.low + (v / 255) * (crop.high - crop.low));
  const difference = Float32Array.from(change.values, (v) => (v - 128) * one.step);
  const after = before.map((v, i) => v + difference[i]);
  return { width: old.width, height: old.height, before, after, change: difference };
}

function limits(one) {
  const { low, high } = crops[one.crop];
  const preset = { crop: [low, high], full: [0, 4095], soft: [2048, 4095], lung: [0, 2048] }[$("preset").value];
  if (preset) return preset;
  const level = +$("level").value, width = +$("width").value;
  return [level - width / 2, level + width / 2];
}

/* Dark is none; blue has grown darker, orange brighter. */
function colour(share) {
  const s = Math.min(Math.abs(share), 1), end = share < 0 ? [110, 185, 255] : [255, 170, 80];
  return [22, 26, 30].map((from, i) => from + s * (end[i] - from));
}

const packed = (red, green, blue) => 0xff000000 + (blue << 16) + (green << 8) + (red | 0); // as a canvas keeps them
const shades = Uint32Array.from({ length: 256 }, (_, grey) => packed(grey, grey, grey));
const hues = Uint32Array.from({ length: 511 }, (_, i) => packed(...colour((i - 255) / 255)));

function paint(canvas, levels, view, [low, high], most) {
  canvas.width = levels.width;
  canvas.height = levels.height;
  const context = canvas.getContext("2d"), image = context.createImageData(levels.width, levels.height);
  const inverse = $("inverse").checked;
  const target = new Uint32Array(image.data.buffer), source = levels[view];
  const [table, start, span] = view === "change" ? [hues, -most, 2 * most] : [shades, low, high - low];
  const last = table.length - 1, flip = inverse && view !== "change";
  for (let i = 0; i < target.length; i++) {
    const place = Math.max(0, Math.min(last, Math.round(((source[i] - start) / span) * last)));
    target[i] = table[flip ? last - place : place];
  }
  context.putImageData(image, 0, 0);
}

/* How far from none the colours reach, grey levels. */
const mostOf = (one) => Math.max(10, Math.round((one.step * 127) / 10) * 10);
const nameOf = (one) => `${one.stack}, slice ${one.slice}, box ${one.index}`;
const digits = (name) => (name === "contrast" ? 0 : 2);

/* --- list ------------------------------------------------------------------------------------- */

const seen = new IntersectionObserver((entries) => entries.forEach(async ({ isIntersecting, target }) => {
  if (!isIntersecting) return;
  seen.unobserve(target);
  const one = cases[+target.dataset.case];
  paint(target, await levelsOf(one), "after", [crops[one.crop].low, crops[one.crop].high], 1);
}));

function choose() {
  const kept = state.shown[state.at];
  const method = $("method").value, signal = $("signal").value, sort = $("sort").value;
  const shown = cases.map((_, i) => i).filter((i) => (!method || cases[i].method === method) && (!signal || cases[i].signal === signal));
  if (sort) shown.sort((a, b) => cases[a].measures[sort] - cases[b].measures[sort]);
  if ($("falling").checked) shown.reverse();
  state.shown = shown;
  $("list").replaceChildren(...shown.map((i, place) => {
    const one = cases[i], button = document.createElement("button"), words = document.createElement("span");
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
    canvas.dataset.case = i;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${nameOf(one)}, after`);
    const detail = document.createElement("small");
    detail.textContent = `${one.signal}${sort ? `, ${sort} ${one.measures[sort].toFixed(digits(sort))}` : ""}`;
    words.append(nameOf(one), detail, Object.assign(document.createElement("small"), { textContent: `${one.method}${one.seed === null ? "" : `, seed ${one.seed}`}` }));
    button.append(canvas, words);
    button.onclick = () => show(place);
    seen.observe(canvas);
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
  $("detail").hidden = !shown.length;
  if (shown.length) show(Math.max(0, shown.indexOf(kept)), false);
}

/* --- one box ---------------------------------------------------------------------------------- */

async function show(place, scroll = true) {
  state.at = Math.max(0, Math.min(state.shown.length - 1, place));
  const index = state.shown[state.at], one = cases[index];
  [...$("list").querySelectorAll("button")].forEach((button, i) => button.setAttribute("aria-current", i === state.at));
  if (scroll) $("list").children[state.at].scrollIntoView({ block: "nearest", inline: "nearest" });
  $("title").textContent = `${nameOf(one)}: ${one.method}, ${one.signal}`;
  const rows = (table, entries) => $(table).tBodies[0].replaceChildren(...entries.map(([name, value]) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value;
    return row;
  }));
  rows("figures", Object.entries(one.measures).map(([name, value]) => [name, `${value.toFixed(digits(name))} ${measures[name]}`]));
  const { index: _, slice, left, top, right, bottom, ...drawn } = one.recipe;
  rows("recipe", Object.entries({ box: `${one.box[0]}, ${one.box[1]} to ${one.box[2]}, ${one.box[3]} px`, ...drawn }));
  const [low, high] = limits(one);
  $("level").value = (low + high) / 2;
  $("width").value = high - low;
  told();
  const levels = await levelsOf(one);
  if (state.shown[state.at] !== index) return; // meanwhile another box was chosen
  $("detail").dataset.case = index;
  const most = mostOf(one);
  document.querySelectorAll("#detail canvas[data-view]").forEach((canvas) => {
    paint(canvas, levels, canvas.dataset.view, [low, high], most);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${nameOf(one)}, ${canvas.dataset.view}`);
  });
  const bar = $("bar").getContext("2d");
  for (let i = 0; i <= 100; i++) {
    bar.fillStyle = `rgb(${colour(i / 50 - 1)})`;
    bar.fillRect(i, 0, 1, 1);
  }
  $("least").textContent = `−${most}`;
  $("most").textContent = `+${most}`;
  $("profile").innerHTML = profile(one, levels);
  siblings(one, [low, high]);
  move();
}

const sameBox = (one) => cases.map((_, i) => i).filter((i) => cases[i].crop === one.crop);

/* The same box by each method and seed, in the same window. */
function siblings(one, window) {
  const same = sameBox(one);
  $("others").hidden = same.length < 2;
  $("others").replaceChildren(...(same.length < 2 ? [] : same).map((i) => {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    const seeds = new Set(same.map((j) => cases[j].seed)).size > 1;
    const name = cases[i].method + (seeds ? `, seed ${cases[i].seed}` : "");
    levelsOf(cases[i]).then((levels) => paint(canvas, levels, "after", window, 1));
    canvas.setAttribute("aria-hidden", true);
    button.append(canvas, name);
    button.setAttribute("aria-current", cases[i] === one);
    button.onclick = () => goTo(i);
    return button;
  }));
}

/* Show a case, and all cases where the filter has left it out. */
function goTo(index) {
  if (!state.shown.includes(index)) {
    $("method").value = $("signal").value = "";
    choose();
  }
  show(state.shown.indexOf(index));
}

function another(step) {
  const same = sameBox(cases[state.shown[state.at]]), at = same.indexOf(state.shown[state.at]);
  goTo(same[(at + step + same.length) % same.length]);
}

function profile(one, levels) {
  const { crop } = crops[one.crop], [left, top, right, bottom] = one.box;
  const row = Math.min(levels.height - 1, Math.round(((top + bottom) / 2 - crop.top) / crop.scale));
  const lines = ["before", "after"].map((view) => levels[view].slice(row * levels.width, (row + 1) * levels.width));
  const all = lines.flatMap((line) => [...line]);
  const low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
  const x = (i) => 46 + (i / (levels.width - 1 || 1)) * 566, y = (v) => 178 - ((v - low) / span) * 164;
  const text = (at, height, anchor, words) => `<text x="${at}" y="${height}" text-anchor="${anchor}" fill="currentColor" opacity=".75">${words}</text>`;
  const line = (values, stroke) => `<polyline fill="none" stroke="${stroke}" stroke-width="1.5" points="${[...values].map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" ")}"/>`;
  const edges = [left, right].map((v) => x((v - crop.left) / crop.scale));
  return `<rect x="${edges[0]}" y="8" width="${edges[1] - edges[0]}" height="174" fill="#ffd24a" opacity=".13"/>` +
    [low, (low + high) / 2, high].map((v) => `${text(40, y(v) + 3, "end", Math.round(v))}<line x1="46" x2="612" y1="${y(v)}" y2="${y(v)}" stroke="currentColor" opacity=".15"/>`).join("") +
    [left, right].map((v, i) => text(edges[i], 194, "middle", `column ${v}`)).join("") +
    line(lines[0], "#6fb1f5") + line(lines[1], "#ffab52");
}

/* Slider, zoom and place; nothing is painted anew. */
function move() {
  const one = cases[state.shown[state.at]], share = +$("slider").value;
  if (!one) return;
  const limit = 100 * (1 - state.zoom);
  state.x = Math.min(0, Math.max(limit, state.x));
  state.y = Math.min(0, Math.max(limit, state.y));
  document.querySelectorAll("#detail .frame").forEach((frame) => {
    frame.querySelectorAll("canvas").forEach((canvas) => {
      canvas.style.transform = `translate(${state.x}%, ${state.y}%) scale(${state.zoom})`;
      canvas.style.imageRendering = state.zoom > 2.5 ? "pixelated" : "auto";
    });
    const { crop } = crops[one.crop], side = Math.max(crop.width, crop.height);
    const outline = frame.querySelector(".outline");
    outline.hidden = !$("outline").checked;
    const at = (v, start, length) => ((v - start + (side - length) / 2) / side) * 100 * state.zoom;
    Object.assign(outline.style, {
      left: `${at(one.box[0], crop.left, crop.width) + state.x}%`, top: `${at(one.box[1], crop.top, crop.height) + state.y}%`,
      width: `${((one.box[2] - one.box[0]) / side) * 100 * state.zoom}%`, height: `${((one.box[3] - one.box[1]) / side) * 100 * state.zoom}%`,
    });
  });
  const after = $("compare").querySelector("[data-view=after]");
  const cut = (share - state.x) / state.zoom; // in the canvas's own frame
  after.style.clipPath = `inset(0 0 0 ${Math.max(0, cut)}%)`;
  $("compare").querySelector(".divider").style.left = `${share}%`;
  $("zoom").value = state.zoom;
  told();
}

function zoomTo(zoom, x = 50, y = 50) {
  const next = Math.max(1, Math.min(6, zoom)), ratio = next / state.zoom;
  state.x = x - (x - state.x) * ratio;
  state.y = y - (y - state.y) * ratio;
  state.zoom = next;
  move();
}

function told() {
  for (const output of document.querySelectorAll("#controls output")) {
    const input = $(output.htmlFor.value);
    output.value = input.id === "zoom" ? `${(+input.value).toFixed(1)}×` : input.value;
  }
}

function rewindow() {
  $("preset").value = "own";
  show(state.at, false);
}

/* --- slices ----------------------------------------------------------------------------------- */

function overview() {
  $("overview").replaceChildren(...Object.entries(slices).map(([name, slice]) => {
    const figure = document.createElement("figure"), holder = document.createElement("div");
    holder.className = "slice";
    holder.append(Object.assign(new Image(), { src: slice.image, loading: "lazy", alt: `Slice ${name}`, width: slice.width, height: slice.height }));
    holder.firstChild.style.height = "auto";
    const boxes = new Map(cases.filter((one) => `${one.stack}/${one.slice}` === name).map((one) => [one.index, one]));
    for (const [index, one] of boxes) {
      const link = Object.assign(document.createElement("a"), { href: "#boxes", title: `box ${index}` });
      const [left, top, right, bottom] = one.box;
      link.setAttribute("aria-label", nameOf(one));
      Object.assign(link.style, {
        left: `${(100 * left) / slice.width}%`, top: `${(100 * top) / slice.height}%`,
        width: `${(100 * (right - left)) / slice.width}%`, height: `${(100 * (bottom - top)) / slice.height}%`,
      });
      link.onclick = () => goTo(state.shown.find((i) => cases[i].crop === one.crop) ?? cases.indexOf(one));
      holder.append(link);
    }
    const caption = document.createElement("figcaption");
    caption.textContent = `${name}: ${boxes.size} box${boxes.size === 1 ? "" : "es"}`;
    figure.append(holder, caption);
    return figure;
  }));
}

/* --- print: every box that is shown -------------------------------------------------------------- */

function printable() {
  const decoded = state.shown.map((i) => cases[i]).filter((one) => ready.has(one.change) && ready.has(crops[one.crop].image));
  const made = decoded.map((one) => {
    const levels = levelsFrom(one, ready.get(crops[one.crop].image), ready.get(one.change)), block = document.createElement("div");
    block.className = "case";
    const title = document.createElement("h3");
    title.textContent = `${nameOf(one)}: ${one.method}, ${one.signal}; ` + Object.entries(one.measures).map(([k, v]) => `${k} ${v.toFixed(digits(k))}`).join(", ");
    block.append(title);
    for (const view of ["before", "after", "change"]) {
      const canvas = document.createElement("canvas");
      paint(canvas, levels, view, limits(one), mostOf(one));
      block.append(canvas);
    }
    block.insertAdjacentHTML("beforeend", `<svg viewBox="0 0 620 200" font-size="10">${profile(one, levels)}</svg>`);
    return block;
  });
  $("print").replaceChildren(...made);
}

/* --- hands ------------------------------------------------------------------------------------ */

for (const id of ["method", "signal", "sort", "falling"]) $(id).onchange = choose;
for (const id of ["preset", "inverse"]) $(id).onchange = () => show(state.at, false);
for (const id of ["level", "width"]) $(id).oninput = rewindow;
$("slider").oninput = $("outline").onchange = move;
$("zoom").oninput = () => zoomTo(+$("zoom").value);
$("controls").onsubmit = (event) => event.preventDefault();

for (const frame of document.querySelectorAll("#detail .frame")) {
  frame.oncontextmenu = (event) => event.preventDefault();
  frame.onpointerdown = (event) => frame.setPointerCapture(event.pointerId);
  frame.onpointermove = (event) => {
    if (event.buttons === 1) {
      state.x += (100 * event.movementX) / frame.clientWidth;
      state.y += (100 * event.movementY) / frame.clientHeight;
      move();
    } else if (event.buttons === 2) { // as on a reading station: across is width, down is level
      $("width").value = +$("width").value + 8 * event.movementX;
      $("level").value = +$("level").value + 8 * event.movementY;
      rewindow();
    }
  };
  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { left, top, width, height } = frame.getBoundingClientRect();
    zoomTo(state.zoom * Math.exp(-event.deltaY / 400), (100 * (event.clientX - left)) / width, (100 * (event.clientY - top)) / height);
  }, { passive: false });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /SELECT/.test(event.target.tagName)) return;
  const range = event.target.type === "range";
  const actions = {
    ArrowRight: () => show(state.at + 1), ArrowLeft: () => show(state.at - 1),
    ArrowDown: () => another(1), ArrowUp: () => another(-1),
    " ": () => { $("slider").value = +$("slider").value > 50 ? 0 : 100; move(); },
    i: () => $("inverse").click(), b: () => $("outline").click(),
    "+": () => zoomTo(state.zoom * 1.25), "-": () => zoomTo(state.zoom / 1.25),
    0: () => { $("preset").value = "crop"; $("slider").value = 50; zoomTo(1); show(state.at, false); },
  };
  if (!actions[event.key] || (range && event.key.startsWith("Arrow")) || (event.key === " " && /BUTTON|INPUT/.test(event.target.tagName))) return;
  event.preventDefault();
  actions[event.key]();
});

addEventListener("beforeprint", printable);
addEventListener("afterprint", () => $("print").replaceChildren());
addEventListener("load", () => setTimeout(() => cases.forEach(levelsOf), 1000)); // print does not wait for pictures
addEventListener("resize", move);
choose();
overview();
