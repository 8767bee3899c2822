// What every page has: the language, the way out.

import { post } from "./api.js";

document.getElementById("language")?.addEventListener("click", () => {
  const other = document.documentElement.lang === "ja" ? "en" : "ja";
  document.cookie = `uketsuke_language=${other}; path=/; max-age=31536000; samesite=strict`;
  location.reload();
});

document.getElementById("logout")?.addEventListener("click", async (event) => {
  // Once: the server may ask the provider of the login where that is ended.
  event.currentTarget.disabled = true;
  const { continue_at: elsewhere } = await post("/api/v1/logout").catch(() => ({}));
  location.assign(elsewhere ?? "/login");
});
