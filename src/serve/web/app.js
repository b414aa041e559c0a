/* app.js - the page: which model, which photo, what is asked, and where the answers go. */
import { $, announce, el, plural, put } from "./dom.js";
import * as about from "./about.js";
import * as answer from "./answer.js";
import * as api from "./api.js";
import * as describe from "./describe.js";
import { drawScale } from "./heat.js";
import * as own from "./own.js";
import * as photo from "./photo.js";
import * as why from "./why.js";

const MAPS = 12; /* attributes with maps: both lists of the panel */
const LISTED = 6; /* attributes in each list */
const TYPING = 200; /* ms without a change before the server is asked again */
const EMPTY = "The answer appears here. Choose a photo, or try a sample.";
const EMPTY_WHY =
  "Which attributes decide, and where on the photo the model looked for them, appears here with the answer.";

const state = {
  models: [],
  card: null,
  photo: null /* {blob, truth} */,
  among: "all",
  native: false,
  insteadOf: null,
  tab: "why",
};

/* ---- saying things ---- */

let toastTimer = 0;
function toast(text, seconds = 0) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  $("toast").hidden = false;
  if (seconds > 0) toastTimer = setTimeout(() => ($("toast").hidden = true), 1000 * seconds);
}

const afterwards = new Set(); /* what is done when the server is back */

/* A server that is gone is waited for; then `again` is called, once however often it was given. */
async function waitForServer(again) {
  afterwards.add(again);
  toast(
    "The server does not answer. Your photo and classes stay here; this page tries again by itself.",
  );
  if (afterwards.size > 1) return;
  await api.serverIsBack();
  toast("The server is back.", 4);
  const todo = [...afterwards];
  afterwards.clear();
  for (const action of todo) action();
}

/* ---- asking ---- */

const details = () => ({
  classes: state.card.can_describe ? own.stated() : [],
  top: state.card.class_count + own.all().length,
  among: state.among,
  calibration: state.native ? "native" : "calibrated",
});

let request = null; /* AbortController of the one in flight */
let timer = 0;

function askSoon() {
  clearTimeout(timer);
  timer = setTimeout(askNow, TYPING);
}

async function askNow() {
  clearTimeout(timer);
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  if (!state.photo || !state.card?.pictures) return askWithoutPhoto(signal);
  const explain = state.tab === "why" && state.card.attribute_count > 0;
  answer.busy();
  if (explain) why.busy();
  photo.busy(true);
  try {
    const more = explain
      ? {
          maps: MAPS,
          attributes: LISTED,
          ...(state.insteadOf ? { instead_of: state.insteadOf } : {}),
        }
      : {};
    const result = await api.ask(
      state.card.name,
      explain ? "explain" : "predict",
      state.photo.blob,
      { ...details(), ...more },
      signal,
    );
    photo.busy(false);
    showResult(result);
  } catch (error) {
    if (signal.aborted) return;
    photo.busy(false);
    showTrouble(error);
  }
}

/* Own classes are checked, and their nearest class found, before there is a photo. */
async function askWithoutPhoto(signal) {
  if (!state.card?.can_describe || own.stated().length === 0) return;
  try {
    describe.update({
      result: await api.describe(state.card.name, own.stated(), signal),
      photo: false,
    });
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 0) waitForServer(askNow);
    else describe.update({ error: error.message, photo: false });
  }
}

function classesToCompare() {
  const mine = state.card.can_describe
    ? own.stated().map((c) => ({ name: c.name, seen: false, new: true }))
    : [];
  const names = new Set(mine.map((c) => c.name));
  return [...mine, ...state.card.classes.filter((c) => !names.has(c.name))];
}

function showResult(result) {
  const { card } = state;
  answer.show(result, {
    card,
    truth: state.photo.truth,
    native: state.native,
    on: { compare, native },
  });
  describe.update({ result, photo: true });
  if (result.explanation) {
    const e = result.explanation;
    const size = result.picture;
    if (e.crop && size) photo.setCrop(e.crop, size);
    const mapped = e.attributes.some((a) => a.maps);
    photo.setCaption(
      mapped
        ? `${photo.byTouch ? "Tap" : "Point at"} an attribute to see where the model looked.`
        : "",
    );
    why.show(e, {
      card,
      classes: classesToCompare(),
      chosen: state.insteadOf,
      on: { compare, native },
    });
  } else if (state.card.attribute_count === 0) {
    why.showText(
      "The classes of this model have no named attributes, so there is nothing to explain the answer by.",
    );
  }
}

function showTrouble(error) {
  if (error.status === 0) {
    answer.showTrouble(error.message, askNow);
    waitForServer(askNow);
  } else if (error.status === 422 && own.stated().length > 0) {
    /* A description that the server cannot take must not hide the answer for the photo. */
    describe.update({ error: error.message, photo: true });
    answer.showTrouble(error.message, askNow);
  } else if (error.status >= 429) answer.showTrouble(error.message, askNow);
  else answer.showTrouble(error.message);
  if (state.tab === "why") why.showText("There is no answer to explain yet.");
}

/* ---- what the user does ---- */

