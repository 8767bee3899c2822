// For the mailroom, by station and batch: sheets to be scanned again, and pages that did not come.

import { get, moment, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";

const main = document.getElementById("main");

async function load() {
  let rescans, captures;
  try {
    ({ rescans } = await get("/api/v1/rescans"));
    ({ captures } = await get("/api/v1/missing-pages"));
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
        make("tbody", {}, group.map(row)))))), missing(captures));
}

function missing(captures) {
  const groups = Map.groupBy(captures, (capture) => `${capture.station} / ${capture.batch ?? "—"}`);
  const row = (capture) => make("tr", {},
    make("th", { scope: "row" }, make("code", {}, capture.application_id)),
    make("td", {}, capture.missing.map((page) => text("page_number", page)).join(" ")), make("td", {}, moment(capture.captured_at)));
  return make("section", { class: "card" }, make("h1", {}, text("missing_pages")),
    make("p", { class: "quiet" }, text(captures.length ? "missing_pages_more" : "no_missing_pages")),
    [...groups].map(([name, group]) => make("div", {}, make("h2", {}, name, make("span", { class: "tag" }, text("applications", group.length))),
      make("table", {}, make("thead", {}, make("tr", {}, ["by_application_id", "missing_page", "captured_at"].map((key) => make("th", { scope: "col" }, text(key))))),
        make("tbody", {}, group.map(row))))));
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
