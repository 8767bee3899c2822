// What must be black on a page: the machine's places over the picture without them, to be shown again or left,
// and further boxes. Numbers that were found are black on the picture itself.

import { Refused, Unreachable, named, picture, text, words } from "./api.js";
import { draw, make, show, tell } from "./dom.js";
import "./shell.js";
import { Queue } from "./task.js";

const main = document.getElementById("main");
// Whose picture is looked at is fetched, and no other.
const queue = new Queue(["mask"]);
const LARGEST = 6;
// Of a new box, and of a step, as parts of the picture's width.
const BOX = [0.2, 0.04];
const STEP = 0.01;
// A shorter drag is a click.
const SLIP = 0.005;

let task = null;
let page = null;

function next() {
  task = null;
  page = null;
  queue.show(main, begin);
}

async function begin(found) {
  task = found;
  task.onstale = () => tell(text("error_stale"), "bad");
  let url = null;
  const image = make("img", { alt: text("masking_picture") });
  try {
    url = await picture(task.masking.picture);
    image.src = url;
    await image.decode();
  } catch (error) {
    // Without it nobody can say anything of it: others may try.
    tell(error instanceof Unreachable ? words(error) : text("error_no_picture"), "bad");
    await queue.giveBack(found, true);
    return error instanceof Unreachable ? setTimeout(next, 5000) : next();
  }
  task.urls = [url];
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const boxes = task.masking.areas.map(({ cover, corners }) => ({ cover, corners, black: true }));
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-label": text("masking_boxes"), role: "group" });
  const sheet = make("div", { class: "sheet" }, image, svg);
  page = { width, height, boxes, svg, sheet, frame: make("div", { class: "lightbox" }, sheet), scale: 1, whole: false, fresh: null };
  svg.addEventListener("pointerdown", drag);
  const button = (key, words, action, kind) => make("button", { type: "button", class: kind, onclick: action }, key ? make("kbd", {}, key) : null, words);
  show(main, make("div", { class: "sorting masking" },
    page.frame,
    make("aside", {},
      make("h1", {}, text("masking_title")),
      make("p", { class: "quiet" }, text("masking_more")),
      make("p", { class: "state", id: "state", role: "status" }),
      make("ul", { class: "covers" }, ["number", "doubt", "untold", "own"].map((cover) => make("li", {}, make("span", { class: `swatch ${cover}` }), named("cover", cover)))),
      button("Enter", text("mask_save"), save, "primary"),
      make("div", { class: "others" },
        button("Space", text("mask_toggle"), () => toggle(current())),
        button("N", text("mask_add"), add),
        button("Del", text("mask_remove"), () => remove(current())),
        make("button", { type: "button", id: "whole", "aria-pressed": "false", onclick: whole }, make("kbd", {}, "W"), text("mask_whole")),
        button(null, text("zoom_in"), () => zoom(1.25)),
        button(null, text("zoom_out"), () => zoom(0.8)),
        button("F10", text("key_skip"), skip)))));
  boxes.forEach(place);
  // The first that may be seen again, else the first.
  focus(boxes.find((box) => box.cover !== "number") ?? boxes[0]);
  tally();
}

// Draws a box, the newest on top.
function place(box) {
  box.shape = draw("polygon", { tabindex: "0", role: "checkbox" });
  box.shape.addEventListener("focus", () => page && (page.last = box));
  page.svg.append(box.shape);
  paint(box);
}

function paint(box) {
  const number = page.boxes.indexOf(box) + 1;
  box.shape.setAttribute("points", points(box.corners));
  box.shape.setAttribute("class", [box.cover, box.black ? "black" : "seen", box === page.fresh ? "fresh" : ""].join(" "));
  box.shape.setAttribute("aria-checked", String(box.black));
  box.shape.setAttribute("aria-label", text("mask_box", number, named("cover", box.cover)));
  if (box.cover === "number") box.shape.setAttribute("aria-disabled", "true");
}

// The box that has the cursor, or had it before a button was pressed.
const current = () => page?.boxes.find((box) => box.shape === document.activeElement) ?? page?.boxes.find((box) => box === page.last);

function focus(box) {
  if (!box) return;
  box.shape.focus({ preventScroll: true });
  box.shape.scrollIntoView({ block: "center", inline: "center" });
}

function move(step) {
  const { boxes } = page;
  if (!boxes.length) return;
  const at = boxes.indexOf(current());
  focus(boxes[(at + step + boxes.length) % boxes.length]);
}

function toggle(box) {
  if (!box || page.fresh) return;
  if (box.cover === "number") return tell(text("mask_number_stays"));
  tell();
  // One's own box is there to be black.
  if (box.cover === "own") return remove(box);
  box.black = !box.black;
  paint(box);
  tally();
}

function whole() {
  page.whole = !page.whole;
  document.getElementById("whole").setAttribute("aria-pressed", String(page.whole));
  page.sheet.classList.toggle("whole", page.whole);
  tally();
}

function tally() {
  const black = page.boxes.filter((box) => box.black).length;
  const say = page.whole ? text("mask_whole_on") : page.fresh ? text("mask_adding") : text("mask_counts", black, page.boxes.length - black);
  document.getElementById("state").textContent = say;
}

const points = (corners) => corners.map((corner) => corner.join(",")).join(" ");

const corners = ([x, y, w, h]) => [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];

function inside([x, y, w, h]) {
  const [width, height] = [Math.min(w, page.width), Math.min(h, page.height)];
  return [Math.max(0, Math.min(page.width - width, x)), Math.max(0, Math.min(page.height - height, y)), width, height];
}

