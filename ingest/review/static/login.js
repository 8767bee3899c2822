import { named, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";

const name = make("input", { id: "name", autocomplete: "username", autocapitalize: "none", required: true, maxlength: 64 });
const password = make("input", {
  id: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 200,
});
const button = make("button", { type: "submit", class: "primary" }, text("log_in"));

async function enter(event) {
  event.preventDefault();
  button.disabled = true;
  tell();
  try {
    await post("/api/v1/login", { name: name.value, password: password.value });
    location.assign("/");
  } catch (error) {
    tell(words(error), "bad");
    password.value = "";
    password.focus();
  } finally {
    button.disabled = false;
  }
}

show(
  document.getElementById("main"),
  make(
    "form",
    { class: "card narrow", onsubmit: enter },
    make("h1", {}, text("uketsuke")),
    make("p", { class: "quiet" }, text("login_for")),
    make("label", { for: "name" }, text("account_name")),
    name,
    make("label", { for: "password" }, text("password")),
    password,
    button,
    "oidc" in document.body.dataset ? make("p", {}, make("a", { id: "oidc", href: "/login/oidc" }, text("log_in_elsewhere"))) : null,
  ),
);
// Why a login at the provider came to nothing; only what we have words for.
const failed = new URLSearchParams(location.search).get("failed");
const why = failed && named("login_failed", failed);
if (why && why !== failed) tell(why, "bad");
name.focus();
