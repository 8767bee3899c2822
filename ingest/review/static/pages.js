// Pages that carry no valid ID, and second captures of an application: what are they?

import { Refused, moment, named, picture, text, told, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";
import { Queue } from "./task.js";
import { Viewer } from "./viewer.js";

const main = document.getElementById("main");
const viewer = new Viewer();
const queue = new Queue(["page", "duplicate"]);
let task = null;

function next() {
  task = null;
  queue.show(main, (found) => {
    task = found;
    viewer.of([...task.pages, ...(task.earlier?.pages ?? [])]);
    if (task.kind === "page") pageTask();
    else duplicateTask();
  });
}

function end(path, body) {
  const sent = task;
  queue.end(sent, path, body, (error) => {
    tell(error instanceof Refused && error.reason ? `${words(error)} (${error.reason})` : words(error), "bad");
    if (!(error instanceof Refused && error.code === "stale")) return;
    queue.forget(sent);
    next();
  }).then((answer) => answer && next());
}

function thumbnail(page, place) {
  const image = make("img", { alt: text("page_of", page.number, "") });
  picture(page.picture).then((url) => ((page.url = url), (image.src = url))).catch((error) => tell(words(error), "bad"));
  return make("figure", { class: page.current ? "current" : "" },
    make("button", { type: "button", class: "picture", onclick: () => viewer.open(place) }, image),
    make("figcaption", {}, text("page_number", page.number), page.application_id ? make("code", {}, page.application_id) : null,
      page.current ? make("span", { class: "tag" }, text("this_page")) : null));
}

function pageTask() {
  const { origin } = task;
  const first = make("input", { id: "first", class: "entry digits", inputmode: "numeric", autocomplete: "off", maxlength: 13 });
  const again = make("input", { id: "again", class: "entry digits", inputmode: "numeric", autocomplete: "off", maxlength: 13, onpaste: (event) => event.preventDefault() });
  const choice = make("select", { id: "form-page" }, make("option", { value: "" }, "—"),
    origin.form_pages.map((page, number) => make("option", { value: String(number) }, `${number + 1}. ${page.title} ${text("page_number", page.page)}`)),
    make("option", { value: "enclosure" }, `0. ${text("enclosure")}`));
  const fault = make("p", { class: "fault", role: "alert" });
  const assign = (event) => {
    event.preventDefault();
    const wrong = !valid(first.value) ? "check_digit" : first.value !== again.value ? "differ" : !choice.value ? "which_page" : null;
    if (wrong) return show(fault, named("fault", wrong));
    const { form, version, page } = origin.form_pages[choice.value] ?? {};
    const form_page = form ? { form, version, page } : null;
    end("page", { outcome: "assigned", application_id: first.value, again: again.value, form_page });
  };
  const other = (outcome, key) => make("button", { type: "button", "data-key": key, onclick: () => end("page", { outcome }) }, make("kbd", {}, key), named("page_is", outcome));
  show(main, make("div", { class: "sorting" },
    make("div", { class: "strip" }, task.pages.map(thumbnail)),
    make("aside", {},
      make("h1", {}, text("unassigned_page")),
      make("dl", {}, make("dt", {}, text("where_from")), make("dd", {}, [origin.station, origin.batch, origin.file].filter(Boolean).join(" / "), " · ", text("page_number", origin.page)),
        make("dt", {}, text("why_unassigned")), make("dd", {}, named("unassigned", origin.reason))),
      make("p", { class: "quiet" }, text("neighbours_say_nothing")),
      make("form", { onsubmit: assign },
        make("label", { for: "first" }, text("printed_id")), first,
        make("label", { for: "again" }, text("once_more")), again,
        make("label", { for: "form-page" }, text("which_page")), choice, fault,
        make("button", { class: "primary" }, text("assign"))),
      make("div", { class: "others" }, other("blank", "F2"), other("foreign", "F4"), other("rescan", "F8"),
        make("button", { type: "button", "data-key": "F10", onclick: skip }, make("kbd", {}, "F10"), text("key_skip")),
        make("button", { type: "button", "data-key": "PageDown", onclick: () => viewer.open() }, make("kbd", {}, "PgDn"), text("key_page"))))));
  first.focus();
}

// Modulus 10, weight 3 from the right: a slip is seen before the second typing.
function valid(id) {
  if (!/^[0-9]{13}$/.test(id)) return false;
  const sum = [...id.slice(0, 12)].reverse().reduce((sum, digit, place) => sum + Number(digit) * (place % 2 ? 1 : 3), 0);
  return (10 - (sum % 10)) % 10 === Number(id[12]);
}

function duplicateTask() {
  const { earlier } = task;
  const written = Object.entries(earlier?.values ?? {}).filter(([, values]) => values.some((value) => value !== null));
  const rows = written.map(([field, [before, now]]) =>
    make("tr", { class: before === now ? "" : "differs" }, make("th", { scope: "row" }, named("field", field)),
      [before, now].map((value) => make("td", {}, value === null ? "—" : named("option", value.normalize("NFKC"))))));
  const say = (later, key) => make("button", { type: "button", "data-key": key, onclick: () => end("duplicate", { later_counts: later }) },
    make("kbd", {}, key), text(later ? "later_counts" : "earlier_counts"));
  // The first page that was sent again, beside what it was before.
  const place = Math.max(0, task.pages.findIndex((page) => page.current));
  const later = task.pages[place];
  const before = (earlier?.pages ?? []).findIndex((page) => page.number === later?.number);
  show(main, make("div", { class: "sorting" },
    make("div", { class: "strip even" },
      before < 0 ? null : thumbnail(earlier.pages[before], task.pages.length + before),
      later ? thumbnail(later, place) : null),
    make("aside", {},
      make("h1", {}, text("duplicate"), " ", make("code", {}, task.application_id)),
      make("div", { class: "others" }, say(false, "F2"), say(true, "F4"),
        make("button", { type: "button", "data-key": "F10", onclick: skip }, make("kbd", {}, "F10"), text("key_skip"))),
      task.findings.length ? make("ul", {}, task.findings.map((finding) => make("li", {}, told(finding)))) : null,
      make("table", {}, make("thead", {}, make("tr", {}, make("td", {}),
        make("th", { scope: "col" }, text("earlier"), make("small", {}, earlier ? moment(earlier.captured_at) : "")),
        make("th", { scope: "col" }, text("later"), make("small", {}, earlier ? moment(earlier.later_captured_at) : "")))),
        make("tbody", {}, rows)))));
}

async function skip() {
  await queue.giveBack(task, true);
  next();
}

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.altKey || event.repeat) return;
  const button = main.querySelector(`button[data-key="${event.key}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});

next();
