// What every page has: the language, the way out.

import { post } from "./api.js";

document.getElementById("language")?.addEventListener("click", () => {
  const other = document.documentElement.lang === "ja" ? "en" : "ja";
  document.cookie = `uketsuke_language=${other}; path=/; max-age=31536000; samesite=strict`;
  location.reload();
});

document.getElementById("logout")?.addEventListener("click", async () => {
  await post("/api/v1/logout").catch(() => {});
  location.assign("/login");
});
