/* csv.js - classes as the file that `unseen predict --classes` reads: lines
 *     NAME,ATTRIBUTE=VALUE,ATTRIBUTE=VALUE
 * and, for reading, also tables with a header of attributes. */

const MUST_QUOTE = /[",;\t\r\n]|^\s|\s$/;
const quote = (text) => (MUST_QUOTE.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/* classes: [{name, attributes: {attribute: value}}]; those that say nothing are left out. */
export function write(classes) {
  const lines = classes
    .filter((c) => Object.keys(c.attributes).length > 0)
    .map((c) =>
      [c.name, ...Object.entries(c.attributes).map(([name, value]) => `${name}=${value}`)]
        .map(quote)
        .join(","),
    );
  return lines.map((line) => `${line}\r\n`).join("");
}

/* Records of fields, each record with the number of its first line. A quote opens at a field's
 * beginning only. */
function records(text, delimiter) {
  const out = [];
  let fields = [];
  let line = 1;
  let first = 1;
  let at = 0;
  const end = () => {
    if (fields.some((field) => field !== "")) out.push({ line: first, fields });
    fields = [];
  };
  while (at < text.length) {
    if (fields.length === 0) first = line;
    while (text[at] === " ") at++;
    let field = "";
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (at >= text.length) throw new Error(`line ${first}: a quote is opened and never closed`);
        if (text[at] === '"' && text[at + 1] === '"') at++;
        else if (text[at] === '"') break;
        if (text[at] === "\n") line++;
        field += text[at];
      }
      at++;
      while (text[at] === " ") at++;
      if (at < text.length && ![delimiter, "\r", "\n"].includes(text[at]))
        throw new Error(`line ${line}: there is text behind a closing quote`);
    } else {
      const from = at;
      while (at < text.length && text[at] !== delimiter && text[at] !== "\r" && text[at] !== "\n")
        at++;
      field = text.slice(from, at);
    }
    fields.push(field.replace(/[\r\n]+/g, " ").trim());
    if (text[at] === delimiter) {
      at++;
      if (at === text.length) fields.push("");
      continue;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    at++;
    line++;
    end();
  }
  end();
  return out;
}

const plain = (name) => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");

/* Finds attributes as written, or spelled nearly so if that is one only. */
function finder(attributes) {
  const exact = new Set(attributes);
  const alike = new Map();
  for (const name of attributes) alike.set(plain(name), alike.has(plain(name)) ? null : name);
  return (name) => (exact.has(name) ? name : (alike.get(plain(name)) ?? null));
}

const YES = ["true", "yes", "y", "ja", "oui", "wahr", "vrai"];
const NO = ["false", "no", "n", "nein", "non", "falsch", "faux"];

/* A number, null where nothing is known; undefined if it is neither. */
function value(text, delimiter) {
  const word = text.toLowerCase();
  if (word === "?") return null;
  if (YES.includes(word)) return 1;
  if (NO.includes(word)) return 0;
  const mark = delimiter === "," ? text : text.replace(/^([-+]?\d*),(\d+%?)$/, "$1.$2");
  const match = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%?)$/i.exec(mark);
  if (!match) return undefined;
  return Number(match[1]) / (match[2] ? 100 : 1);
}

/* [attribute, value] at the '=' behind a known attribute; names may hold '=', too. */
function cut(field, find) {
  for (let at = field.lastIndexOf("="); at > 0; at = field.lastIndexOf("=", at - 1)) {
    const name = find(field.slice(0, at).trim());
    if (name) return [name, field.slice(at + 1).trim()];
  }
  return null;
}

function readRecord(record, pairs, delimiter) {
  const [name] = record.fields;
  const attributes = {};
  if (!name) throw new Error(`line ${record.line} has no class name in its first column`);
  for (const [attribute, text] of pairs) {
    const x = value(text, delimiter);
    if (x === undefined)
      throw new Error(
        `line ${record.line}: “${text}” is no number (class “${name}”, ${attribute})`,
      );
    if (attribute in attributes) throw new Error(`line ${record.line} states ${attribute} twice`);
    if (x !== null) attributes[attribute] = x;
  }
  if (Object.keys(attributes).length === 0)
    throw new Error(`line ${record.line} says nothing about “${name}”`);
  return { name, attributes };
}

function readList(rows, find, delimiter) {
  return rows.map((record) => {
    const pairs = record.fields
      .slice(1)
      .filter((field) => field)
      .map((field) => {
        const pair = cut(field, find);
        if (!pair)
          throw new Error(
            `line ${record.line}: this model knows no attribute “${field.replace(/=[^=]*$/, "")}”`,
          );
        return pair;
      });
    return readRecord(record, pairs, delimiter);
  });
}

function readTable(rows, find, delimiter) {
  const [header, ...body] = rows;
  const columns = header.fields.map((field, i) => {
    const name = i > 0 && field ? find(field) : null;
    if (i > 0 && field && !name)
      throw new Error(`the header: this model knows no attribute “${field}”`);
    return name;
  });
  if (body.length === 0) throw new Error("there is a header, but no class below it");
  return body.map((record) => {
    const pairs = record.fields
      .map((field, i) => [columns[i], field])
      .filter(([name, text], i) => i > 0 && text && name);
    return readRecord(record, pairs, delimiter);
  });
}

/* The classes of a file, or an Error that says what is wrong in which line. `attributes` are the
 * model's; they tell the delimiter, and a table from a list. */
export function read(text, attributes) {
  const find = finder(attributes);
  const told = /^\uFEFF?sep=(.)\r?\n/i.exec(text);
  const body = told ? text.slice(told[0].length) : text.replace(/^\uFEFF/, "");
  let best = null;
  let problem = null;
  for (const delimiter of told ? [told[1]] : [",", ";", "\t"]) {
    let rows = [];
    try {
      rows = records(body, delimiter);
    } catch (error) {
      problem ??= error;
      continue;
    }
    const rest = rows[0]?.fields.slice(1) ?? [];
    const asTable = rest.filter(
      (field) => attributes.includes(field) || (find(field) && !cut(field, find)),
    ).length;
    const asList = rest.filter((field) => cut(field, find)).length;
    const merit = Math.max(asTable, asList);
    if (!best || merit > best.merit) best = { rows, delimiter, merit, table: asTable > 0 };
  }
  if (!best) throw problem;
  if (best.rows.length === 0) throw new Error("the file is empty");
  const isList =
    !best.table && (best.merit > 0 || best.rows[0].fields.slice(1).some((f) => f.includes("=")));
  const classes = (isList ? readList : readTable)(best.rows, find, best.delimiter);
  const names = new Set();
  for (const c of classes) {
    if (names.has(c.name)) throw new Error(`two classes are called “${c.name}”`);
    names.add(c.name);
  }
  return classes;
}
