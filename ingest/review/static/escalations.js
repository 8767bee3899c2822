// Escalations, on either side: the question, the pictures, what was read and found, what the register says and
// what was written. The municipality decides or asks back; the desk replies.

import { Refused, get, moment, named, text, told, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import { Editor } from "./editor.js";
import "./shell.js";
import { Queue } from "./task.js";
import { Viewer } from "./viewer.js";

const main = document.getElementById("main");
const viewer = new Viewer();
const { role } = await get("/api/v1/me");
const decides = role === "municipality";
const queue = new Queue([decides ? "escalation" : "question"]);
const hand = make("div", {});
const past = make("section", { class: "card" });
let task = null;

function next() {
  task = null;
  queue.show(hand, begin);
  looks();
}

function send(path, body) {
  const sent = task;
  queue.end(sent, path, body, (error) => {
    tell(words(error), "bad");
    if (error instanceof Refused && error.code === "stale") queue.forget(sent), next();
  }).then((done) => done && next());
}

function message(said) {
  return make("li", { class: said.side },
    make("small", {}, [named("side", said.side), said.account, moment(said.written_at)].join(" · "),
      said.decision ? make("span", { class: "tag" }, named("decision", said.decision)) : null),
    make("p", {}, said.text));
}

function begin(found) {
  task = found;
  viewer.of(task.pages);
  const editor = task.fields.length ? new Editor(task.fields[0], task.urls[0], null, () => null) : null;
  const form = decides ? decision(editor) : reply();
  show(hand, make("div", { class: "work" },
    make("div", { class: "stage" },
      make("section", { class: "card" },
        make("h1", {}, named("escalation", task.reason), " ", make("code", {}, task.application_id)),
        task.household ? make("dl", {}, make("dt", {}, text("by_name")), make("dd", {}, `${task.household.head_name}（${task.household.head_kana}）`),
          make("dt", {}, text("address")), make("dd", {}, task.household.address)) : make("p", {}, text("not_in_register")),
        task.messages.length ? make("ol", { class: "messages" }, task.messages.map(message)) : null,
        task.pages.length ? make("button", { type: "button", onclick: () => viewer.open() }, make("kbd", {}, "PgDn"), text("key_page")) : null),
      editor && (decides ? editor.element : seen(task.fields[0], task.urls[0])),
      evidence()),
    make("aside", {}, form)));
  form.querySelector("select, textarea").focus();
}

// The field for those who do not decide it: its picture, and what was read.
function seen(field, url) {
  const value = field.machine?.value;
  return make("section", { class: "field" }, make("h2", {}, named("field", field.name)),
    url ? make("img", { class: "crop", src: url, alt: text("picture_of", named("field", field.name)) }) : make("p", { class: "crop" }, text("error_no_picture")),
    make("p", {}, `${text("as_read")}: `, make("b", {}, value ? named("option", value.normalize("NFKC")) : text("outcome_blank"))));
}

// What the checks found, and what each source says of the field.
function evidence() {
  const said = task.fields[0]?.machine?.evidence ?? [];
  if (!said.length && !task.findings.length) return null;
  const row = ({ source, value, score }) => make("tr", {}, make("th", { scope: "row" }, named("source", source)),
    make("td", {}, value ? value.normalize("NFKC") : "—"), make("td", { class: "number" }, score.toFixed(2)));
  return make("section", { class: "card" },
    task.findings.length ? [make("h2", {}, text("findings")), make("ul", {}, task.findings.map((finding) => make("li", {}, told(finding))))] : null,
    said.length ? [make("h2", {}, text("evidence")), make("table", {}, make("tbody", {}, said.map(row)))] : null);
}

function decision(editor) {
  const ways = make("select", { id: "decision" }, ["confirmed", "defect", "rejected"].map((way) => make("option", { value: way }, named("decision", way))));
  const holds = editor && make("input", { type: "checkbox", id: "holds" });
  const why = make("textarea", { id: "why", rows: "4", maxlength: "2000", required: true });
  const decide = (event) => {
    event.preventDefault();
    const body = { decision: ways.value, text: why.value };
    if (holds?.checked) {
      const entry = editor.entry();
      if (!entry) return;
      Object.assign(body, { outcome: entry.outcome, value: entry.text });
    }
    send("answer", body);
  };
  const ask = () => why.reportValidity() && send("ask", { text: why.value });
  return make("form", { onsubmit: decide },
    make("h2", {}, text("your_decision")),
    make("label", { for: "decision" }, text("decision")), ways,
    holds ? make("p", {}, holds, " ", make("label", { for: "holds" }, text("field_holds"))) : null,
    make("label", { for: "why" }, text("why_or_question")), why,
    make("button", { class: "primary" }, text("decide")),
    make("div", { class: "others" }, make("button", { type: "button", id: "ask", onclick: ask }, text("ask_back")), skipButton()));
}

function reply() {
  const typed = make("textarea", { id: "reply", rows: "6", maxlength: "2000", required: true });
  const answer = (event) => {
    event.preventDefault();
    send("reply", { text: typed.value });
  };
  return make("form", { onsubmit: answer },
    make("h2", {}, text("kind_question")),
    make("label", { for: "reply" }, text("your_reply")), typed,
    make("button", { class: "primary" }, text("reply")),
    make("div", { class: "others" }, skipButton()));
}

function skipButton() {
  return make("button", { type: "button", onclick: async () => { await queue.giveBack(task, true); next(); } }, text("key_skip"));
}

// Those that this person took part in, and how they ended.
async function looks() {
  let conversations;
  try {
    ({ conversations } = await get("/api/v1/escalations"));
  } catch (error) {
    return tell(words(error), "bad");
  }
  const ended = (messages) => messages.findLast((said) => said.decision);
  const line = ({ application_id, fields, reason, turn, messages }) => make("details", {},
    make("summary", {}, make("code", {}, application_id), ` ${[named("escalation", reason), ...fields.map((field) => named("field", field))].join(" · ")} `,
      make("span", { class: `tag ${turn ? "" : "ended"}` }, turn ? named("turn", turn) : text("turn_over")),
      ended(messages) ? ` ${named("decision", ended(messages).decision)}` : null),
    make("ol", { class: "messages" }, messages.map(message)));
  show(past, make("h1", {}, text("conversations")),
    conversations.length ? conversations.map(line) : make("p", { class: "quiet" }, text("no_conversations")));
}

addEventListener("keydown", (event) => {
  if (event.key !== "PageDown" || !task?.pages.length || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  viewer.open();
});

show(main, hand, past);
next();
