// A whole page over the screen: zoom, pan, turn, brightness, the other pages; by keys, wheel and mouse.

import { picture, text, words } from "./api.js";
import { make, show } from "./dom.js";

const STEP = 80;

export class Viewer {
  constructor() {
    this.image = make("img", { alt: text("whole_page"), draggable: "false" });
    this.title = make("span", {});
    this.frame = make("div", { class: "frame" }, this.image);
    const button = (label, action) => make("button", { type: "button", class: "quiet", onclick: action }, label);
    this.dialog = make(
      "dialog",
      { class: "viewer", "aria-label": text("whole_page") },
      make(
        "div",
        { class: "bar" },
        this.title,
        button(text("zoom_in"), () => this.zoom(1.25)),
        button(text("zoom_out"), () => this.zoom(0.8)),
        button(text("turn"), () => this.turn()),
        button(text("brighter"), () => this.brighten()),
        button(text("next_page"), () => this.next()),
        button(text("close"), () => this.dialog.close()),
      ),
      this.frame,
    );
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.15 : 0.87);
    });
    this.frame.addEventListener("pointerdown", (event) => this.drag(event));
    document.body.append(this.dialog);
    this.pages = [];
  }

  // Pages with their pictures' addresses; pictures are fetched when they are looked at.
  of(pages) {
    this.pages = pages;
    this.place = Math.max(0, pages.findIndex((page) => page.current));
  }

  async open(place = this.place) {
    if (!this.pages.length) return;
    if (!this.dialog.open) this.dialog.showModal();
    Object.assign(this, { place, scale: 1, x: 0, y: 0, turned: 0, light: 1 });
    const page = this.pages[place];
    show(this.title, text("page_of", page.number, this.pages.length));
    this.image.removeAttribute("src");
    this.draw();
    try {
      page.url ??= await picture(page.picture);
      this.image.src = page.url;
    } catch (error) {
      show(this.title, words(error));
    }
  }

  next() {
    this.open((this.place + 1) % this.pages.length);
  }

  zoom(factor) {
    this.scale = Math.min(8, Math.max(1, this.scale * factor));
    this.draw();
  }

  turn() {
    this.turned = (this.turned + 90) % 360;
    this.draw();
  }

  brighten() {
    this.light = { 1: 1.4, 1.4: 0.7, 0.7: 1 }[this.light];
    this.draw();
  }

  draw() {
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale}) rotate(${this.turned}deg)`;
    this.image.style.filter = `brightness(${this.light}) contrast(${this.light === 1 ? 1 : 1.3})`;
  }

  drag(event) {
    const [startX, startY] = [event.clientX - this.x, event.clientY - this.y];
    this.frame.setPointerCapture(event.pointerId);
    const move = (moved) => {
      [this.x, this.y] = [moved.clientX - startX, moved.clientY - startY];
      this.draw();
    };
    this.frame.addEventListener("pointermove", move);
    this.frame.addEventListener("pointerup", () => this.frame.removeEventListener("pointermove", move), { once: true });
  }

  key(event) {
    const actions = {
      ArrowLeft: () => (this.x += STEP), ArrowRight: () => (this.x -= STEP),
      ArrowUp: () => (this.y += STEP), ArrowDown: () => (this.y -= STEP),
      "+": () => this.zoom(1.25), ";": () => this.zoom(1.25), "-": () => this.zoom(0.8),
      r: () => this.turn(), b: () => this.brighten(), n: () => this.next(), PageDown: () => this.next(),
      PageUp: () => this.dialog.close(),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    action();
    if (this.dialog.open) this.draw();
  }
}
