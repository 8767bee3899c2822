// Sheets that the mailroom is asked to scan again, by station and batch.

import { get, moment, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";

const main = document.getElementById("main");

async function load() {
  let rescans;
  try {
    ({ rescans } = await get("/api/v1/rescans"));
  } catch (error) {
    return tell(words(error), "bad");
  }
  const groups = Map.groupBy(rescans, (rescan) => `${rescan.station} / ${rescan.batch ?? "—"}`);
  const row = (rescan) => make("tr", {},
    make("td", {}, rescan.file), make("td", { class: "number" }, String(rescan.page_index + 1)), make("td", {}, moment(rescan.asked_at)),
    make("td", {}, make("button", { type: "button", onclick: () => settle(rescan) }, text("scanned_again"))));
  show(main, make("section", { class: "card" }, make("h1", {}, text("page_rescans")),
    rescans.length ? null : make("p", { class: "quiet" }, text("no_rescans")),
    [...groups].map(([name, group]) => make("div", {}, make("h2", {}, name, make("span", { class: "tag" }, text("sheets", group.length))),
      make("table", {}, make("thead", {}, make("tr", {}, make("th", {}, text("file")), make("th", {}, text("page")), make("th", {}, text("asked_at")), make("td", {}))),
        make("tbody", {}, group.map(row)))))));
}

async function settle(rescan) {
  try {
    await post("/api/v1/rescans/settle", { scan: rescan.scan, page_index: rescan.page_index });
  } catch (error) {
    tell(words(error), "bad");
  }
  load();
}

load();
