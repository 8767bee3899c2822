import { post, text, words } from "./api.js";
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
  ),
);
name.focus();
