// Keys that every page knows. A page's own keys are told by `owcl:key` events on the document.

const PAGES = { i: "/", p: "/map", h: "/history", o: "/overview" };
let going = false;

export function isTyping(target) {
  return target instanceof HTMLElement && target.closest("input, select, textarea, [contenteditable]") !== null;
}

function move(step) {
  const items = [...document.querySelectorAll("[data-item]")];
  if (!items.length) return false;
  const now = items.indexOf(document.activeElement?.closest("[data-item]"));
  const next = items[Math.min(Math.max(now + step, 0), items.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

const own = {
  "?": () => document.getElementById("help").showModal(),
  j: () => move(1),
  k: () => move(-1),
  g: () => { going = true; },
  u: () => document.getElementById("undo").requestSubmit(),
  n: () => focusField("name"),
  m: () => focusField("into"),
  Enter: () => {
    const link = document.activeElement?.matches("[data-item]") && document.activeElement.querySelector("a");
    if (link) link.click();
    return Boolean(link);
  },
};

function focusField(id) {
  const field = document.getElementById(id);
  if (!field) return false;
  field.focus();
  field.select?.();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going && PAGES[event.key]) {
    window.location.assign(PAGES[event.key]);
    return;
  }
  going = false;
  const asked = new CustomEvent("owcl:key", { detail: event, cancelable: true });
  if (!document.dispatchEvent(asked)) {
    event.preventDefault();
  } else if (own[event.key] && own[event.key]() !== false) {
    event.preventDefault();
  }
});

for (const button of document.querySelectorAll("[data-open]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.open).showModal());
}
