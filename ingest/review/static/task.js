// A task under its lease: claimed, kept, given back, ended. Nothing typed is lost when the server or the
// way to it is gone for a while.

import { Refused, Unreachable, leave, picture, post, text, words } from "./api.js";
import { make, show, tell } from "./dom.js";

const LONGEST_PAUSE = 8000;

// How often a page without work looks for some.
const QUIET = 15_000;

// Whoever works on fields sees that the municipality asks something.
function asked(count) {
  const link = document.querySelector("nav a[href='/escalations']");
  link?.querySelector(".tag")?.remove();
  if (count) link?.append(make("span", { class: "tag", title: text("questions_wait", count) }, String(count)));
}

export class Queue {
  constructor(kinds) {
    this.kinds = kinds;
    this.skipped = [];
    this.held = new Map();
    // Tasks that come before others: what a person was at when an earlier one came back.
    this.first = [];
    this.ahead = null;
    this.unsent = 0;
    setInterval(() => this.renew(), 1000);
    addEventListener("pagehide", () => this.leave());
    // A page that the browser kept has given its tasks back.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    addEventListener("beforeunload", (event) => {
      if (this.unsent) event.preventDefault();
    });
  }

  // Has `begin` show the next task; says in `place` where there is none, and looks again by itself.
  async show(place, begin) {
    clearTimeout(this.waiting);
    try {
      const task = await this.next();
      if (!this.unsent) tell();
      if (task) return begin(task);
      show(place, make("section", { class: "card narrow empty" },
        make("h1", {}, text("nothing_to_do")), make("p", { class: "quiet" }, text("nothing_to_do_more"))));
    } catch (error) {
      tell(words(error), "bad");
    }
    this.waiting = setTimeout(() => this.show(place, begin), QUIET);
  }

  // The next task with its fields' pictures; none where nothing waits.
  async next() {
    if (this.first.length) return this.first.shift();
    const ready = this.ahead ?? this.claim();
    this.ahead = null;
    try {
      return await ready;
    } catch (error) {
      // Nothing is typed yet that could be lost.
      if (error instanceof Refused && error.code === "not_logged_in" && !this.unsent) location.assign("/login");
      throw error;
    }
  }

  // Fetches the task after this one while a person works on it.
  prefetch() {
    this.ahead ??= this.claim().catch(() => null).then((task) => {
      if (!task) this.ahead = null;
      return task;
    });
  }

  async claim() {
    const except = [...this.held.keys(), ...this.skipped];
    const { task, questions } = await post("/api/v1/tasks/claim", { kinds: this.kinds, except });
    asked(questions);
    return task && this.hold(task);
  }

  async hold(task) {
    this.held.set(task.id, task);
    task.renewed = Date.now();
    if (task.group) task.sheet = picture(task.group.picture).catch(() => null);
    const pictures = task.fields.map((field) => (field.picture ? picture(field.picture).catch(() => null) : null));
    task.urls = await Promise.all(pictures);
    return task;
  }

  async renew() {
    for (const task of this.held.values()) {
      if (task.stale || Date.now() - task.renewed < (task.lease_seconds * 1000) / 3) continue;
      task.renewed = Date.now();
      try {
        await post(`/api/v1/tasks/${task.id}/renew`, { epoch: task.epoch });
      } catch (error) {
        if (error instanceof Refused && error.code === "stale") {
          task.stale = true;
          if (!task.ending) task.onstale?.();
        }
      }
    }
  }

  leave() {
    // What is on its way to the server is not given back: it might be there first.
    const idle = [...this.held.values()].filter((task) => !task.ending);
    for (const task of idle) leave(`/api/v1/tasks/${task.id}/give-back`, { epoch: task.epoch });
    this.held.clear();
  }

  // Ends a task in the background. `back` is called with the error where the server refuses it; while the
  // server cannot be reached, it is sent again and again.
  async end(task, path, body, back) {
    this.unsent += 1;
    task.ending = true;
    let pause = 250;
    for (;;) {
      try {
        const answer = await post(`/api/v1/tasks/${task.id}/${path}`, { epoch: task.epoch, ...body });
        this.forget(task);
        this.sent();
        return answer;
      } catch (error) {
        const again = error instanceof Unreachable || (error instanceof Refused && error.code === "not_logged_in");
        if (!again) {
          task.ending = false;
          this.sent();
          back(error);
          return null;
        }
        tell(error instanceof Unreachable ? text("unsent", this.unsent) : text("log_in_again"), "bad");
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(LONGEST_PAUSE, pause * 2);
      }
    }
  }

  sent() {
    this.unsent -= 1;
    if (!this.unsent) tell();
  }

  // Something of a task that does not end it, or that a person waits for.
  call(task, path, body) {
    return post(`/api/v1/tasks/${task.id}/${path}`, { epoch: task.epoch, ...body });
  }

  forget(task) {
    this.held.delete(task.id);
    for (const url of task.urls ?? []) if (url) URL.revokeObjectURL(url);
  }

  async giveBack(task, skip) {
    if (skip) this.skipped.push(task.id);
    this.forget(task);
    await post(`/api/v1/tasks/${task.id}/give-back`, { epoch: task.epoch }).catch((error) => tell(words(error), "bad"));
  }

  async reopen(id) {
    const { task } = await post(`/api/v1/tasks/${id}/reopen`);
    return this.hold(task);
  }
}
