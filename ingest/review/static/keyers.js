// How well people key fields whose answer is known, and what QA found of what they decided: by name, for the supervisor
// alone.

import { get, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";

const main = document.getElementById("main");
const percent = (rate) => `${(rate * 100).toFixed(1)} %`;

async function load() {
  let keyers;
  try {
    ({ keyers } = await get("/api/v1/keyers"));
  } catch (error) {
    return tell(words(error), "bad");
  }
  const numbers = ({ fields, wrong, bounds }) => [
    fields, wrong, bounds ? `${percent(bounds[0])} – ${percent(bounds[1])}` : text("too_few"),
  ].map((number) => make("td", { class: "number" }, String(number)));
  const row = (keyer) => make("tr", {}, make("th", { scope: "row" }, keyer.account), numbers(keyer.known), numbers(keyer.decided));
  const heads = ["known_fields", "known_wrong", "qa_bounds", "looked_at", "known_wrong", "qa_bounds"];
  show(main, make("section", { class: "card" }, make("h1", {}, text("page_keyers")),
    make("p", { class: "quiet" }, text(keyers.length ? "keyers_more" : "no_keyers")),
    keyers.length ? make("table", {},
      make("thead", {},
        make("tr", {}, make("td", {}), ["keyers_known", "keyers_decided"].map((key) => make("th", { scope: "colgroup", colspan: "3" }, text(key)))),
        make("tr", {}, make("th", { scope: "col" }, text("account_name")), heads.map((key) => make("th", { scope: "col", class: "number" }, text(key))))),
      make("tbody", {}, keyers.map(row))) : null));
}

load();
