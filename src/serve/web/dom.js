/* dom.js - making elements, and writing numbers and names as people read them. Text always becomes
 * a text node, so nothing that a user or a model calls itself is ever read as markup. */

export const $ = (id) => document.getElementById(id);

/* fill(node, attributes, children): properties that begin with "on" are listeners, false and null
 * leave an attribute out, strings among the children become text. */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value);
  }
  node.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/* The only children of a node from now on. What had the focus among the old ones gives it to the
 * new one of the same data-key or id. */
export function put(node, ...children) {
  const held = node.contains(document.activeElement) ? document.activeElement : null;
  node.replaceChildren();
  fill(node, null, children);
  if (!held || held === node) return;
  const key = (e) => e.dataset.key || e.id;
  const next =
    key(held) && [...node.querySelectorAll("[data-key], [id]")].find((e) => key(e) === key(held));
  (next || node.closest("[tabindex]"))?.focus({ preventScroll: true });
}

export const el = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/* A bar from 0 to 1; the number stands beside it, so readers of the screen skip the bar. */
export function bar(share, kind) {
  const inner = el("i");
  inner.style.width = `${(100 * Math.max(0, Math.min(1, share))).toFixed(1)}%`;
  return el("span", { class: `bar ${kind ?? ""}`, "aria-hidden": "true" }, inner);
}

/* Decimals that leave three digits of the largest of some numbers. */
export const decimalsFor = (largest) =>
  largest > 0 ? Math.max(0, Math.min(9, 2 - Math.floor(Math.log10(largest)))) : 0;

/* With a true minus sign, and a plus sign if `signed`. */
export function fixed(x, decimals, signed) {
  const text = Math.abs(x).toFixed(decimals);
  return (Number(text) === 0 ? "" : x < 0 ? "−" : signed ? "+" : "") + text;
}

/* Three digits that count. */
export function number(x, signed) {
  if (x === null || !Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  const text =
    size === 0 ? "0" : size >= 1000 ? size.toFixed(0) : Number(size.toPrecision(3)).toString();
  return (x < 0 && text !== "0" ? "−" : signed ? "+" : "") + text;
}

export const percent = (x, digits = 0) =>
  x === null || x === undefined || !Number.isFinite(x) ? "–" : `${(100 * x).toFixed(digits)} %`;

export const ordinal = (n) => {
  const ten = n % 100;
  const end = ten >= 11 && ten <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${end}`;
};

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/* What kind of class it is, in a word for styles and in words for people. */
export const kindOf = (x) => (x.new ? "own" : x.seen ? "seen" : "unseen");
export const KIND_TEXT = {
  seen: "seen in training",
  unseen: "known by its description",
  own: "yours",
};
export const tag = (x) => el("span", { class: `tag ${kindOf(x)}` }, KIND_TEXT[kindOf(x)]);

/* Said once to readers of the screen. */
export function announce(text) {
  if ($("live").textContent !== text) $("live").textContent = text;
}
