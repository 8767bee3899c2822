// What is cut off, or reached only by scrolling sideways, in the window as wide as it is now. Tables may scroll by
// themselves (WCAG 2.2, 1.4.10).
const width = document.documentElement.clientWidth;
const scrolls = (element) => element !== document.body
  && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
const open = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
const elements = [...open.querySelectorAll("*")].filter((element) => element.checkVisibility());
const found = elements
  .filter((element) => element.getBoundingClientRect().right > width + 1 && !scrolls(element.parentElement))
  .map((element) => `${element.tagName} .${element.getAttribute("class")}: ${element.textContent.slice(0, 40)}`);
return { width, measured: elements.length, found: found.slice(0, 5) };
