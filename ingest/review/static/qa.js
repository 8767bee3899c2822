// The second look: first without seeing what stands, then, where it differs, with both in view. Beside it
// what second looks have said so far.

import { Refused, get, named, text, words } from "./api.js";
import { certificate, control } from "./plots.js";
import { make, show, tell } from "./dom.js";
import { Editor } from "./editor.js";
import "./shell.js";
import { Queue } from "./task.js";
import { Viewer } from "./viewer.js";

const main = document.getElementById("main");
const viewer = new Viewer();
const queue = new Queue(["qa"]);
const rates = make("section", { class: "card" });
const stage = make("div", { class: "stage" });
let task = null;
let editor = null;
let standing = null;

function next() {
  [task, editor, standing] = [null, null, null];
  tellRates();
  queue.show(stage, begin);
}

function begin(found) {
  task = found;
  viewer.of(task.pages);
  editor = new Editor(task.fields[0], task.urls[0], null, () => null);
  const key = (name, label, action) => make("li", {}, make("button", { type: "button", class: "quiet", tabindex: "-1", onclick: action }, make("kbd", {}, name), text(label)));
  show(stage, editor.element, make("ul", { class: "keys row" },
    key("Enter", "key_accept", accept), key("F2", "key_blank", () => other("blank")), key("F4", "key_illegible", () => other("illegible")),
    key("F8", "key_struck_out", () => other("struck_out")), key("PgDn", "key_page", () => viewer.open())));
  editor.focus();
}

function other(outcome) {
  editor.set(outcome);
  accept();
}

async function accept() {
  const entry = editor.entry();
  if (!entry) return;
  const answer = await queue.call(task, "look", { outcome: entry.outcome, text: entry.text }).catch(failed);
  if (!answer) return;
  if (!answer.standing) {
    queue.forget(task);
    return next();
  }
  ({ standing } = answer);
  const shown = standing.outcome === "value" ? editor.shown(standing.value) : named("outcome", standing.outcome);
  const say = (wrong, key, label) => make("button", { type: "button", "data-key": key, onclick: () => settle(wrong) }, make("kbd", {}, key), text(label));
  const own = entry.outcome === "value" ? entry.text : named("outcome", entry.outcome);
  show(stage, editor.element, make("section", { class: "card" },
    make("h2", {}, text("qa_differs")),
    make("dl", {}, make("dt", {}, text("qa_stands")), make("dd", {}, shown), make("dt", {}, text("qa_yours")), make("dd", {}, own)),
    make("div", { class: "row" }, say(true, "F2", "qa_wrong"), say(false, "F4", "qa_slip"))));
  editor.input.disabled = true;
  document.activeElement?.blur();
}

async function settle(wrong) {
  const done = await queue.call(task, "settle", { wrong }).catch(failed);
  if (!done) return;
  queue.forget(task);
  next();
}

function failed(error) {
  tell(words(error), "bad");
  if (error instanceof Refused && error.faults.length) editor.refuse(error.faults[0].code);
  if (error instanceof Refused && error.code === "stale") queue.forget(task), next();
}

addEventListener("keydown", (event) => {
  if (!task || event.isComposing || event.ctrlKey || event.altKey || event.repeat || document.querySelector("dialog[open]")) return;
  const actions = standing
    ? { F2: () => settle(true), F4: () => settle(false) }
    : { Enter: accept, F2: () => other("blank"), F4: () => other("illegible"), F8: () => other("struck_out") };
  const digit = Number(event.key);
  const button = !standing && editor.buttons?.[digit - 1];
  const action = button ? () => button.click() : { ...actions, PageDown: () => viewer.open() }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

const percent = (rate) => `${(rate * 100).toFixed(2)} %`;

async function tellRates() {
  const answer = await get("/api/v1/qa").catch(() => null);
  if (!answer) return;
  const row = (rate) => make("tr", { class: rate.wrong ? "differs" : "" },
    make("th", { scope: "row" }, named("field", rate.field), make("small", {}, named("manner", rate.manner))),
    [rate.waiting, rate.judged, rate.wrong].map((number) => make("td", { class: "number" }, String(number))),
    make("td", { class: "number" }, rate.estimate === null ? "—" : percent(rate.estimate)),
    make("td", { class: "number" }, `${percent(rate.low)} – ${percent(rate.high)}`),
    make("td", { class: "number" }, rate.promised === null ? "—" : text("promised_below", percent(rate.promised))));
  show(rates, make("h2", {}, text("qa_rates")), certificate(answer.promise), make("p", { class: "quiet" }, text("qa_rates_more")),
    make("table", {}, make("thead", {}, make("tr", {}, ["qa_field", "qa_waiting", "qa_judged", "qa_errors", "qa_estimate", "qa_bounds", "qa_promised"].map((key, place) => make("th", { scope: "col", class: place ? "number" : "" }, text(key))))),
      make("tbody", {}, answer.rates.map(row))),
    make("div", { class: "plots" },
      control(text("chart_machine"), answer.days.filter((day) => day.by_machine), answer.promise?.target_risk),
      control(text("chart_people"), answer.days.filter((day) => !day.by_machine))));
}

show(main, stage, rates);
next();
