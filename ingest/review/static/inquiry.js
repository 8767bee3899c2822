// The inquiry desk: find an application, and say how it stands.

import { Refused, get, moment, named, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";

const main = document.getElementById("main");
const BY = ["application_id", "name", "kana", "phone"];

const by = make("select", { id: "by" }, BY.map((way) => make("option", { value: way }, named("by", way))));
const wanted = make("input", { id: "wanted", autocomplete: "off", maxlength: 80, required: true });
const results = make("section", { class: "results", "aria-live": "polite" });

async function look(event) {
  event.preventDefault();
  tell();
  try {
    const { found, more } = await post("/api/v1/search", { [by.value]: wanted.value });
    if (found.length === 1) return tellStatus(found[0]);
    const row = (household) => make("tr", {},
      make("td", {}, make("button", { type: "button", class: "link", onclick: () => tellStatus(household) }, household.application_id)),
      make("td", {}, household.head_name, make("small", {}, household.head_kana)), make("td", {}, `〒${household.postal_code} ${household.address}`));
    show(results, found.length
      ? make("div", { class: "card" }, make("table", {}, make("thead", {}, make("tr", {}, ["by_application_id", "by_name", "address"].map((key) => make("th", { scope: "col" }, text(key))))),
          make("tbody", {}, found.map(row))), more ? make("p", { class: "quiet" }, text("more_found")) : null)
      : make("p", { class: "card" }, text("nothing_found")));
  } catch (error) {
    show(results);
    tell(error instanceof Refused && error.code === "refused" ? text("cannot_look") : words(error), "bad");
  }
}

async function tellStatus(household) {
  try {
    const status = await get(`/api/v1/applications/${household.application_id}`);
    const findings = [...new Set(status.captures.flatMap((capture) => capture.findings))];
    const history = status.captures.map((capture) => make("li", {}, make("time", {}, moment(capture.captured_at)), " ", text(capture.duplicate ? "captured_again" : "captured")));
    if (status.decided_at) history.push(make("li", {}, make("time", {}, moment(status.decided_at)), " ", text("people_looked")));
    show(results, make("article", { class: "card status" },
      make("p", { class: `answer ${status.status}` }, named("status", status.status)),
      make("p", {}, named("say", status.status)),
      make("dl", {},
        make("dt", {}, text("by_application_id")), make("dd", {}, make("code", {}, household.application_id)),
        make("dt", {}, text("by_name")), make("dd", {}, `${household.head_name}（${household.head_kana}）`),
        make("dt", {}, text("address")), make("dd", {}, `〒${household.postal_code} ${household.address}`)),
      make("h2", {}, text("history")), make("ol", { class: "history" }, history.length ? history : make("li", {}, text("no_history"))),
      findings.length ? [make("h2", {}, text("what_is_missing")), make("ul", {}, findings.map((code) => make("li", {}, named("finding", code))))] : null,
      status.open.length ? [make("h2", {}, text("what_is_open")), make("ul", {}, status.open.map((kind) => make("li", {}, named("kind", kind))))] : null));
  } catch (error) {
    tell(words(error), "bad");
  }
}

show(main,
  make("form", { class: "card search", onsubmit: look },
    make("div", {}, make("label", { for: "by" }, text("look_by")), by),
    make("div", { class: "wide" }, make("label", { for: "wanted" }, text("look_for")), wanted),
    make("button", { class: "primary" }, text("look"))),
  results);
wanted.focus();
