/* why.js - why this class and not that one: what each attribute does for the answer, and where the
 * model looked for it. */
import { $, bar, decimalsFor, el, fixed, kindOf, number, put } from "./dom.js";
import * as photo from "./photo.js";

let pinned = null; /* number of the attribute whose map stays */
let branch = 0;

/* Attributes as people read them: the group and the value apart. */
function naming(card) {
  const byNumber = new Map();
  for (const group of card.attribute_groups)
    for (const a of group.attributes)
      byNumber.set(a.number, { group: group.name, value: a.value ?? a.name });
  return (a) =>
    byNumber.get(a.number) ?? { group: "", value: a.name ?? `attribute ${a.number + 1}` };
}

/* `not`: what speaks is that the photo lacks it. */
const inWords = (name, not = "") =>
  (name.group ? `${name.group}: ` : "") + not + name.value.replaceAll("_", " ");

/* Whether the class that the attribute speaks for is described with less of it than the other: the
 * photo speaks for it by not having the attribute. */
const lacks = (a) => a.contribution * (a.answer_value - a.other_value) < 0;

/* Shares of the largest value in the descriptions that are shown, as words. */
function amount(value, top) {
  const share = top > 0 ? value / top : 0;
  return share > 0.75 ? "full" : share > 0.3 ? "some" : share > 0.03 ? "little" : "none";
}

/* ---- who won, and by what ---- */

/* In plain words, where the attributes alone would have chosen the other class. */
function verdictText(e, card) {
  const sum = e.attributes_for + e.attributes_against;
  const other = e.instead_of.label;
  const gamma = card.calibration?.gamma ?? 0;
  const favour =
    sum < 0
      ? `Attributes alone would have made it ${other} (by ${number(-sum)}).`
      : "Attributes alone would have left it open.";
  const how = {
    calibration: `${favour} ${e.answer.label} is ahead because this model ${gamma < 0 ? "adds" : "takes"} ${number(Math.abs(gamma))} ${gamma < 0 ? "to" : "off"} the score of every class that it was trained on${gamma < 0 ? "" : ", to give classes without any training picture a fair chance"}.`,
    bias: `${favour} ${e.answer.label} is ahead because the method adds a fixed bonus to every class that it was not trained on.`,
    interaction: `One by one, attributes speak for ${other}; what they do together tips it to ${e.answer.label}.`,
    candidates: `${other} scores higher, but is not among the classes that you asked for.`,
    nothing: `The two score alike; ${e.answer.label} only comes first in the list.`,
  };
  return how[e.decided_by] ?? null;
}

function verdict(e, card, on) {
  const text = verdictText(e, card);
  if (!text) return null;
  return el(
    "div",
    { class: "verdict" },
    el("p", null, el("strong", null, "Not won by its attributes. "), text),
    e.decided_by === "calibration" &&
      el(
        "button",
        { type: "button", onclick: () => on.native(true) },
        "Show the answer without it",
      ),
  );
}

/* Contributions and the rest as a sum that can be checked. */
function balance(e) {
  const gap = e.attributes_for + e.attributes_against + e.constant;
  const rest =
    e.contribution_kind === "exchange"
      ? "from attributes together"
      : "from calibration and bonuses";
  const digits = decimalsFor(Math.max(e.attributes_for, -e.attributes_against, Math.abs(gap)));
  const part = (label, x, kind) =>
    el("div", { class: kind }, el("dt", null, label), el("dd", null, fixed(x, digits, true)));
  return el(
    "dl",
    { class: "balance" },
    part("attributes for it", e.attributes_for, "for"),
    part("attributes against", e.attributes_against, "against"),
    Math.abs(e.constant) > 1e-4 * Math.max(Math.abs(gap), 1e-9) && part(rest, e.constant, "rest"),
    part(e.contribution_kind === "log" ? "ahead by (logarithm)" : "ahead by", gap, "total"),
  );
}

/* ---- attributes ---- */

function attributeItem(a, largest, top, name, side) {
  const values = el(
    "span",
    { class: "values" },
    `answer ${amount(a.answer_value, top)} ${a.answer_value.toFixed(2)}, other ${amount(a.other_value, top)} ${a.other_value.toFixed(2)}`,
  );
  const content = [
    el("span", { class: "name" }, inWords(name, lacks(a) ? "not " : "")),
    el("span", { class: "figure" }, fixed(a.contribution, decimalsFor(largest), true)),
    bar(Math.abs(a.contribution) / largest, side),
    values,
  ];
  if (!a.maps) return el("li", { class: "attribute" }, ...content);
  return el(
    "li",
    null,
    el(
      "button",
      {
        type: "button",
        class: "attribute",
        "data-number": a.number,
        "data-key": `attribute ${a.number}`,
        "aria-pressed": "false",
      },
      ...content,
    ),
  );
}

