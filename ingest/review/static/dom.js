// Elements out of plain values. Text is always text: nothing here, or anywhere, writes markup.

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// make("p", { class: "quiet", onclick: f }, "text", child, …)
export function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

// The same for a drawing.
export function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

export function show(place, ...children) {
  place.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

// A line that people are told, above the page; none takes it away.
export function tell(message, kind = "note") {
  const banner = document.getElementById("banner");
  banner.hidden = !message;
  banner.className = kind;
  banner.textContent = message ?? "";
}
