// What the municipality decides: the question, the pictures, what was read and what the register says.

import { Refused, moment, named, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import { Editor } from "./editor.js";
import "./shell.js";
import { Queue } from "./task.js";
import { Viewer } from "./viewer.js";

const main = document.getElementById("main");
const viewer = new Viewer();
const queue = new Queue(["escalation"]);
let task = null;

function next() {
  task = null;
  queue.show(main, begin);
}

function begin(found) {
  task = found;
  viewer.of(task.pages);
  const editor = task.fields.length ? new Editor(task.fields[0], task.urls[0], null, () => null) : null;
  const decision = make("select", { id: "decision" }, ["confirmed", "defect", "rejected"].map((way) => make("option", { value: way }, named("decision", way))));
  const holds = editor && make("input", { type: "checkbox", id: "holds" });
  const why = make("textarea", { id: "why", rows: "4", maxlength: "2000", required: true });
  const answer = (event) => {
    event.preventDefault();
    const body = { decision: decision.value, text: why.value };
    if (holds?.checked) {
      const entry = editor.entry();
      if (!entry) return;
      Object.assign(body, { outcome: entry.outcome, value: entry.text });
    }
    const sent = task;
    queue.end(sent, "answer", body, (error) => {
      tell(words(error), "bad");
      if (error instanceof Refused && error.code === "stale") queue.forget(sent), next();
    }).then((done) => done && next());
  };
  const message = (said) => make("li", {}, make("small", {}, `${said.account} · ${moment(said.written_at)}`), make("p", {}, said.text));
  show(main, make("div", { class: "work" },
    make("div", { class: "stage" },
      make("section", { class: "card" },
        make("h1", {}, named("escalation", task.reason), " ", make("code", {}, task.application_id)),
        task.household ? make("dl", {}, make("dt", {}, text("by_name")), make("dd", {}, `${task.household.head_name}（${task.household.head_kana}）`),
          make("dt", {}, text("address")), make("dd", {}, task.household.address)) : make("p", {}, text("not_in_register")),
        task.messages.length ? make("ol", { class: "messages" }, task.messages.map(message)) : null,
        task.pages.length ? make("button", { type: "button", onclick: () => viewer.open() }, make("kbd", {}, "PgDn"), text("key_page")) : null),
      editor?.element),
    make("aside", {}, make("form", { onsubmit: answer },
      make("h2", {}, text("your_decision")),
      make("label", { for: "decision" }, text("decision")), decision,
      holds ? make("p", {}, holds, " ", make("label", { for: "holds" }, text("field_holds"))) : null,
      make("label", { for: "why" }, text("why")), why,
      make("button", { class: "primary" }, text("decide")),
      make("button", { type: "button", class: "quiet", onclick: async () => { await queue.giveBack(task, true); next(); } }, text("key_skip"))))));
  decision.focus();
}

addEventListener("keydown", (event) => {
  if (event.key !== "PageDown" || !task?.pages.length || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  viewer.open();
});

next();
