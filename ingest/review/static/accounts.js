// Who has an account, and with which role.

import { Refused, get, named, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";
import "./shell.js";

const main = document.getElementById("main");

async function change(path, body) {
  try {
    await post(path, body);
    tell(text("changed"));
    await load();
  } catch (error) {
    tell(error instanceof Refused && error.reason ? `${words(error)} (${error.reason})` : words(error), "bad");
  }
}

async function load() {
  const { accounts, roles } = await get("/api/v1/accounts");
  const choice = (id, chosen, onchange) => make("select", { id, onchange, "aria-label": text("role") },
    roles.map((role) => make("option", { value: role, selected: role === chosen }, named("role", role))));
  const row = ({ name, role, active }) => make("tr", {},
    make("th", { scope: "row" }, name),
    make("td", {}, choice(undefined, role, (event) => change("/api/v1/accounts/change", { name, role: event.target.value }))),
    make("td", {}, text(active ? "active" : "disabled")),
    make("td", {}, make("button", { type: "button", onclick: () => change("/api/v1/accounts/change", { name, active: !active }) }, text(active ? "disable" : "enable"))));
  const name = make("input", { id: "new-name", pattern: "[a-z0-9][a-z0-9._\\-]{0,31}", required: true, autocomplete: "off" });
  const role = choice("new-role", "keyer");
  const password = make("input", { id: "new-password", type: "password", minlength: 10, maxlength: 200, required: true, autocomplete: "new-password" });
  show(main, make("section", { class: "card" }, make("h1", {}, text("page_accounts")),
    make("table", {}, make("thead", {}, make("tr", {}, ["account_name", "role", "state"].map((key) => make("th", { scope: "col" }, text(key))), make("td", {}))),
      make("tbody", {}, accounts.map(row)))),
    make("form", { class: "card search", onsubmit: (event) => {
      event.preventDefault();
      change("/api/v1/accounts", { name: name.value, role: role.value, password: password.value });
    } },
      make("div", {}, make("label", { for: "new-name" }, text("account_name")), name),
      make("div", {}, make("label", { for: "new-role" }, text("role")), role),
      make("div", {}, make("label", { for: "new-password" }, text("password")), password),
      make("button", { class: "primary" }, text("add_account"))));
}

load().catch((error) => tell(words(error), "bad"));
