// One field under the hands of a person: its picture, what was read, and the box to type in. Knows nothing
// of tasks or of the server, but for banks.

import { named, post, text } from "./api.js";
import { make, show } from "./dom.js";
import { katakana } from "./romaji.js";

// Below it a character is marked, and far below it marked strongly.
const DOUBTFUL = 0.99;
const POOR = 0.9;

const LATER = { bank_name: null, branch_name: "bank_code" };

export class Editor {
  // `entered` is what this person typed before; `sibling` gives the entry of another field of the task.
  constructor(field, url, entered, sibling) {
    Object.assign(this, { field, sibling });
    this.outcome = "value";
    this.candidates = candidates(field);
    this.choice = -1;
    this.suggestions = [];
    const value = entered?.value ?? (field.machine && !field.keyed.length ? this.shown(field.machine.value ?? "") : "");
    this.input = make("input", {
      class: `entry ${field.kind}`,
      "aria-label": named("field", field.name),
      autocomplete: "off", autocapitalize: "none", spellcheck: "false",
      maxlength: 200,
      inputmode: field.kind === "digits" ? "numeric" : undefined,
      oninput: (event) => this.typed(event),
    });
    this.input.value = value;
    this.fault = make("p", { class: "fault", role: "alert" });
    this.hint = make("div", { class: "hint", "aria-live": "polite" });
    this.list = make("ul", { class: "suggestions" });
    this.state = make("p", { class: "state" });
    this.element = make(
      "section",
      { class: "field" },
      make("h2", {}, named("field", field.name), field.machine || field.keyed.length ? null : make("span", { class: "tag" }, text("blind"))),
      url ? make("img", { class: "crop", src: url, alt: text("picture_of", named("field", field.name)) }) : make("p", { class: "crop" }, text("error_no_picture")),
      field.machine && field.machine.characters.length > 1 ? cells(field.machine.characters) : null,
      field.machine ? reasons(field.machine) : null,
      this.keyedList(),
      this.isChoice() ? this.options() : this.input,
      this.state, this.fault, this.hint, this.list,
    );
    if (entered && entered.outcome !== "value") this.set(entered.outcome);
    // Where no ink was seen that is the reading, and it is accepted as any other.
    else if (!entered && field.machine && !field.machine.value && field.machine.reasons.includes("no_ink")) this.set("blank");
    this.sayBank();
  }

  isChoice() {
    return this.field.kind === "mark" || this.field.kind === "signature";
  }

  // Half-width kana is hard to read.
  shown(value) {
    return this.field.kind === "kana" ? value.normalize("NFKC") : value;
  }

  keyedList() {
    if (!this.field.keyed.length) return null;
    const line = (entry) => make("li", {}, entry.outcome === "value" ? this.shown(entry.value) : named("outcome", entry.outcome));
    return make("ol", { class: "keyed", "aria-label": text("two_keys") }, this.field.keyed.map(line));
  }

  options() {
    const values = this.field.kind === "signature" ? ["present"] : this.field.options;
    this.buttons = values.map((value, place) =>
      make("button", { type: "button", class: "option", "data-value": value, onclick: () => this.choose(value) },
        make("kbd", {}, String(place + 1)), " ", named("option", value)));
    const box = make("div", { class: "options", tabindex: "-1" }, this.buttons);
    this.mark();
    return box;
  }

  choose(value) {
    this.input.value = value;
    this.set("value");
    this.mark();
  }

  mark() {
    this.buttons?.forEach((button) =>
      button.setAttribute("aria-pressed", String(this.outcome === "value" && button.dataset.value === this.input.value)));
  }

  focus() {
    if (this.isChoice()) this.element.querySelector(".options").focus();
    else {
      this.input.focus();
      this.input.select();
    }
  }

  typed(event) {
    this.set("value");
    if (this.field.kind === "kana" && !event.isComposing) {
      const atEnd = this.input.selectionStart === this.input.value.length;
      const kana = katakana(this.input.value);
      if (atEnd && kana !== this.input.value) this.input.value = kana;
    }
    this.fault.textContent = "";
    this.sayBank();
  }

  // What else the field may hold: alternatives of the machine, other people's keys, banks by what was typed.
  async next(step) {
    if (this.suggestions.length) {
      this.choice = (this.choice + step + this.suggestions.length) % this.suggestions.length;
      this.input.value = this.suggestions[this.choice].name;
      this.mark_suggestion();
      return;
    }
    if (!this.candidates.length) return;
    this.choice = (this.choice + step + this.candidates.length) % this.candidates.length;
    const { outcome, value } = this.candidates[this.choice];
    this.input.value = outcome === "value" ? this.shown(value) : "";
    this.set(outcome);
    this.mark();
    this.sayBank();
  }

