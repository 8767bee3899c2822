// The way to the server: JSON in and out, the words of the language, pictures.

export class Refused extends Error {
  constructor(status, body) {
    super(body.code ?? "inside");
    this.status = status;
    this.code = body.code ?? "inside";
    this.faults = body.faults ?? [];
    this.reason = body.reason;
  }
}

// The server did not answer, or cannot just now; the same call may well work later.
export class Unreachable extends Error {}

// When keys or mouse were last touched. What a page asks by itself after that keeps no session.
let touched = Date.now();
for (const kind of ["keydown", "pointerdown", "pointermove"]) addEventListener(kind, () => (touched = Date.now()), { passive: true });
const UNATTENDED = 60_000;

function headers() {
  const unattended = Date.now() - touched > UNATTENDED ? { "x-unattended": "1" } : {};
  return { "content-type": "application/json", "x-csrf-token": csrf, ...unattended };
}

let csrf = document.querySelector("meta[name=csrf]")?.content ?? "";

async function send(method, path, body) {
  try {
    return await fetch(path, {
      method,
      headers: headers(),
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      // It arrives although the page is left meanwhile.
      keepalive: method === "POST",
    });
  } catch {
    throw new Unreachable();
  }
}

// Whoever logged in again in another window has another token.
async function renewed() {
  const answer = await send("GET", "/api/v1/me");
  if (!answer.ok) return false;
  const fresh = (await answer.json()).csrf;
  if (fresh === csrf) return false;
  csrf = fresh;
  return true;
}

export async function call(method, path, body) {
  let answer = await send(method, path, body);
  if ((answer.status === 401 || answer.status === 403) && csrf && (await renewed())) {
    answer = await send(method, path, body);
  }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  if (answer.status >= 500) throw new Unreachable();
  throw new Refused(answer.status, told);
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body ?? {});

// Says something when the page goes away; nobody waits for the answer.
export function leave(path, body) {
  fetch(path, {
    method: "POST",
    keepalive: true,
    headers: headers(),
    body: JSON.stringify(body),
  }).catch(() => {});
}

// A picture, as an address that only this page knows. It lies in no cache.
export async function picture(path) {
  let answer;
  try {
    answer = await fetch(path, { headers: headers() });
  } catch {
    throw new Unreachable();
  }
  if (!answer.ok) throw new Refused(answer.status, {});
  return URL.createObjectURL(await answer.blob());
}

const texts = await (await fetch(`/texts/${document.documentElement.lang}`)).json();

// The words for a key; {1}, {2} … are filled in.
export function text(key, ...values) {
  const words = texts[key] ?? key;
  return values.reduce((filled, value, place) => filled.replace(`{${place + 1}}`, value), words);
}

// The words for one of several: a field, a reason; as it is where there are none.
export function named(what, name) {
  return texts[`${what}_${name}`] ?? name;
}

// A finding in the language of the page.
export const told = (finding) => (document.documentElement.lang === "ja" && finding.message_ja) || finding.message;

export function moment(time) {
  return new Date(time).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}

// What an error says to a person.
export function words(error) {
  if (error instanceof Unreachable) return text("error_unreachable");
  if (error instanceof Refused) return named("error", error.code);
  return text("error_inside");
}
