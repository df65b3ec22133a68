// Faces that are selected, what can be done with them, and how many they are.

export class Selection extends EventTarget {
  constructor() {
    super();
    this.ids = new Set();
    this.bar = document.getElementById("chosen");
    this.said = document.getElementById("selected");
    for (const form of document.querySelectorAll("form[data-faces]")) {
      form.addEventListener("submit", () => { form.elements.faces.value = [...this.ids].join(","); });
    }
  }

  has(id) { return this.ids.has(id); }

  set(ids) {
    this.ids = new Set(ids);
    this.changed();
  }

  toggle(id) {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.changed();
  }

  add(ids) {
    for (const id of ids) this.ids.add(id);
    this.changed();
  }

  changed() {
    if (this.bar) this.bar.hidden = this.ids.size === 0;
    this.said.textContent = this.ids.size === 0 ? "none selected" : `${this.ids.size.toLocaleString()} selected`;
    this.dispatchEvent(new Event("change"));
  }
}
