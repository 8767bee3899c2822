// Many cells that were read as the same character: the odd ones are clicked out, the others are confirmed.

import { Refused, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";
import { Queue } from "./task.js";

const main = document.getElementById("main");
const queue = new Queue(["group"]);
// Of the server's picture, and of the grid.
const TILE = 72;
const COLUMNS = 12;
// What a canvas is drawn on by.
const FLAT = "2d";

let task = null;
let cells = [];
let at = 0;

function next() {
  task = null;
  queue.show(main, begin);
}

async function begin(found) {
  task = found;
  const sheet = await task.sheet;
  // Without its picture nobody can say anything of it.
  if (!sheet) return tell(text("error_no_picture"), "bad");
  const image = new Image();
  image.src = sheet;
  await image.decode().catch(() => {});
  const { character, cells: count } = task.group;
  cells = Array.from({ length: count }, (_, place) => cell(image, place, character));
  const read = character ? make("strong", { class: "read" }, character) : make("strong", { class: "read" }, text("outcome_blank"));
  show(main, make("section", { class: "card" },
    make("h1", {}, read, text("group_title"), make("span", { class: "tag" }, text("group_cells", count))),
    make("p", { class: "quiet" }, text("group_more")),
    make("div", { class: "grid", role: "group", "aria-label": text("kind_group") }, cells),
    make("div", { class: "row" },
      make("button", { type: "button", class: "primary", onclick: submit }, make("kbd", {}, "Enter"), text("group_confirm")),
      make("span", { class: "state", id: "odd", role: "status" }))));
  task.onstale = () => tell(text("error_stale"), "bad");
  focus(0);
  queue.prefetch();
}

function cell(image, place, character) {
  const canvas = make("canvas", { width: TILE, height: TILE });
  if (image.naturalWidth) canvas.getContext(FLAT).drawImage(image, 0, place * TILE, TILE, TILE, 0, 0, TILE, TILE);
  return make("button", {
    type: "button", class: "cell", tabindex: "-1", "aria-pressed": "false",
    "aria-label": text("group_cell", place + 1, character || text("outcome_blank")),
    onclick: () => (focus(place), toggle()),
  }, canvas);
}

function focus(place) {
  cells[at]?.setAttribute("tabindex", "-1");
  at = Math.max(0, Math.min(cells.length - 1, place));
  cells[at].setAttribute("tabindex", "0");
  cells[at].focus();
}

const odd = () => cells.flatMap((cell, place) => (cell.getAttribute("aria-pressed") === "true" ? [place] : []));

function toggle() {
  const pressed = cells[at].getAttribute("aria-pressed") === "true";
  cells[at].setAttribute("aria-pressed", String(!pressed));
  const count = odd().length;
  document.getElementById("odd").textContent = count ? text("group_odd", count) : "";
}

function submit() {
  const sent = task;
  task = null;
  queue.end(sent, "group", { odd: odd() }, (error) => {
    tell(words(error), "bad");
    if (error instanceof Refused) queue.forget(sent);
  });
  next();
}

const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS };

addEventListener("keydown", (event) => {
  if (!task || !cells.length || event.ctrlKey || event.altKey || event.metaKey) return;
  const actions = { " ": toggle, Enter: submit, Home: () => focus(0), End: () => focus(cells.length - 1) };
  const action = event.key in MOVES ? () => focus(at + MOVES[event.key]) : actions[event.key];
  if (!action || (event.repeat && !(event.key in MOVES))) return;
  if (event.target.closest?.("header")) return;
  event.preventDefault();
  action();
});

next();
