/* own.js - the classes that the user describes, kept in the browser for each data set. The server
 * keeps none of them: each request carries them. */

const LONGEST_NAME = 200; /* bytes of UTF-8, as the server takes them */

let key = null;
let list = []; /* [{name, attributes: {attribute: value}}] */

function isClass(c) {
  return (
    typeof c?.name === "string" &&
    typeof c.attributes === "object" &&
    c.attributes !== null &&
    Object.values(c.attributes).every(Number.isFinite)
  );
}

/* Those of a data set; `attributes` are the names that its model knows. */
export function open(dataSet, attributes) {
  const known = new Set(attributes);
  key = `unseen.classes:${dataSet}`;
  list = [];
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "[]");
    if (Array.isArray(kept))
      list = kept
        .filter(isClass)
        .map(({ name, attributes: a }) => ({ name, attributes: { ...a } }));
  } catch {
    /* nothing that can be read: begin anew */
  }
  for (const c of list)
    for (const name of Object.keys(c.attributes)) if (!known.has(name)) delete c.attributes[name];
}

/* Whether the browser keeps them. */
export function save() {
  try {
    localStorage.setItem(key, JSON.stringify(list));
    return true;
  } catch {
    return false;
  }
}

export const all = () => list;

/* Those that say something, as requests carry them. */
export const stated = () => list.filter((c) => Object.keys(c.attributes).length > 0);

/* A sentence on what is wrong with a name for class i, null if nothing is. */
export function nameTrouble(name, i) {
  if (!name) return "The class needs a name.";
  if (new TextEncoder().encode(name).length > LONGEST_NAME)
    return `A name may have ${LONGEST_NAME} letters at most.`;
  if (list.some((c, k) => k !== i && c.name === name))
    return "You have a class of that name already.";
  return null;
}

export function add(most) {
  if (list.length >= most) return null;
  let n = list.length + 1;
  while (list.some((c) => c.name === `My class ${n}`)) n++;
  list.push({ name: `My class ${n}`, attributes: {} });
  return list.length - 1;
}

export const remove = (i) => list.splice(i, 1)[0];
export const restore = (i, c) => list.splice(i, 0, c);

/* Classes of a file join; one of a known name takes that one's place. An Error if they are too many. */
export function merge(classes, most) {
  const joined = [...list];
  let replaced = 0;
  for (const c of classes) {
    if (new TextEncoder().encode(c.name).length > LONGEST_NAME)
      throw new Error(`the name “${c.name.slice(0, 40)}…” is longer than ${LONGEST_NAME} letters`);
    const at = joined.findIndex((old) => old.name === c.name);
    if (at < 0) joined.push(c);
    else joined[at] = c;
    replaced += at >= 0;
  }
  if (joined.length > most)
    throw new Error(`together they would be ${joined.length} classes; ${most} are the most`);
  list = joined;
  return replaced;
}

/* ---- values as levels: what the ticks mean in the model's unit ---- */

export const LEVELS = ["none", "some", "full"];

/* The value of full (and of nothing) for one attribute of class c. */
function range(c, attribute, unit) {
  if (unit.kind === "other") return [attribute.least ?? 0, attribute.largest ?? 1];
  /* A description is in percent if one of its values exceeds 1; ticks join what an import began. */
  const values = Object.values(c.attributes).filter((x) => x > 0);
  if (values.some((x) => x > 1)) return [0, 100];
  return [0, values.length > 0 ? 1 : (unit.maximum ?? 1)];
}

/* 0, 1 or 2; null: not stated; a text: another value, as imported. */
export function level(c, attribute, unit) {
  const value = c.attributes[attribute.name];
  if (value === undefined) return null;
  const [low, high] = range(c, attribute, unit);
  const share = high > low ? (value - low) / (high - low) : 0;
  const at = [0, 0.5, 1].findIndex((x) => Math.abs(share - x) < 0.005);
  return at >= 0 ? at : `${value}`;
}

/* `to`: 0, 1, 2, or null for not stated. */
export function setLevel(c, attribute, to, unit) {
  const [low, high] = range(c, attribute, unit);
  if (to === null) delete c.attributes[attribute.name];
  else c.attributes[attribute.name] = low + ((high - low) * to) / 2;
}
