// Small plots: bars, stacked, with their numbers for those who do not see them.

import { draw, make } from "./dom.js";

const WIDTH = 520;
const HEIGHT = 150;
const LEFT = 40;
const BOTTOM = 22;

// `columns` are [{ label, title, parts: [number, …] }]; `names` are those of the parts.
export function bars(title, columns, names) {
  const most = Math.max(1, ...columns.map((column) => column.parts.reduce((sum, part) => sum + part, 0)));
  const step = (WIDTH - LEFT) / Math.max(1, columns.length);
  const scale = (HEIGHT - BOTTOM - 10) / most;
  const drawing = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "plot" });
  for (const share of [0, 0.5, 1]) {
    const y = HEIGHT - BOTTOM - share * most * scale;
    drawing.append(draw("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "grid" }),
      draw("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, String(Math.round(share * most * 10) / 10)));
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
