// How well people key fields whose answer is known: by name, for the supervisor alone.

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
  const row = (keyer) => make("tr", {}, make("th", { scope: "row" }, keyer.account),
    [keyer.answered, keyer.wrong].map((number) => make("td", { class: "number" }, String(number))),
    make("td", { class: "number" }, keyer.bounds ? `${percent(keyer.bounds[0])} – ${percent(keyer.bounds[1])}` : text("too_few")));
  show(main, make("section", { class: "card" }, make("h1", {}, text("page_keyers")),
    make("p", { class: "quiet" }, text(keyers.length ? "keyers_more" : "no_keyers")),
    keyers.length ? make("table", {}, make("thead", {}, make("tr", {}, ["account_name", "known_answered", "known_wrong", "qa_bounds"].map((key, place) => make("th", { scope: "col", class: place ? "number" : "" }, text(key))))),
      make("tbody", {}, keyers.map(row))) : null));
}

load();
