/* answer.js - the answer in one glance: the best class and those behind it. */
import {
  $,
  announce,
  bar,
  decimalsFor,
  el,
  fixed,
  kindOf,
  KIND_TEXT,
  percent,
  plural,
  put,
  tag,
} from "./dom.js";

const SHOWN = 5;
const CLOSE = 0.08; /* of the way from the median class to the best one */

let numbersOpen = false; /* what they mean stays open from answer to answer */

const middle = (scores) => {
  const sorted = [...scores].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/* How long bars are: 1 for the best class, 0 for the median one; a probability is itself. */
function lengths(predictions) {
  if (predictions[0].probability !== undefined) return (p) => p.probability;
  const best = predictions[0].score;
  const base =
    predictions.length > 2 ? middle(predictions.map((p) => p.score)) : predictions.at(-1).score;
  return (p) => (best > base ? (p.score - base) / (best - base) : p.score === best ? 1 : 0);
}

/* Scores as alike in their decimals as in a table. */
function figures(predictions) {
  const shown = predictions.slice(0, SHOWN);
  const decimals = decimalsFor(Math.max(...shown.map((p) => Math.abs(p.score))));
  return (p) => (p.probability === undefined ? fixed(p.score, decimals) : percent(p.probability));
}

function explainNumbers(card, predictions, native) {
  const isShare = predictions[0].probability !== undefined;
  return el(
    "details",
    {
      class: "explained",
      open: numbersOpen,
      ontoggle: (event) => (numbersOpen = event.target.open),
    },
    el("summary", { "data-key": "numbers" }, "What the numbers mean"),
    el(
      "p",
      null,
      isShare
        ? "How probable the model holds each class, if the photo shows one of them. "
        : `A full bar is the best match. An empty one is no better than the median of the ${plural(predictions.length, "class", "classes")}. The number is the model's ${card.score_unit}; only its order and differences mean something. `,
      native
        ? "Scores stand as the method computes them, without calibration."
        : card.calibration?.text
          ? `Calibrated: ${card.calibration.text}, so that classes without any training picture have a fair chance.`
          : "",
    ),
    el(
      "p",
      null,
      `The model always names one of its classes, also for a photo that shows none of them. “${KIND_TEXT.unseen}” means that it never saw a picture of the class, only its attributes.`,
    ),
  );
}

function row(p, share, figure, options) {
  const main = el("span", { class: "name" }, p.label);
  return el(
    "li",
    { class: kindOf(p) },
    main,
    tag(p),
    el("span", { class: "figure" }, figure),
    bar(share, kindOf(p)),
    options.compare &&
      el(
        "button",
        {
          type: "button",
          class: "quiet why-not",
          "data-key": `why-not ${p.label}`,
          "aria-label": `Why not ${p.label}?`,
          onclick: () => options.compare(p.label),
        },
        "Why not?",
      ),
  );
}

/* What a sample is called in its data set, beside the answer. */
function truthLine(truth, answer) {
  if (!truth) return el("p", { class: "truth" });
  return el(
    "p",
    { class: "truth" },
    truth === answer
      ? el("span", { class: "right" }, "✓ So it is labelled in the data set.")
      : ["In the data set it is labelled ", el("strong", null, truth), "."],
  );
}

/* result: of the server; `on` has compare(label) and native(on). */
export function show(result, { card, truth, native, on }) {
  const predictions = result.predictions[0];
  const [best, second] = predictions;
  const length = lengths(predictions);
  const figure = figures(predictions);
  const close = second && length(best) - length(second) < CLOSE;
  $("answer").setAttribute("aria-busy", "false");
  put(
    $("answer-body"),
    el("p", { class: "best" }, el("span", { class: "name", id: "best" }, best.label), tag(best)),
    el(
      "p",
      { class: "margin" },
      close
        ? `A close call: ${second.label} scores nearly as high.`
        : second
          ? `Next best: ${second.label}.`
          : "",
    ),
    truthLine(truth, best.label),
    el(
      "ol",
      { class: "ranking", "aria-label": "Best classes" },
      ...predictions
        .slice(0, SHOWN)
        .map((p, i) => row(p, length(p), figure(p), { compare: i > 0 && on.compare })),
    ),
    native
      ? el(
          "p",
          { class: "note" },
          "Without calibration. ",
          el(
            "button",
            { type: "button", class: "link", onclick: () => on.native(false) },
            "Put it back",
          ),
        )
      : null,
    explainNumbers(card, predictions, native),
  );
  announce(
    `Answer: ${best.label}, ${KIND_TEXT[kindOf(best)]}. ${second ? `Next best: ${second.label}.` : ""}`,
  );
}

/* Before the first photo: the same shape, empty. */
export function showEmpty(text) {
  put(
    $("answer-body"),
    el("p", { class: "empty" }, text),
    el(
      "ol",
      { class: "ranking ghost", "aria-hidden": "true" },
      ...[0.9, 0.7, 0.55, 0.4, 0.3].map((w) => el("li", null, bar(w))),
    ),
  );
}

export function showTrouble(sentence, again) {
  $("answer").setAttribute("aria-busy", "false");
  put(
    $("answer-body"),
    el(
      "div",
      { class: "trouble", role: "alert" },
      el("p", null, sentence),
      again && el("button", { type: "button", onclick: again }, "Try again"),
    ),
  );
}

export function busy() {
  $("answer").setAttribute("aria-busy", "true");
}