function showPhoto(blob, name, truth, sampleIndex = -1) {
  const most = state.card?.limits?.max_upload;
  if (most && blob.size > most) {
    toast(
      `This photo has ${(blob.size / 2 ** 20).toFixed(1)} MB; the server takes ${(most / 2 ** 20).toFixed(0)} MB at most. Save it smaller and try again.`,
      10,
    );
    return;
  }
  if (blob.size === 0) {
    toast("This file is empty.", 10);
    return;
  }
  $("toast").hidden = true;
  state.photo = { blob, truth };
  state.insteadOf = null;
  why.forget();
  photo.show(blob, name);
  photo.markSample(sampleIndex);
  announce("Looking at the photo.");
  askNow();
}

async function takeSample(sample, i) {
  try {
    showPhoto(await api.sample(sample.url), `Sample photo ${i + 1}`, sample.label, i);
  } catch (error) {
    if (error.status === 0) waitForServer(() => takeSample(sample, i));
    else toast(error.message, 10);
  }
}

function compare(label) {
  state.insteadOf = label;
  openTab("why", false);
  askNow();
}

function native(on) {
  state.native = on;
  askNow();
}

/* ---- tabs ---- */

const TABS = ["why", "describe", "about"];

function openTab(name, focus) {
  const before = state.tab;
  state.tab = name;
  for (const tab of TABS) {
    $(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    $(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    $(tab).hidden = tab !== name;
  }
  if (name !== "why") photo.clearMap();
  if (focus) $(`tab-${name}`).focus();
  /* What is explained may be older than the classes. */
  if (name === "why" && before !== "why" && state.photo) askNow();
}

function listenToTabs() {
  for (const [i, tab] of TABS.entries()) {
    $(`tab-${tab}`).addEventListener("click", () => openTab(tab, false));
    $(`tab-${tab}`).addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: TABS.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      openTab(TABS[(to + TABS.length) % TABS.length], true);
    });
  }
}

/* ---- models ---- */

async function urlOf(sample) {
  /* An <img> sends no token. */
  return api.needsToken()
    ? URL.createObjectURL(await api.sample(sample.url))
    : sample.url.replace(/^\//, "");
}

function showAmong() {
  const { class_count: all, seen_count: seen } = state.card;
  const choice = (value, text) => el("option", { value, selected: state.among === value }, text);
  put(
    $("among"),
    choice("all", `all ${plural(all, "class", "classes")}`),
    all > seen && choice("unseen", `${all - seen} never seen`),
    seen > 0 && choice("seen", `${seen} seen`),
  );
}

async function openModel(name) {
  try {
    state.card = await api.card(name);
  } catch (error) {
    if (error.status === 0) waitForServer(() => openModel(name));
    else answer.showTrouble(error.message, () => openModel(name));
    return;
  }
  const { card } = state;
  Object.assign(state, { among: "all", native: false, insteadOf: null });
  showAmong();
  about.show(card);
  describe.open(card, askSoon);
  photo.showSamples(card.pictures ? card.samples : [], urlOf, takeSample);
  for (const id of ["choose", "take"]) $(id).disabled = !card.pictures;
  if (!card.pictures) {
    answer.showEmpty(
      "This model was served without the network that its features come from, so it cannot look at photos. Start the server with --backbone.",
    );
    return;
  }
  if (state.photo) askNow();
  else {
    answer.showEmpty(
      card.samples.length > 0
        ? EMPTY
        : "The answer appears here. Choose a photo, drop one or paste one.",
    );
    why.showText(EMPTY_WHY);
    askWithoutPhoto(new AbortController().signal);
  }
}

async function start() {
  try {
    state.models = (await api.models()).models;
  } catch (error) {
    if (error.status === 0) waitForServer(start);
    else answer.showTrouble(error.message, start);
    return;
  }
  const first = state.models.find((m) => m.pictures) ?? state.models[0];
  put(
    $("model"),
    ...state.models.map((m) => el("option", { value: m.name, selected: m === first }, m.name)),
  );
  $("model").hidden = $("model-label").hidden = state.models.length < 2;
  await openModel(first.name);
}

/* ---- theme ---- */

const THEMES = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" };

function listenToTheme() {
  const now = () => document.documentElement.dataset.theme ?? "auto";
  const say = () => ($("theme-text").textContent = THEMES[now()]);
  $("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(now()) + 1) % names.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("unseen.theme", next);
    } catch {
      /* it holds until the page is closed */
    }
    say();
  });
  say();
}

/* ---- token ---- */

api.onTokenNeeded(
  (wrong) =>
    new Promise((done) => {
      const dialog = $("token-dialog");
      if (wrong)
        $("token-text").textContent =
          "That was not the token. Whoever started the server knows it.";
      $("token").value = "";
      dialog.addEventListener("close", () => done($("token").value.trim() || null), { once: true });
      dialog.showModal();
    }),
);

photo.listen(
  (file) => showPhoto(file, file.name ? `Your photo, ${file.name}` : "Your photo", null),
  (sentence) => toast(sentence, 8),
);
$("among").addEventListener("change", () => {
  state.among = $("among").value;
  askNow();
});
$("model").addEventListener("change", () => openModel($("model").value));
listenToTabs();
listenToTheme();
drawScale($("scale"));
photo.setCaption("Photos go to this server only, which keeps none.");
answer.showEmpty("One moment…");
why.showText(EMPTY_WHY);
start();