function own(area) {
  const box = { cover: "own", black: true, area: inside(area) };
  box.corners = corners(box.area);
  page.boxes.push(box);
  return box;
}

// A new box in the middle of what is seen; keys move it until Enter puts it down.
function add() {
  if (page.fresh) return;
  const { frame, sheet, width, height } = page;
  const [w, h] = BOX.map((part) => part * width);
  const x = ((frame.scrollLeft + Math.min(frame.clientWidth, sheet.clientWidth) / 2) / sheet.clientWidth) * width;
  const y = ((frame.scrollTop + Math.min(frame.clientHeight, sheet.clientHeight) / 2) / sheet.clientHeight) * height;
  page.fresh = own([x - w / 2, y - h / 2, w, h]);
  place(page.fresh);
  focus(page.fresh);
  tally();
}

function shape(key, larger) {
  const step = STEP * page.width;
  const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
  const [x, y, w, h] = page.fresh.area;
  page.fresh.area = inside(larger ? [x, y, Math.max(step, w + dx), Math.max(step, h + dy)] : [x + dx, y + dy, w, h]);
  page.fresh.corners = corners(page.fresh.area);
  paint(page.fresh);
  focus(page.fresh);
}

function settle(keep) {
  const box = page.fresh;
  page.fresh = null;
  if (!keep) return remove(box);
  paint(box);
  tally();
}

function remove(box) {
  if (box?.cover !== "own") return;
  if (box === page.fresh) page.fresh = null;
  const at = page.boxes.indexOf(box);
  box.shape.remove();
  page.boxes.splice(at, 1);
  page.boxes.forEach(paint);
  focus(page.boxes[Math.min(at, page.boxes.length - 1)]);
  tally();
}

// In pixels of the picture.
function point(event) {
  const seen = page.svg.getBoundingClientRect();
  return [((event.clientX - seen.left) / seen.width) * page.width, ((event.clientY - seen.top) / seen.height) * page.height];
}

// A box is drawn wherever one likes, over others, too; a click is for the box that it meets.
function drag(event) {
  if (event.button !== 0 || page.fresh) return;
  const hit = page.boxes.find((box) => box.shape === event.target);
  const [startX, startY] = point(event);
  const { svg } = page;
  const rubber = draw("polygon", { class: "own black fresh" });
  const area = (moved) => {
    const [x, y] = point(moved);
    return [Math.min(x, startX), Math.min(y, startY), Math.abs(x - startX), Math.abs(y - startY)];
  };
  const stretch = (moved) => rubber.setAttribute("points", points(corners(area(moved))));
  const end = (ended) => {
    svg.removeEventListener("pointermove", stretch);
    rubber.remove();
    svg.removeEventListener("pointerup", end);
    svg.removeEventListener("pointercancel", end);
    if (ended.type !== "pointerup" || page?.svg !== svg) return;
    const [x, y, w, h] = area(ended);
    if (Math.max(w, h) < SLIP * page.width) {
      hit?.shape.focus({ preventScroll: true });
      return toggle(hit);
    }
    const box = own([x, y, Math.max(w, 1), Math.max(h, 1)]);
    place(box);
    box.shape.focus({ preventScroll: true });
    tally();
  };
  svg.append(rubber);
  svg.setPointerCapture(event.pointerId);
  svg.addEventListener("pointermove", stretch);
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", end);
}

function zoom(factor) {
  page.scale = Math.min(LARGEST, Math.max(1, page.scale * factor));
  page.sheet.style.width = `${100 * page.scale}%`;
  current()?.shape.scrollIntoView({ block: "center", inline: "center" });
}

function save() {
  if (!page || page.fresh) return;
  const [sent, { boxes, whole }] = [task, page];
  const machine = boxes.filter((box) => box.cover !== "own");
  const shown = machine.flatMap((box, place) => (box.black ? [] : [place]));
  const added = boxes.filter((box) => box.cover === "own").map((box) => box.area);
  page = null;
  queue.end(sent, "mask", { shown, added, whole }, (error) => {
    tell(error instanceof Refused && error.reason ? `${words(error)} (${error.reason})` : words(error), "bad");
    queue.forget(sent);
    next();
  }).then((answer) => answer && next());
}

async function skip() {
  if (!page) return;
  page = null;
  await queue.giveBack(task, true);
  next();
}

addEventListener("keydown", (event) => {
  if (!page || event.ctrlKey || event.altKey || event.metaKey) return;
  const on = event.target instanceof HTMLButtonElement;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const fresh = page.fresh && {
    ArrowLeft: () => shape(key, event.shiftKey), ArrowRight: () => shape(key, event.shiftKey),
    ArrowUp: () => shape(key, event.shiftKey), ArrowDown: () => shape(key, event.shiftKey),
    Enter: () => settle(true), Escape: () => settle(false), Delete: () => settle(false), Tab: () => {},
  };
  const actions = fresh || {
    ArrowRight: () => move(1), ArrowDown: () => move(1), ArrowLeft: () => move(-1), ArrowUp: () => move(-1),
    " ": () => toggle(current()), n: add, Delete: () => remove(current()), w: whole, "+": () => zoom(1.25),
    ";": () => zoom(1.25), "-": () => zoom(0.8), Enter: save, s: save, F10: skip,
  };
  const action = actions[key];
  // A button that has the cursor is pressed by what presses buttons.
  if (!action || (on && (key === "Enter" || key === " "))) return;
  event.preventDefault();
  if (event.repeat && (action === save || action === skip)) return;
  action();
});

next();
