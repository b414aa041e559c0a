/* describe.js - describing a class that the model never saw, attribute by attribute, and whether
 * the photo on screen becomes it. */
import { $, announce, el, ordinal, percent, plural, put } from "./dom.js";
import * as csv from "./csv.js";
import * as own from "./own.js";

const SEARCH_FROM = 80; /* attributes, from which on a field to look for them pays */
const MANY_GROUPS = 6; /* groups that are open from the start, at most */

let card = null;
let changed = () => {}; /* of app.js: the classes are others now */
let current = 0;
let last = null; /* {result, error} of the latest answer */

const attributes = () => card.attribute_groups.flatMap((g) => g.attributes);
const most = () => card.limits?.new_classes ?? 100;
const inGroup = (group) => group.name !== "";
const readable = (attribute) => (attribute.value ?? attribute.name).replaceAll("_", " ");

/* ---- one attribute ---- */

/* In a group what is not ticked counts as absent once anything is ticked, so "none" is the state of
 * rest; an attribute that stands alone has a fourth one, "?": not known. */
function choices(group) {
  return inGroup(group)
    ? own.LEVELS.map((text, i) => [text, i === 0 ? null : i])
    : [["?", null], ...own.LEVELS.map((text, i) => [text, i])];
}

function attributeRow(group, attribute) {
  const c = own.all()[current];
  const now = own.level(c, attribute, card.value_unit);
  const label = `label-${attribute.number}`;
  const isOther = typeof now === "string";
  const on = (value) =>
    isOther ? false : inGroup(group) ? (now || null) === value : now === value;
  return el(
    "div",
    { class: "ticks", role: "radiogroup", "aria-labelledby": label },
    el(
      "span",
      { id: label, class: "name" },
      readable(attribute),
      isOther && el("span", { class: "detail" }, ` (${now})`),
    ),
    el(
      "span",
      { class: "levels" },
      ...choices(group).map(([text, value]) =>
        el(
          "label",
          null,
          el("input", {
            type: "radio",
            name: `attribute-${attribute.number}`,
            value: text,
            "aria-label": text === "?" ? "not known" : text,
            checked: on(value),
            onchange: () => tick(group, attribute, value),
          }),
          el("span", null, text),
        ),
      ),
    ),
  );
}

function tick(group, attribute, value) {
  own.setLevel(own.all()[current], attribute, value, card.value_unit);
  const summary = $(`group-${card.attribute_groups.indexOf(group)}`);
  put(summary.querySelector(".chosen"), ...chosenText(group));
  commit();
}

/* What is ticked in a group, for its folded state. */
function chosenText(group) {
  const c = own.all()[current];
  const parts = group.attributes
    .map((a) => [readable(a), own.level(c, a, card.value_unit)])
    .filter(([, level]) => level !== null && level !== 0)
    .map(([name, level]) =>
      level === 2 ? name : level === 1 ? `some ${name}` : `${name} ${level}`,
    );
  return [parts.join(", ") || "not said"];
}

function groupBlock(group, i, open) {
  return el(
    "details",
    { class: "group", open },
    el(
      "summary",
      { id: `group-${i}` },
      el("span", { class: "name" }, group.name || "attributes"),
      el("span", { class: "chosen" }, ...chosenText(group)),
    ),
    ...group.attributes.map((a) => attributeRow(group, a)),
  );
}

/* Two columns, so that a group that opens moves its own column only. */
function groupColumns() {
  const c = own.all()[current];
  const all = card.attribute_groups.length <= MANY_GROUPS;
  const blocks = card.attribute_groups.map((group, i) => {
    const said = group.attributes.some((a) => (own.level(c, a, card.value_unit) ?? 0) !== 0);
    return groupBlock(group, i, all || said);
  });
  const half = Math.ceil(blocks.length / 2);
  return el(
    "div",
    { class: "groups" },
    el("div", null, ...blocks.slice(0, half)),
    blocks.length > 1 && el("div", null, ...blocks.slice(half)),
  );
}