  mark_suggestion() {
    [...this.list.children].forEach((line, place) => line.classList.toggle("chosen", place === this.choice));
  }

  // The bank or branch of what was typed, so that a slip is seen at once.
  async sayBank() {
    const { name, kind } = this.field;
    const typed = this.input.value.trim();
    const search = kind === "text" && name in LATER;
    if (!search && !(kind === "digits" && /^(bank|branch)_code$/.test(name))) return;
    const bank = name.startsWith("branch") ? this.sibling("bank_code") : null;
    if (!typed || (name.startsWith("branch") && !bank)) return show(this.hint), show(this.list);
    const { choices } = await post("/api/v1/banks", { text: typed, bank }).catch(() => ({ choices: [] }));
    if (this.input.value.trim() !== typed) return;
    if (search) {
      this.suggestions = choices;
      this.choice = -1;
      show(this.list, choices.map((choice) => make("li", {}, make("code", {}, choice.code), ` ${choice.name}　${choice.kana}`)));
    } else {
      const exact = choices.find((choice) => choice.code === typed);
      show(this.hint, exact ? exact.name : typed.length === this.field.cells ? text("no_such_code") : "");
    }
  }

  set(outcome) {
    this.outcome = outcome;
    this.element.classList.toggle("other", outcome !== "value");
    show(this.state, outcome === "value" ? "" : named("outcome", outcome));
    this.mark();
  }

  // What is sent; none, and a line to the person, where it cannot be.
  entry() {
    const { field } = this;
    if (this.outcome !== "value") return { field: field.name, outcome: this.outcome, text: this.question?.text ?? "", reason: this.question?.reason };
    let typed = this.input.value.trim();
    if (field.kind === "kana") typed = this.input.value = katakana(typed, true);
    const fault = this.wrong(typed);
    if (fault) return this.refuse(fault);
    return { field: field.name, outcome: "value", text: typed };
  }

  refuse(code) {
    show(this.fault, named("fault", code));
    this.focus();
    return null;
  }

  // The same rules as the server's, which decides.
  wrong(typed) {
    if (!typed) return "empty";
    if (this.field.kind !== "digits") return null;
    const digits = typed.normalize("NFKC").replace(/[-\s()./]/g, "");
    if (!/^[0-9]*$/.test(digits)) return "digits";
    if (digits.length > this.field.cells) return "too_long";
    return null;
  }
}

// The best other readings as whole values: the least sure character first.
function candidates(field) {
  const found = field.keyed.map((entry) => ({ ...entry }));
  const add = (value) => {
    if (value && !found.some((other) => other.value === value)) found.push({ outcome: "value", value });
  };
  if (!field.machine) return found;
  add(field.machine.value);
  const characters = field.machine.characters;
  const joined = characters.map((character) => character.value).join("");
  // Only where the value is its characters, one after another.
  if (joined !== field.machine.value) {
    if (characters.length === 1) characters[0].alternatives.forEach((other) => add(other.value));
    return found;
  }
  const options = characters.flatMap((character, place) =>
    character.alternatives.map((other) => ({ place, value: other.value, gain: other.confidence / (character.confidence || 1) })));
  options.sort((a, b) => b.gain - a.gain);
  for (const { place, value } of options.slice(0, 6)) {
    add(characters.map((character, at) => (at === place ? value : character.value)).join(""));
  }
  return found;
}

function cells(characters) {
  const cell = (character) => {
    const sure = character.confidence >= DOUBTFUL ? "sure" : character.confidence >= POOR ? "doubtful" : "poor";
    const others = character.alternatives.slice(0, 2).map((other) => other.value || "␣").join(" ");
    return make("li", { class: sure, title: `${Math.round(character.confidence * 1000) / 10} %` },
      make("b", {}, (character.value || "").normalize("NFKC") || " "), make("small", {}, sure === "sure" ? "" : others.normalize("NFKC")));
  };
  return make("ol", { class: "cells", "aria-label": text("as_read") }, characters.map(cell));
}

function reasons(machine) {
  return make("p", { class: "reasons" },
    make("span", { class: "confidence" }, text("confidence", (machine.confidence * 100).toFixed(1))),
    machine.reasons.map((reason) => make("span", { class: "tag" }, named("reason", reason))));
}
