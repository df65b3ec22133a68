// Faces as points, those that the answering model has looked at. Draw around some to select them, scroll to zoom, hold space and drag to move.

import { Selection } from "./selection.js";

const canvas = document.getElementById("map");
const pen = canvas.getContext("2d");
const span = Number(canvas.dataset.span);
const filter = document.getElementById("shown");
const preview = document.getElementById("preview");
const selection = new Selection();
const dark = matchMedia("(prefers-color-scheme: dark)");
const PREVIEWED = 16;
let points = { ids: [], x: [], y: [], classes: [] };
let view = { scale: 1, left: 0, top: 0 };
let lasso = [], dragging = null, moving = false;

async function load() {
  const answer = await fetch(canvas.dataset.source);
  const found = await answer.json();
  if (answer.status === 202) {
    setTimeout(load, 1000);
    return;
  }
  points = found;
  canvas.dataset.points = points.ids.length;
  explain();
  selection.changed();
  whole();
}

function whole() {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = 0.94 * Math.min(width, height) / span;
  view = { scale, left: (width - scale * span) / 2, top: (height - scale * span) / 2 };
  draw();
}

function colour(id) {
  if (id < 0) return dark.matches ? "#9aa3ad" : "#6b7280";
  return `hsl(${(id * 137.5) % 360} 70% ${dark.matches ? 68 : 40}%)`;
}

function explain() {
  const of = Number(canvas.dataset.faces).toLocaleString("en"), seen = points.ids.length.toLocaleString("en");
  document.getElementById("extent").textContent = `${seen} of ${of} faces, those that the answering model has looked at. `;
  const present = new Set(points.classes);
  const entries = [...filter.options].filter((option) => option.value !== "" && present.has(Number(option.value)));
  document.getElementById("legend").replaceChildren(...entries.map((option) => {
    const entry = document.createElement("li"), swatch = document.createElement("span");
    swatch.style.backgroundColor = colour(Number(option.value));
    entry.append(swatch, option.textContent);
    return entry;
  }));
}

function isShown(index) { return filter.value === "" || points.classes[index] === Number(filter.value); }

function draw() {
  const box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
  canvas.width = box.width * ratio;
  canvas.height = box.height * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const size = Math.max(2, Math.min(6, 160 / Math.sqrt(points.ids.length + 1)));
  const order = [...points.ids.keys()].sort((one, other) => points.classes[one] - points.classes[other]);
  let last = null;
  for (const index of order) {
    if (!isShown(index)) continue;
    const chosen = selection.has(points.ids[index]);
    const key = chosen ? "chosen" : points.classes[index];
    if (key !== last) {
      pen.fillStyle = chosen ? (dark.matches ? "#ffffff" : "#000000") : colour(points.classes[index]);
      last = key;
    }
    const x = view.left + view.scale * points.x[index], y = view.top + view.scale * points.y[index];
    if (x > -9 && y > -9 && x < box.width + 9 && y < box.height + 9) pen.fillRect(x - size / 2, y - size / 2, size, size);
  }
  if (lasso.length > 1) {
    pen.beginPath();
    lasso.forEach(([x, y], step) => (step ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.strokeStyle = dark.matches ? "#ffffff" : "#000000";
    pen.stroke();
  }
}

function inside(x, y) {
  let odd = false;
  for (let one = 0, other = lasso.length - 1; one < lasso.length; other = one, one += 1) {
    const [ax, ay] = lasso[one], [bx, by] = lasso[other];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

function choose() {
  const found = [];
  for (let index = 0; index < points.ids.length; index += 1) {
    const x = view.left + view.scale * points.x[index], y = view.top + view.scale * points.y[index];
    if (isShown(index) && inside(x, y)) found.push(points.ids[index]);
  }
  selection.set(found);
  preview.hidden = found.length === 0;
  if (found.length) {
    const step = Math.max(1, Math.floor(found.length / PREVIEWED));
    const some = found.filter((_, place) => place % step === 0).slice(0, PREVIEWED);
    preview.querySelector("img").src = `/sprite.jpg?ids=${some.join(",")}&run=${document.body.dataset.run}`;
  }
}

function here(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  dragging = here(event);
  lasso = moving || event.button === 1 ? [] : [dragging];
});
canvas.addEventListener("pointermove", (event) => {
  if (!dragging) return;
  const [x, y] = here(event);
  if (lasso.length) {
    lasso.push([x, y]);
  } else {
    view.left += x - dragging[0];
    view.top += y - dragging[1];
    dragging = [x, y];
  }
  requestAnimationFrame(draw);
});
canvas.addEventListener("pointerup", () => {
  if (lasso.length > 2) choose();
  lasso = [];
  dragging = null;
  draw();
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const [x, y] = here(event), factor = Math.exp(-event.deltaY / 400);
  view = { scale: view.scale * factor, left: x - (x - view.left) * factor, top: y - (y - view.top) * factor };
  requestAnimationFrame(draw);
}, { passive: false });
document.addEventListener("keydown", (event) => { if (event.key === " " && event.target === canvas) { moving = true; event.preventDefault(); } });
document.addEventListener("keyup", (event) => { if (event.key === " ") moving = false; });
document.addEventListener("owcl:key", (event) => { if (event.detail.key === "Escape") selection.set([]); });
filter.addEventListener("change", draw);
dark.addEventListener("change", () => { explain(); draw(); });
selection.addEventListener("change", draw);
document.getElementById("whole").addEventListener("click", whole);
new ResizeObserver(whole).observe(canvas);
load();