function search() {
  if (attributes().length < SEARCH_FROM) return null;
  const input = el("input", {
    type: "search",
    id: "find-attribute",
    oninput: () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const [i, group] of card.attribute_groups.entries()) {
        const block = $(`group-${i}`).parentElement;
        const rows = [...block.querySelectorAll(".ticks")];
        group.attributes.forEach((a, k) => {
          const text = `${group.name} ${readable(a)}`.toLowerCase();
          rows[k].hidden = !words.every((word) => text.includes(word));
        });
        block.hidden = rows.every((r) => r.hidden);
        if (words.length > 0) block.open = true;
      }
    },
  });
  return el(
    "p",
    { class: "field" },
    el("label", { for: "find-attribute" }, "Find an attribute"),
    input,
  );
}

/* ---- what the photo says to it ---- */

const nearestOf = (name) => last?.result?.classes?.find((c) => c.name === name)?.nearest;

function statusParts() {
  const c = own.all()[current];
  if (!c) return [];
  if (Object.keys(c.attributes).length === 0)
    return [
      `Tick what you see. ${card.attribute_groups.some(inGroup) ? "A group" : "An attribute"} that you leave out counts as not known, so a few are enough.`,
    ];
  if (last?.error) return [el("span", { class: "trouble-text" }, last.error)];
  const predictions = last?.result?.predictions?.[0];
  const parts = [];
  if (predictions) {
    const place = predictions.findIndex((p) => p.label === c.name) + 1;
    if (place === 1)
      parts.push(el("strong", { class: "wins" }, `The photo is now taken for ${c.name}.`));
    else if (place > 1)
      parts.push(
        el(
          "span",
          null,
          `On this photo it comes ${ordinal(place)} of ${predictions.length}; the answer is ${predictions[0].label}.`,
        ),
      );
  } else if (!last?.photo)
    parts.push(el("span", null, "Show a photo to see whether it becomes this class."));
  const nearest = nearestOf(c.name);
  if (nearest)
    parts.push(
      el(
        "span",
        null,
        "Hardest to tell from ",
        el("strong", null, nearest.label),
        ` (descriptions ${percent(nearest.similarity)} alike).`,
      ),
    );
  if (card.classes.some((known) => known.name === c.name))
    parts.push(el("span", null, "The model has a class of this name; here yours takes its place."));
  return parts;
}

function showStatus() {
  const status = $("own-status");
  if (!status) return;
  const parts = statusParts();
  const text = parts.map((part) => part.textContent ?? part).join(" ");
  if (status.textContent === text) return;
  put(status, ...parts.flatMap((part) => [part, " "]));
}

/* answer: {result, error, photo} of the latest request; `photo`: there is one on screen. */
export function update(answer) {
  last = answer;
  showStatus();
}

/* ---- several classes ---- */

function commit() {
  if (!own.save())
    $("own-note").textContent =
      "This browser keeps nothing for this page: export your classes before you close it.";
  changed();
  showStatus();
}

function select(i) {
  current = i;
  render();
  showStatus();
}

function create() {
  const i = own.add(most());
  if (i === null) {
    note(`You have ${most()} classes, which are the most that the server takes.`);
    return;
  }
  select(i);
  commit();
  $("own-name").focus();
  $("own-name").select();
}

function remove() {
  const i = current;
  const gone = own.remove(i);
  current = Math.max(0, i - 1);
  render();
  commit();
  note(
    `“${gone.name}” is deleted. `,
    el(
      "button",
      {
        type: "button",
        class: "link",
        onclick: () => {
          own.restore(i, gone);
          select(i);
          commit();
        },
      },
      "Undo",
    ),
  );
  ($("own-name") ?? $("own-new")).focus();
}

function rename(input) {
  const name = input.value.trim();
  const trouble = own.nameTrouble(name, current);
  input.setAttribute("aria-invalid", String(Boolean(trouble)));
  $("name-trouble").textContent = trouble ?? "";
  if (trouble || own.all()[current].name === name) return;
  own.all()[current].name = name;
  $("own-list").querySelector('[aria-pressed="true"]').textContent = name;
  commit();
}

function note(...parts) {
  put($("own-note"), ...parts);
  announce($("own-note").textContent);
}

