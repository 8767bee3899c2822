// Verify, key, adjudicate: one field after another, hands on the keyboard.

import { Refused, named, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import { Editor } from "./editor.js";
import "./shell.js";
import { Queue } from "./task.js";
import { Viewer } from "./viewer.js";

const main = document.getElementById("main");
const viewer = new Viewer();
const queue = new Queue([]);

let task = null;
let editors = [];
let place = 0;
// The task that was submitted last, for who sees a slip only now.
let last = null;

function next() {
  queue.show(main, (found) => begin(found));
}

// The task in hand waits for another one, with what is typed in it.
function putAside() {
  if (!task) return;
  task.draft = editors.map((editor) => ({ outcome: editor.outcome, text: editor.input.value }));
  queue.first.unshift(task);
}

function begin(found, entries = found.draft, at = 0) {
  clearTimeout(queue.waiting);
  task = found;
  const before = (field, number) => entries?.[number] && { outcome: entries[number].outcome, value: entries[number].text } || field.entered;
  editors = task.fields.map((field, number) =>
    new Editor(field, task.urls[number], before(field, number), (name) => {
      const other = editors.find((editor) => editor.field.name === name);
      return other?.outcome === "value" ? other.input.value.trim() : null;
    }));
  task.onstale = () => tell(text("error_stale"), "bad");
  viewer.of(task.pages);
  turn(at);
  queue.prefetch();
}

function turn(to) {
  place = to;
  const editor = editors[place];
  const line = (other, number) => {
    const done = number < place;
    return make("li", { class: done ? "done" : "", "aria-current": number === place ? "step" : undefined },
      make("button", { type: "button", class: "step", onclick: () => turn(number) },
        make("span", {}, named("field", other.field.name)),
        done ? make("span", { class: "value" }, other.outcome === "value" ? other.isChoice() ? named("option", other.input.value) : other.input.value : named("outcome", other.outcome)) : null));
  };
  show(
    main,
    make("div", { class: "work" },
      make("div", { class: "stage" }, editor.element),
      make("aside", {},
        make("p", { class: "kind" }, named("kind", task.kind), task.application_id ? make("code", {}, task.application_id) : null),
        make("ol", { class: "steps" }, editors.map(line)),
        keys())),
  );
  editor.focus();
}

// Every key of the page, once: what it is called, and what it does.
const KEYS = [
  ["Enter", "key_accept", accept],
  ["ArrowDown", "key_next", () => editors[place].next(1)],
  ["ArrowUp", "key_previous", () => editors[place].next(-1)],
  ["F2", "key_blank", () => other("blank")],
  ["F4", "key_illegible", () => other("illegible")],
  ["F8", "key_struck_out", () => other("struck_out")],
  ["F9", "key_escalate", escalate],
  ["F10", "key_skip", skip],
  ["Escape", "key_undo", undo],
  ["PageDown", "key_page", () => viewer.open()],
];

function keys() {
  const shown = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc", PageDown: "PgDn" };
  const has = ([key]) => key !== "PageDown" || task.pages.length > 0;
  return make("ul", { class: "keys", "aria-label": text("keys") },
    KEYS.filter(has).map(([key, name, action]) =>
      make("li", {}, make("button", { type: "button", class: "quiet", tabindex: "-1", onclick: action }, make("kbd", {}, shown[key] ?? key), text(name)))));
}

addEventListener("keydown", (event) => {
  if (event.isComposing || document.querySelector("dialog[open]")) return;
  if (!task) return event.key === "Escape" && undo();
  const digit = Number(event.key);
  const editor = editors[place];
  if (editor.buttons && digit >= 1 && digit <= editor.buttons.length && !event.ctrlKey && !event.altKey) {
    event.preventDefault();
    return editor.buttons[digit - 1].click();
  }
  if (event.key === "Enter" && event.target.closest?.("button:not(.option)")) return;
  const known = KEYS.find(([key]) => key === event.key);
  if (!known || event.ctrlKey || event.altKey || event.metaKey || (event.key === "PageDown" && !task.pages.length)) return;
  event.preventDefault();
  if (!event.repeat || event.key.startsWith("Arrow")) known[2]();
});

function other(outcome) {
  editors[place].set(outcome);
  accept();
}

function accept() {
  const entry = editors[place].entry();
  if (!entry) return;
  if (place + 1 < editors.length) return turn(place + 1);
  submit();
}

function submit() {
  const entries = [];
  for (const [number, editor] of editors.entries()) {
    const entry = editor.entry();
    if (!entry) return turn(number), editor.entry();
    entries.push(entry);
  }
  const sent = task;
  task = null;
  last = sent;
  queue.end(sent, "submit", { entries }, (error) => back(sent, entries, error));
  next();
}

// The server does not take it: everything stands as it was typed.
function back(sent, entries, error) {
  const fault = error instanceof Refused ? error.faults[0] : null;
  const at = fault ? entries.findIndex((entry) => entry.field === fault.field) : entries.length - 1;
  if (last === sent) last = null;
  if (error instanceof Refused && error.code === "stale") {
    queue.forget(sent);
    kept(sent, entries);
    return;
  }
  putAside();
  begin(sent, entries, Math.max(0, at));
  tell(words(error), "bad");
  if (fault) editors[place].refuse(fault.code);
}

// Somebody else has the task now. What was typed is shown until the person has seen it.
function kept(sent, entries) {
  const line = (entry) => make("li", {}, `${named("field", entry.field)}: `, make("b", {}, entry.outcome === "value" ? entry.text : named("outcome", entry.outcome)));
  const dialog = make("dialog", { class: "card", "aria-label": text("error_stale") },
    make("h1", {}, text("error_stale")), make("p", {}, text("stale_more")),
    make("ul", {}, entries.map(line)),
    make("form", { method: "dialog" }, make("button", { class: "primary", autofocus: true }, text("close"))));
  dialog.addEventListener("close", () => {
    dialog.remove();
    editors[place]?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

async function skip() {
  const skipped = task;
  task = null;
  await queue.giveBack(skipped, true);
  next();
}

async function undo() {
  if (task && place > 0) return turn(place - 1);
  if (!last) return;
  try {
    const id = last.id;
    last = null;
    const reopened = await queue.reopen(id);
    putAside();
    begin(reopened, undefined, reopened.fields.length - 1);
  } catch (error) {
    tell(error instanceof Refused ? text("too_late") : words(error), "bad");
  }
}

function escalate() {
  const editor = editors[place];
  const reasons = ["other_holder", "remark", "contradiction", "other"];
  const choice = make("select", { id: "reason" }, reasons.map((reason) => make("option", { value: reason }, named("escalation", reason))));
  const note = make("textarea", { id: "note", rows: "4", maxlength: "1000" });
  const dialog = make("dialog", { class: "card", "aria-label": text("key_escalate") },
    make("form", { method: "dialog", onsubmit: () => {
      editor.question = { reason: choice.value, text: note.value };
      other("escalated");
    } },
      make("h1", {}, text("ask_municipality", named("field", editor.field.name))),
      make("label", { for: "reason" }, text("why")), choice,
      make("label", { for: "note" }, text("note")), note,
      make("div", { class: "row" }, make("button", { class: "primary" }, text("ask")),
        make("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, text("cancel")))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  choice.focus();
}

next();
