// The faces of a class: only those in sight are in the page, however many there are.

import { Selection } from "./selection.js";

const SPRITE = 64, ACROSS = 8, GAP = 6, CAPTION = 21, MARGIN_ROWS = 3;
const grid = document.getElementById("grid");
const space = grid.querySelector(".space");
const selection = new Selection();
const { run } = document.body.dataset;
const shown = new Map();
let faces, wanted;
let tile = 96, columns = 1, active = 0, anchor = 0;

async function load(order) {
  wanted = order;
  // What stands in the former order can be chosen no longer: a range would hold other faces.
  fill({ ids: [], probabilities: [], p_values: [], origins: [] });
  grid.setAttribute("aria-busy", "true");
  const answer = await fetch(`${grid.dataset.source}?order=${order}`);
  const found = await answer.json();
  if (order !== wanted) return;
  fill(found);
  grid.removeAttribute("aria-busy");
}

function fill(found) {
  faces = found;
  active = anchor = 0;
  for (const cell of shown.values()) cell.remove();
  shown.clear();
  grid.scrollTop = 0;
  measure();
}

function measure() {
  tile = parseFloat(getComputedStyle(grid).getPropertyValue("--tile")) || 96;
  columns = Math.max(1, Math.floor((grid.clientWidth - GAP) / (tile + GAP)));
  space.style.height = `${Math.ceil(faces.ids.length / columns) * rowHeight() + GAP}px`;
  draw(true);
}

function rowHeight() { return tile + CAPTION + GAP; }

function draw(afresh = false) {
  const first = Math.max(0, Math.floor(grid.scrollTop / rowHeight()) - MARGIN_ROWS) * columns;
  const rows = Math.ceil(grid.clientHeight / rowHeight()) + 2 * MARGIN_ROWS;
  const last = Math.min(faces.ids.length, first + rows * columns);
  for (const [index, cell] of shown) {
    if (index < first || index >= last) {
      cell.remove();
      shown.delete(index);
    }
  }
  for (let index = first; index < last; index += 1) {
    if (!shown.has(index)) {
      const cell = made(index);
      shown.set(index, cell);
      grid.append(cell);
      place(index, cell);
    } else if (afresh) {
      place(index, shown.get(index));
    }
  }
  mark();
}

function spriteOf(block) {
  return `/sprite.jpg?ids=${faces.ids.slice(block * SPRITE, (block + 1) * SPRITE).join(",")}&run=${run}`;
}

function made(index) {
  const cell = document.createElement("div");
  cell.className = "face";
  cell.id = `face-${index}`;
  cell.role = "option";
  cell.setAttribute("aria-setsize", faces.ids.length);
  cell.setAttribute("aria-posinset", index + 1);
  const probability = faces.probabilities[index], p = faces.p_values[index];
  const words = probability === null ? faces.origins[index] : `${probability.toFixed(2)} · p ${p < 0.1 ? p.toPrecision(2) : p.toFixed(2)}`;
  cell.setAttribute("aria-label", `face ${faces.ids[index]}, ${words}`);
  const image = document.createElement("div");
  image.className = "image";
  const within = index % SPRITE;
  image.style.backgroundImage = `url("${spriteOf(Math.floor(index / SPRITE))}")`;
  image.dataset.across = within % ACROSS;
  image.dataset.down = Math.floor(within / ACROSS);
  const caption = document.createElement("span");
  caption.textContent = words;
  cell.append(image, caption);
  cell.addEventListener("click", (event) => choose(index, event.shiftKey));
  return cell;
}

function place(index, cell) {
  const row = Math.floor(index / columns), column = index % columns;
  cell.style.left = `${GAP + column * (tile + GAP)}px`;
  cell.style.top = `${GAP + row * rowHeight()}px`;
  const image = cell.firstChild;
  image.style.backgroundPosition = `${-image.dataset.across * tile}px ${-image.dataset.down * tile}px`;
}

function mark() {
  for (const [index, cell] of shown) {
    cell.setAttribute("aria-selected", selection.has(faces.ids[index]));
    cell.classList.toggle("active", index === active && document.activeElement === grid);
  }
  if (shown.has(active)) grid.setAttribute("aria-activedescendant", `face-${active}`);
}

function choose(index, range) {
  grid.focus({ preventScroll: true });
  if (range) {
    const [low, high] = [Math.min(anchor, index), Math.max(anchor, index)];
    selection.add(faces.ids.slice(low, high + 1));
  } else {
    selection.toggle(faces.ids[index]);
    anchor = index;
  }
  moveTo(index);
  look(index);
}

function moveTo(index) {
  active = Math.min(Math.max(index, 0), faces.ids.length - 1);
  const top = Math.floor(active / columns) * rowHeight();
  if (top < grid.scrollTop) grid.scrollTop = top;
  if (top + rowHeight() + GAP > grid.scrollTop + grid.clientHeight) {
    grid.scrollTop = top + rowHeight() + GAP - grid.clientHeight;
  }
  draw();
}

function look(index) {
  const id = faces.ids[index];
  const one = document.getElementById("one");
  one.replaceChildren(...[["face", "face"], ["residual", "residual × 8"], ["spectrum", "spectrum"]].map(([kind, words]) => {
    const figure = document.createElement("figure");
    const image = Object.assign(new Image(128, 128), { src: `/faces/${id}/${kind}.png?run=${run}`, alt: `${words} of face ${id}` });
    const caption = document.createElement("figcaption");
    caption.textContent = words;
    figure.append(image, caption);
    return figure;
  }));
  one.hidden = false;
  const facts = document.getElementById("one-facts");
  facts.textContent = `face ${id}, ${faces.origins[index]}`;
  fetch(`/faces/${id}.json`).then((answer) => answer.json()).then((found) => {
    facts.textContent = `face ${id}, ${faces.origins[index]}: ${found.source.split("/").pop()}`;
    facts.title = found.source;
  });
}

const keys = {
  j: () => moveTo(active + 1), k: () => moveTo(active - 1),
  ArrowRight: () => moveTo(active + 1), ArrowLeft: () => moveTo(active - 1),
  ArrowDown: () => moveTo(active + columns), ArrowUp: () => moveTo(active - columns),
  Home: () => moveTo(0), End: () => moveTo(faces.ids.length - 1),
  x: () => choose(active, false), X: () => choose(active, true),
  Enter: () => look(active), Escape: () => selection.set([]),
  s: () => document.querySelector("#chosen:not([hidden]) form [name=name]")?.focus(),
};

document.addEventListener("owcl:key", (event) => {
  const pressed = event.detail;
  const inside = document.activeElement === grid || ["j", "k", "x", "X", "s", "Escape"].includes(pressed.key);
  if (!inside || !keys[pressed.key] || !faces.ids.length) return;
  if (["j", "k"].includes(pressed.key) && document.activeElement !== grid) grid.focus();
  keys[pressed.key]();
  event.preventDefault();
});

let waiting = false;
grid.addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
});
grid.addEventListener("focus", () => mark());
grid.addEventListener("blur", () => mark());
selection.addEventListener("change", () => mark());
new ResizeObserver(() => measure()).observe(grid);
document.getElementById("order").addEventListener("change", (event) => load(event.target.value));
load("surest");
