/* api.js - requests to the server. Every failure becomes a Trouble with one sentence for people;
 * a server that is gone is waited for, and who asks is told when it is back. */

/* What the server, or the way to it, said: `status` is HTTP's, 0 if there was no answer. */
export class Trouble extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const BUSY_TRIES = 4;
const LONGEST_WAIT = 8;
const PATIENCE = 120000; /* ms for one answer */
const POLL = 1500; /* ms between looks for a server that is gone */

let token = stored();
let askForToken = async () => null;

function stored() {
  try {
    return sessionStorage.getItem("unseen.token");
  } catch {
    return null;
  }
}

/* `ask` returns what the user typed, null if they gave up. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

const pause = (ms, signal) =>
  new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });

async function errorOf(response) {
  let message = "";
  try {
    message = (await response.json()).error.message;
  } catch {
    /* not our server's: a proxy's page perhaps */
  }
  return new Trouble(response.status, message || `The server answered ${response.status}.`);
}

async function once(path, options, signal) {
  const limit = AbortSignal.timeout(PATIENCE);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  try {
    return await fetch(path, {
      ...options,
      headers,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble(0, "The server does not answer.");
  }
}

async function renewToken(wrong) {
  token = await askForToken(wrong);
  try {
    if (token) sessionStorage.setItem("unseen.token", token);
    else sessionStorage.removeItem("unseen.token");
  } catch {
    /* it is asked for again in the next tab */
  }
  return Boolean(token);
}

/* The answer to a request. A busy server (429, 503) is asked again after the time it names. */
async function request(path, options = {}, signal = null) {
  for (let tries = 1; ; tries++) {
    const used = token;
    const response = await once(path, options, signal);
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.status === 401) {
      /* Another request may have asked the user meanwhile. */
      if (token === used && !(await renewToken(Boolean(used)))) throw error;
    } else if ((error.status === 429 || error.status === 503) && tries < BUSY_TRIES) {
      const wait = Math.min(LONGEST_WAIT, Number(response.headers.get("Retry-After")) || tries);
      await pause(1000 * wait, signal);
    } else {
      throw error;
    }
  }
}

async function json(path, options, signal) {
  const response = await request(path, options, signal);
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble(0, "The server's answer broke off.");
  }
}

const under = (model) => `v1/models/${encodeURIComponent(model)}`;

export const models = () => json("v1/models");
export const card = (model) => json(under(model));
export const needsToken = () => Boolean(token);

/* A picture that the server offers, `url` as the model's card names it. */
export async function sample(url, signal) {
  return (await request(url.replace(/^\//, ""), {}, signal)).blob();
}

/* Asks about one photo; `what` is "predict" or "explain", `details` the request part. */
export function ask(model, what, photo, details, signal) {
  const form = new FormData();
  form.append("request", new Blob([JSON.stringify(details)], { type: "application/json" }));
  form.append("image", photo, "photo");
  return json(`${under(model)}/${what}`, { method: "POST", body: form }, signal);
}

/* Checks descriptions without a photo; the answer has each one's nearest class. */
export function describe(model, classes, signal) {
  return json(
    `${under(model)}/predict`,
    {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ features: [], classes }),
    },
    signal,
  );
}

/* Resolves when the server answers again. */
export async function serverIsBack() {
  for (;;) {
    await pause(POLL);
    try {
      const limit = AbortSignal.timeout(POLL);
      if ((await fetch("readyz", { cache: "no-store", signal: limit })).ok) return;
    } catch {
      /* still gone */
    }
  }
}
