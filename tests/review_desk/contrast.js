// Texts on the page whose contrast is below WCAG 2.2, 1.4.3 (AA): 4.5:1, or 3:1 where they are large.
const colour = (text) => {
  const [r, g, b, a = 1] = (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  return { r, g, b, a };
};
const over = (top, under) => {
  const mixed = (key) => top[key] * top.a + under[key] * (1 - top.a);
  return { r: mixed("r"), g: mixed("g"), b: mixed("b"), a: 1 };
};
const luminance = ({ r, g, b }) => {
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};
const above = (element) => {
  const all = [];
  for (let at = element; at; at = at.parentElement) all.push(at);
  return all;
};
const found = [];
for (const element of document.querySelectorAll("body, body *")) {
  const own = element.matches("input, textarea, select")
    ? element.value
    : [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("");
  if (!own.trim() || element.disabled || !element.getClientRects().length || element.closest("script, style, noscript, title, dialog:not([open])")) continue;
  const style = getComputedStyle(element);
  const paper = above(element).reverse().reduce((under, at) => over(colour(getComputedStyle(at).backgroundColor), under), { r: 255, g: 255, b: 255, a: 1 });
  const ink = colour(element instanceof SVGElement ? style.fill : style.color);
  ink.a *= above(element).reduce((opacity, at) => opacity * Number(getComputedStyle(at).opacity), 1);
  const [light, dark] = [luminance(paper), luminance(over(ink, paper))].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push(`${own.trim().slice(0, 30)} (${element.localName}.${element.getAttribute("class") ?? ""}): ${ratio.toFixed(2)}`);
}
return { found, measured: document.querySelectorAll("body *").length };
