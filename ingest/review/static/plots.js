// Small plots: bars, stacked, and control charts, with their numbers for those who do not see them.

import { moment, named, text } from "./api.js";
import { draw, make } from "./dom.js";

const WIDTH = 520;
const HEIGHT = 150;
const LEFT = 40;
const BOTTOM = 22;

// `columns` are [{ label, title, parts: [number, …] }]; `names` are those of the parts.
export function bars(title, columns, names) {
  const most = Math.max(0, ...columns.map((column) => column.parts.reduce((sum, part) => sum + part, 0))) || 1;
  const step = (WIDTH - LEFT) / Math.max(1, columns.length);
  const scale = (HEIGHT - BOTTOM - 10) / most;
  const drawing = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "plot" });
  for (const share of [0, 0.5, 1]) {
    const y = HEIGHT - BOTTOM - share * most * scale;
    drawing.append(draw("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "grid" }),
      draw("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, String(Number((share * most).toPrecision(2)))));
  }
  columns.forEach((column, number) => {
    let y = HEIGHT - BOTTOM;
    column.parts.forEach((part, kind) => {
      const height = part * scale;
      y -= height;
      if (part) drawing.append(draw("rect", { x: LEFT + number * step + step * 0.12, y, width: step * 0.76, height, class: `part${kind}` },
        draw("title", {}, `${column.title} ${names[kind]}: ${part}`)));
    });
    if (column.label) drawing.append(draw("text", { x: LEFT + (number + 0.5) * step, y: HEIGHT - 6, "text-anchor": "middle" }, column.label));
  });
  const key = make("ul", { class: "legend" }, names.map((name, kind) => make("li", {}, make("span", { class: `swatch part${kind}` }), name)));
  return make("figure", { class: "card" }, make("figcaption", {}, title), drawing, names.length > 1 ? key : null);
}

const percent = (rate) => `${(rate * 100).toFixed(2)} %`;

// Rates of errors day by day: { day, judged, wrong }. The middle line is the rate of all days together, the
// upper one three standard deviations above it, for as many as were judged that day: what lies above came
// about by more than chance.
export function control(title, days, target) {
  if (!days.length) return null;
  const [judged, wrong] = ["judged", "wrong"].map((key) => days.reduce((sum, day) => sum + day[key], 0));
  const mean = wrong / judged;
  const limit = (day) => Math.min(1, mean + 3 * Math.sqrt((mean * (1 - mean)) / day.judged));
  const rate = (day) => day.wrong / day.judged;
  const most = Math.max(0.001, target ?? 0, ...days.map(rate), ...days.map(limit)) * 1.08;
  const step = (WIDTH - LEFT) / days.length;
  const x = (place) => LEFT + (place + 0.5) * step;
  const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - 10);
  const drawing = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "plot" });
  for (const share of [0, 0.5, 1]) {
    const value = (share * most) / 1.08;
    drawing.append(draw("line", { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value), class: "grid" }),
      draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, (value * 100).toFixed(1)));
  }
  drawing.append(draw("line", { x1: LEFT, x2: WIDTH, y1: y(mean), y2: y(mean), class: "mean" }),
    draw("path", { d: days.map((day, place) => `${place ? "L" : "M"}${LEFT + place * step} ${y(limit(day))}H${LEFT + (place + 1) * step}`).join(""), class: "limit" }));
  if (target) drawing.append(draw("line", { x1: LEFT, x2: WIDTH, y1: y(target), y2: y(target), class: "target" }));
  drawing.append(draw("path", { d: days.map((day, place) => `${place ? "L" : "M"}${x(place)} ${y(rate(day))}`).join(""), class: "course" }));
  days.forEach((day, place) => {
    const out = rate(day) > limit(day);
    const told = draw("title", {}, text("chart_day", day.day, day.judged, day.wrong, percent(rate(day))));
    drawing.append(out
      ? draw("rect", { x: x(place) - 4, y: y(rate(day)) - 4, width: 8, height: 8, class: "out" }, told)
      : draw("circle", { cx: x(place), cy: y(rate(day)), r: 3, class: "in" }, told));
    if (place % Math.ceil(days.length / 8) === 0) drawing.append(draw("text", { x: x(place), y: HEIGHT - 6, "text-anchor": "middle" }, day.day.slice(5)));
  });
  const key = [["mean", "chart_mean"], ["limit", "chart_limit"], target ? ["target", "chart_target"] : null].filter(Boolean);
  return make("figure", { class: "card" }, make("figcaption", {}, title), drawing,
    make("ul", { class: "legend" }, key.map(([name, words]) => make("li", {}, make("span", { class: `swatch line ${name}` }), text(words)))));
}

// What the certificate promises, and whether it was revoked.
export function certificate(promise) {
  if (!promise) return make("p", { class: "quiet" }, text("no_certificate"));
  const { revoked } = promise;
  const line = text("promise", promise.certificate, percent(promise.target_risk), (promise.confidence * 100).toFixed(0));
  if (!revoked) return make("p", { class: "promise" }, line);
  return make("p", { class: "promise revoked", role: "alert" }, make("strong", {}, text("promise_revoked", moment(revoked.at))), " ",
    text("promise_broken", named("field", revoked.field), named("manner", revoked.manner), revoked.judged, revoked.wrong, percent(revoked.low)));
}