/* The pointer or the focus shows a map, a click keeps it. */
function listenToMaps(panel, byNumber, name) {
  const mapOf = (number) => {
    const a = byNumber.get(number);
    photo.showMap(a.maps[Math.min(branch, a.maps.length - 1)], inWords(name(a)));
  };
  const numberAt = (event) => event.target.closest?.("button.attribute")?.dataset.number;
  const show = (event) => numberAt(event) !== undefined && mapOf(Number(numberAt(event)));
  const back = () => (pinned === null ? photo.clearMap() : mapOf(pinned));
  const list = panel.querySelector(".sides");
  list.addEventListener("pointerover", show);
  list.addEventListener("pointerleave", back);
  list.addEventListener("focusin", show);
  list.addEventListener("focusout", back);
  const pin = (number) => {
    pinned = number;
    for (const button of list.querySelectorAll("button.attribute"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.number) === pinned));
  };
  list.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pin(null);
    photo.clearMap();
  });
  list.addEventListener("click", (event) => {
    if (numberAt(event) === undefined) return;
    pin(pinned === Number(numberAt(event)) ? null : Number(numberAt(event)));
    show(event);
    if (pinned === null) photo.clearMap();
  });
  return back;
}

function branchPicker(e, redraw) {
  if (e.branch_titles.length < 2) return null;
  branch = Math.min(branch, e.branch_titles.length - 1);
  const select = el(
    "select",
    {
      onchange: () => {
        branch = select.selectedIndex;
        redraw();
      },
    },
    ...e.branch_titles.map((title, i) => el("option", { selected: i === branch }, title)),
  );
  return el("label", { class: "inline" }, "Map ", select);
}

function side(title, list, context, kind) {
  return el(
    "div",
    null,
    el("h3", null, title),
    list.length > 0
      ? el(
          "ul",
          { class: "attributes" },
          ...list.map((a) => attributeItem(a, context.largest, context.top, context.name(a), kind)),
        )
      : el("p", { class: "empty" }, "No attribute does."),
  );
}

/* ---- the panel ---- */

function hint(e, hasMaps) {
  const what =
    e.contribution_kind === "exchange"
      ? "A number says what the answer would lose if the attribute were described as in the other class."
      : "A number says what the attribute adds to the lead.";
  return `${what} “Not” means that the photo lacks it. Below stands how the two classes are described.${
    hasMaps ? "" : " This model has no attention maps, so it cannot show where it looked."
  }`;
}

/* Every class as an answer's rival. */
function rivalPicker(classes, e, chosen, on) {
  const group = (title, kind) => {
    const options = classes.filter((c) => kindOf(c) === kind && c.name !== e.answer.label);
    return (
      options.length > 0 &&
      el(
        "optgroup",
        { label: title },
        ...options.map((c) => el("option", { value: c.name, selected: c.name === chosen }, c.name)),
      )
    );
  };
  const select = el(
    "select",
    { id: "instead-of", onchange: () => on.compare(select.value || null) },
    el(
      "option",
      { value: "", selected: !chosen },
      chosen ? "the next best class" : e.instead_of.label,
    ),
    group("Yours", "own"),
    group("Known by description", "unseen"),
    group("Seen in training", "seen"),
  );
  return select;
}

/* e: the explanation; classes: all that can be compared; chosen: what the user compares with, or null. */
export function show(e, { card, classes, chosen, on }) {
  const panel = $("why");
  const byNumber = new Map(e.attributes.map((a) => [a.number, a]));
  const name = naming(card);
  const of = (numbers) => numbers.map((n) => byNumber.get(n)).filter(Boolean);
  const inFavour = of(e.shown.for);
  const against = of(e.shown.against);
  const shown = [...inFavour, ...against];
  const context = {
    name,
    largest: Math.max(...shown.map((a) => Math.abs(a.contribution)), 1e-12),
    top: Math.max(...shown.flatMap((a) => [a.answer_value, a.other_value])),
  };
  const hasMaps = shown.some((a) => a.maps);
  if (pinned !== null && !byNumber.get(pinned)?.maps) pinned = null;
  panel.setAttribute("aria-busy", "false");
  let redraw = () => {};
  put(
    panel,
    el(
      "p",
      { class: "question" },
      el("label", { for: "instead-of" }, "Why ", el("strong", null, e.answer.label), " and not"),
      " ",
      rivalPicker(classes, e, chosen, on),
    ),
    verdict(e, card, on) ?? "",
    balance(e),
    el("p", { class: "hint" }, hint(e, hasMaps)),
    hasMaps ? (branchPicker(e, () => redraw()) ?? "") : "",
    el(
      "div",
      { class: "sides" },
      side(`For ${e.answer.label}`, inFavour, context, "for"),
      side(`For ${e.instead_of.label}`, against, context, "against"),
    ),
  );
  redraw = listenToMaps(panel, byNumber, name);
  for (const button of panel.querySelectorAll("button.attribute"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.number) === pinned));
  if (pinned !== null) redraw();
}

export function showText(sentence, role) {
  const panel = $("why");
  panel.setAttribute("aria-busy", "false");
  put(panel, el("p", { class: "empty", role: role ?? null }, sentence));
}

export function busy() {
  $("why").setAttribute("aria-busy", "true");
}

export function forget() {
  pinned = null;
}
