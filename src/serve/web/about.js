/* about.js - the model's card: how good it is, how that was measured, what it is not for. */
import { $, bar, el, KIND_TEXT, percent, plural, put, svg } from "./dom.js";

const MEASURES = [
  [
    "T1",
    "Never-seen classes, told from each other",
    "If the photo is known to show a class without training pictures",
  ],
  ["U", "Never-seen classes, among all", "Any class may be the answer"],
  ["S", "Seen classes, among all", "Other photos of the classes that it was trained on"],
  ["H", "Both in one number", "Harmonic mean of the two above: high only if both are"],
  ["AUSUC", "Over all calibrations", "Area under the curve below, 100 % at best"],
];

function accuracies(card) {
  const values = card.accuracies ?? {};
  const rows = MEASURES.filter(([key]) => Number.isFinite(values[key]));
  if (rows.length === 0)
    return el("p", { class: "empty" }, "The model file says nothing about its accuracies.");
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Accuracies" },
    el(
      "table",
      { class: "measures" },
      el("caption", null, "Share of test pictures named right, averaged over classes"),
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          el("th", { scope: "col" }, "On what"),
          el("th", { scope: "col" }, "Right"),
          el("th", { scope: "col" }, "By chance"),
        ),
      ),
      el(
        "tbody",
        null,
        ...rows.map(([key, title, text]) =>
          el(
            "tr",
            null,
            el(
              "th",
              { scope: "row" },
              title,
              " ",
              el("abbr", null, key),
              el("span", { class: "detail" }, text),
            ),
            el("td", null, percent(values[key], 1), bar(values[key], "seen")),
            el("td", null, percent(values[`chance_${key}`], 1)),
          ),
        ),
      ),
    ),
  );
}

const SIDE = 240;
const EDGE = { left: 56, bottom: 52, top: 12, right: 24 };

/* U against S as gamma goes from none to all, with the point that the model uses. */
function curve(card) {
  const { U, S } = card.curve ?? {};
  if (!U || !S || U.length < 2) return null;
  const x = (u) => EDGE.left + SIDE * u;
  const y = (s) => EDGE.top + SIDE * (1 - s);
  const path = U.map((u, i) => `${i ? "L" : "M"}${x(u).toFixed(1)} ${y(S[i]).toFixed(1)}`).join("");
  const ticks = [0, 0.5, 1].flatMap((t) => [
    svg("text", { x: x(t), y: y(0) + 20, "text-anchor": "middle" }, percent(t)),
    svg("text", { x: x(0) - 8, y: y(t) + 5, "text-anchor": "end" }, `${100 * t}`),
    svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(t), y2: y(t) }),
    svg("line", { class: "grid", x1: x(t), x2: x(t), y1: y(0), y2: y(1) }),
  ]);
  const a = card.accuracies ?? {};
  const used = Number.isFinite(a.U) && Number.isFinite(a.S);
  return el(
    "figure",
    { class: "curve" },
    svg(
      "svg",
      {
        viewBox: `0 0 ${EDGE.left + SIDE + EDGE.right} ${EDGE.top + SIDE + EDGE.bottom}`,
        role: "img",
        "aria-label": `Curve of seen against never-seen accuracy${used ? `; the model stands at ${percent(a.S)} seen and ${percent(a.U)} never seen` : ""}`,
      },
      ...ticks,
      svg("path", { d: path }),
      used && svg("circle", { cx: x(a.U), cy: y(a.S), r: 6 }),
      svg("text", { x: x(0.5), y: y(0) + 44, "text-anchor": "middle" }, "never-seen classes right"),
      svg(
        "text",
        { transform: `translate(14 ${y(0.5)}) rotate(-90)`, "text-anchor": "middle" },
        "seen right",
      ),
    ),
    el(
      "figcaption",
      null,
      "The more is taken off the scores of seen classes, the further to the right. ",
      used ? "The dot is where this model stands." : "",
    ),
  );
}

function classList(card) {
  const group = (title, classes) =>
    classes.length > 0 && [
      el("h4", null, `${title} (${classes.length})`),
      el("ul", { class: "names" }, ...classes.map((c) => el("li", null, c.name))),
    ];
  return el(
    "details",
    null,
    el("summary", null, `All ${plural(card.class_count, "class", "classes")}`),
    group(
      KIND_TEXT.unseen,
      card.classes.filter((c) => !c.seen),
    ),
    group(
      KIND_TEXT.seen,
      card.classes.filter((c) => c.seen),
    ),
  );
}

export function show(card) {
  const unseen = card.class_count - card.seen_count;
  put(
    $("about"),
    el("h3", null, card.title || card.method.toUpperCase()),
    el(
      "p",
      null,
      `Trained on ${card.data_set || "an unnamed data set"}: pictures of ${plural(card.seen_count, "class", "classes")}, and for ${plural(unseen, "more class", "more classes")} only a description by ${plural(card.attribute_count, "attribute")}. `,
    ),
    el("h3", null, "How good it is"),
    accuracies(card),
    card.selection_text ? el("p", null, card.selection_text) : "",
    curve(card) ?? "",
    card.intended ? el("h3", null, "What it is not for") : "",
    card.intended ? el("p", null, card.intended) : "",
    classList(card),
  );
}
