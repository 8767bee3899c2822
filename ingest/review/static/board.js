// The supervisor's page: backlog, throughput, what needed nobody, and whether every sheet is accounted for.

import { get, moment, named, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import { bars, certificate } from "./plots.js";
import "./shell.js";

const main = document.getElementById("main");
const EVERY = 30_000;
const HOUR = 3_600_000;
const { role } = await get("/api/v1/me");

function tile(name, value, more) {
  return make("div", { class: "tile" }, make("span", {}, name), make("strong", {}, value), make("small", {}, more ?? ""));
}

function share(part, whole) {
  return whole ? `${((100 * part) / whole).toFixed(1)} %` : "—";
}

async function load() {
  let board;
  try {
    board = await get("/api/v1/board");
    tell();
  } catch (error) {
    return tell(words(error), "bad");
  }
  const { backlog, batches } = board;
  const open = backlog.queues.reduce((sum, queue) => sum + queue.open, 0);
  const oldest = backlog.queues.map((queue) => queue.oldest_at).filter(Boolean).sort()[0];
  const kinds = [...new Set(backlog.hours.map((hour) => hour.kind))];
  const now = Math.floor(Date.now() / HOUR) * HOUR;
  const hours = Array.from({ length: 24 }, (_, back) => now - (23 - back) * HOUR).map((start) => {
    const done = (kind) => backlog.hours.find((hour) => hour.kind === kind && Date.parse(hour.hour) === start)?.done ?? 0;
    const hour = new Date(start).getHours();
    return { label: hour % 3 ? "" : String(hour), title: `${hour}:00`, parts: kinds.map(done) };
  });
  const ages = ["hour", "day", "days", "week", "older"];
  const queues = backlog.queues.map((queue) => ({ label: named("kind_short", queue.kind), title: named("kind", queue.kind), parts: queue.ages }));
  const keyed = backlog.keyed_alike + backlog.adjudicated;
  const wrong = batches.filter((batch) => !batch.balances).length;
  const row = (batch) => make("tr", { class: batch.balances ? "" : "differs" },
    make("th", { scope: "row" }, [batch.station, batch.batch].filter(Boolean).join(" / ")),
    ["files", "repeated", "waiting", "quarantined", "pages", "captured", "blank", "unassigned", "duplicates"].map((key) => make("td", { class: "number" }, String(batch[key]))),
    make("td", {}, text(batch.balances ? "balances" : "balances_not")));
  show(main, make("div", { class: "board" },
    board.promise?.revoked ? certificate(board.promise) : null,
    make("div", { class: "tiles" },
      tile(text("open_tasks"), String(open), oldest ? text("oldest", moment(oldest)) : ""),
      tile(text("people"), String(backlog.people), text("people_more")),
      tile(text("without_people"), share(backlog.captures_without_people, backlog.captures), text("of_captures", backlog.captures)),
      tile(text("keys_alike"), share(backlog.keyed_alike, keyed), text("of_keyed", keyed)),
      tile(text("batches_wrong"), String(wrong), text("of_batches", batches.length))),
    make("div", { class: "plots" },
      bars(text("backlog_by_age"), queues, ages.map((age) => named("age", age))),
      bars(text("done_by_hour"), hours, kinds.length ? kinds.map((kind) => named("kind", kind)) : [text("none_done")])),
    sampled(board),
    quality(board.stations),
    make("section", { class: "card" }, make("h2", {}, text("batches")),
      make("div", { class: "scroll", tabindex: "0" }, make("table", {}, make("thead", {}, make("tr", {},
        ["batch", "files", "repeated", "waiting", "quarantined", "pages_count", "captured_pages", "blank_pages", "unassigned_pages", "duplicates", "sum"].map((key, place, all) => make("th", { scope: "col", class: place && place < all.length - 1 ? "number" : "" }, text(key))))),
        make("tbody", {}, batches.map(row)))),
      board.batches_left_out ? make("p", { class: "quiet" }, text("left_out", board.batches_left_out)) : null)));
}

// Batches that are accepted or rejected by a sample, and the way to let a rejected one go; stations that are
// inspected more strictly above them.
function sampled({ lots, tightened }) {
  if (!lots.length) return null;
  const stopped = (lot) => lot.verdict === "rejected" && !lot.released_at;
  const verdict = (lot) => lot.released_at ? text("lot_released", lot.released_by, moment(lot.released_at)) : named("lot", lot.verdict ?? "open");
  const release = (lot) => make("button", { type: "button", "data-lot": String(lot.id), onclick: () => letGo(lot) }, text("lot_release"));
  const screened = ({ screening }) => screening ? `${screening.looked_at} / ${screening.fields}` : "—";
  const row = (lot) => make("tr", { class: stopped(lot) ? "differs" : "" },
    make("th", { scope: "row" }, `${lot.station} / ${lot.batch}`, make("small", {}, moment(lot.formed_at))),
    [lot.size, `${named("severity", lot.severity)} / ${lot.letter} / ${lot.aql}`, `${lot.judged} / ${lot.sample}`, lot.wrong, `${lot.acceptance} / ${lot.acceptance + 1}`, screened(lot)].map((value) => make("td", { class: "number" }, String(value))),
    make("td", {}, verdict(lot), stopped(lot) && role !== "payment" ? [" ", release(lot)] : null,
      lot.screening && !lot.screening.is_done ? make("small", {}, text("lot_screening_open")) : null));
  const heads = ["batch", "lot_size", "lot_plan", "lot_judged", "qa_errors", "lot_numbers", "lot_screening", "lot_verdict"];
  return make("section", { class: "card lots" }, make("h2", {}, text("lots")),
    tightened.map(({ station, is_discontinued }) => is_discontinued
      ? make("p", { class: "promise revoked", role: "alert" }, text("station_discontinued", station))
      : make("p", { class: "promise" }, text("station_tightened", station))),
    make("p", { class: "quiet" }, text("lots_more")),
    make("div", { class: "scroll", tabindex: "0" }, make("table", {},
      make("thead", {}, make("tr", {}, heads.map((key, place) => make("th", { scope: "col", class: place && place < heads.length - 1 ? "number" : "" }, text(key))))),
      make("tbody", {}, lots.map(row)))));
}

async function letGo(lot) {
  const { is_done, looked_at, fields } = lot.screening;
  if (!confirm(text(is_done ? "lot_release_sure" : "lot_release_early", `${lot.station} / ${lot.batch}`, looked_at, fields))) return;
  try {
    await post("/api/v1/lots/release", { lot: lot.id });
  } catch (error) {
    tell(words(error), "bad");
  }
  load();
}

// How pages come from each station: four measures side by side, and their numbers.
function quality(stations) {
  const share = (part, whole) => (whole ? (100 * part) / whole : 0);
  const rounded = (value, digits) => Number((value ?? 0).toFixed(digits));
  const measures = [
    ["quality_skew", (station) => rounded(station.skew_deg, 2)],
    ["quality_residual", (station) => rounded(station.residual_px, 2)],
    ["quality_unread", (station) => rounded(share(station.symbols_unread, station.captured), 1)],
    ["quality_blank", (station) => rounded(share(station.blank, station.pages), 1)],
  ];
  const plot = ([key, value]) => bars(text(key), stations.map((station) => ({ label: station.station, title: station.station, parts: [value(station)] })), [text(key)]);
  const row = (station) => make("tr", {}, make("th", { scope: "row" }, station.station),
    [station.pages, ...measures.map(([, value]) => value(station)), station.unassigned].map((value) => make("td", { class: "number" }, String(value))));
  if (!stations.length) return null;
  return make("section", { class: "quality" }, make("h2", {}, text("quality")),
    make("div", { class: "plots four" }, measures.map(plot)),
    make("div", { class: "card scroll", tabindex: "0" }, make("table", {}, make("thead", {}, make("tr", {},
      ["station", "pages_count", ...measures.map(([key]) => key), "unassigned_pages"].map((key, place) => make("th", { scope: "col", class: place ? "number" : "" }, text(key))))),
      make("tbody", {}, stations.map(row)))));
}

load();
setInterval(load, EVERY);