/* ---- files ---- */

function exportFile() {
  const classes = own.stated();
  if (classes.length === 0) {
    note("There is nothing to export yet: tick an attribute first.");
    return;
  }
  const url = URL.createObjectURL(new Blob([csv.write(classes)], { type: "text/csv" }));
  el("a", { href: url, download: "unseen-classes.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  note(
    `Exported ${plural(classes.length, "class", "classes")}; unseen predict --classes reads the file, too.`,
  );
}

async function importFile(file) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    const classes = csv.read(
      text,
      attributes().map((a) => a.name),
    );
    const replaced = own.merge(classes, most());
    select(own.all().findIndex((c) => c.name === classes[0].name));
    commit();
    note(
      `Imported ${plural(classes.length, "class", "classes")}${replaced > 0 ? `, ${replaced} in place of yours of the same name` : ""}.`,
    );
  } catch (error) {
    const why =
      error instanceof TypeError
        ? "it is not text in UTF-8; save the table as CSV in UTF-8"
        : error.message;
    note(el("span", { class: "trouble-text" }, `${file.name}: ${why}. Nothing was imported.`));
  }
}

function fileRow() {
  const input = el("input", {
    type: "file",
    id: "import-file",
    accept: ".csv,.tsv,text/csv,text/plain",
    hidden: true,
    "aria-label": "File with classes",
    onchange: () => {
      if (input.files.length > 0) importFile(input.files[0]);
      input.value = "";
    },
  });
  return el(
    "div",
    { class: "files" },
    el("button", { type: "button", id: "own-export", onclick: exportFile }, "Export CSV"),
    el("button", { type: "button", id: "own-import", onclick: () => input.click() }, "Import CSV"),
    input,
    el("p", { class: "hint" }, "Kept in this browser only."),
  );
}

/* ---- the panel ---- */

function editor() {
  const c = own.all()[current];
  const input = el("input", {
    type: "text",
    id: "own-name",
    value: c.name,
    autocomplete: "off",
    "aria-describedby": "name-trouble",
    oninput: () => rename(input),
  });
  return [
    el(
      "p",
      { class: "field" },
      el("label", { for: "own-name" }, "Name"),
      input,
      el("button", { type: "button", class: "quiet", onclick: remove }, "Delete"),
    ),
    el("p", { id: "name-trouble", class: "trouble-text", role: "alert" }),
    el("p", { id: "own-status", class: "status", role: "status" }),
    search(),
    groupColumns(),
  ];
}

function render() {
  const list = own.all();
  current = Math.min(current, Math.max(0, list.length - 1));
  put(
    $("describe"),
    el(
      "div",
      { class: "own-classes" },
      el(
        "div",
        { id: "own-list", class: "chips", role: "group", "aria-label": "Your classes" },
        ...list.map((c, i) =>
          el(
            "button",
            {
              type: "button",
              "data-key": `own ${i}`,
              "aria-pressed": String(i === current),
              onclick: () => select(i),
            },
            c.name,
          ),
        ),
      ),
      el(
        "button",
        {
          type: "button",
          id: "own-new",
          class: list.length === 0 ? "primary" : "",
          onclick: create,
        },
        list.length === 0 ? "Describe a class" : "New class",
      ),
    ),
    ...(list.length > 0
      ? editor()
      : [
          el(
            "p",
            { class: "empty" },
            "Think of a class that the model does not know, say what it looks like in a few attributes, and see whether your photo becomes it. No training, no pictures.",
          ),
        ]
    ).filter(Boolean),
    fileRow(),
    el("p", { id: "own-note", class: "note", role: "status" }),
  );
}

/* The panel for a model; `onChange` is called whenever the user's classes are others. */
export function open(newCard, onChange) {
  card = newCard;
  changed = onChange;
  last = null;
  current = 0;
  if (!card.can_describe) {
    put(
      $("describe"),
      el("p", { class: "empty" }, card.why_not ?? "This model takes no new classes."),
    );
    return;
  }
  own.open(
    card.data_set || card.name,
    attributes().map((a) => a.name),
  );
  render();
  showStatus();
}
