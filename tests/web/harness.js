/* harness.js - what the browser tests share: the real server on the drawn pictures that test_web.sh
 * made, one Chromium, and checks that say what was expected. Run by test_web.sh. */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { chromium } from "playwright-core";

/* Folder with the data set d, msdn.model, dem.model, pictures in own/, and held/, of a class that no
 * model knows. */
export const work = process.env.WEB_WORK;
export const unseen = process.env.UNSEEN;

const PATIENCE = 60000; /* ms; a machine under sanitizers is slow */

/* The pictures of one class, in order; `held` are those of the class that was left out. */
export const pictures = (name) =>
  readdirSync(join(work, name))
    .sort()
    .map((file) => join(work, name, file));
export const held = () => pictures("held");

export function check(truth, what) {
  if (!truth) throw new Error(what);
}

export function equal(got, want, what) {
  const [a, b] = [got, want].map((x) => JSON.stringify(x));
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

/* Waits until the function of the page returns something true. */
export const until = (page, f, argument) =>
  page.waitForFunction(f, argument, { timeout: PATIENCE });

/* ---- the server ---- */

export class Server {
  /* `options` are words behind `unseen serve msdn.model dem.model --data d`. */
  static async start(options = [], port = 0) {
    const server = new Server();
    server.process = spawn(
      unseen,
      [
        "serve",
        join(work, "msdn.model"),
        join(work, "dem.model"),
        "--data",
        join(work, "d"),
        "--port",
        `${port}`,
        ...options,
      ],
      { stdio: ["ignore", "pipe", "pipe"], cwd: work },
    );
    let said = "";
    await new Promise((done, fail) => {
      const timer = setTimeout(
        () => fail(new Error(`the server does not start: ${said}`)),
        PATIENCE,
      );
      const hear = (text) => {
        said += text;
        const match = /listening on (http:\/\/[^\s]+)/.exec(said);
        if (!match) return;
        clearTimeout(timer);
        server.url = match[1].replace(/\/$/, "");
        done();
      };
      server.process.stdout.on("data", hear);
      server.process.stderr.on("data", hear);
      server.process.on("exit", (code) => {
        clearTimeout(timer);
        fail(new Error(`the server ended with ${code}: ${said}`));
      });
    });
    server.port = Number(new URL(server.url).port);
    return server;
  }

  /* Resolves when the process is gone. */
  async stop(signal = "SIGTERM") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((done) => this.process.on("exit", done));
    this.process.kill(signal);
    await gone;
  }

  /* What the interface answers, without any page. */
  async predict(file, model = "msdn", more = "") {
    const response = await fetch(`${this.url}/v1/models/${model}/predict?top=100${more}`, {
      method: "POST",
      headers: { "Content-Type": "image/png" },
      body: readFileSync(file),
    });
    check(response.ok, `predict answered ${response.status}`);
    return (await response.json()).predictions[0];
  }

  async card(model = "msdn") {
    return (await fetch(`${this.url}/v1/models/${model}`)).json();
  }
}

/* ---- the page ---- */

/* Puts the files into the page as if they were dropped on the stage. */
export async function drop(page, files) {
  const data = files.map((file) => [basename(file), readFileSync(file).toString("base64")]);
  const transfer = await page.evaluateHandle((list) => {
    const out = new DataTransfer();
    for (const [name, text] of list) {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      out.items.add(new File([bytes], name, { type: "image/png" }));
    }
    return out;
  }, data);
  for (const type of ["dragenter", "dragover", "drop"])
    await page.dispatchEvent("#stage", type, { dataTransfer: transfer });
}

/* Waits until no answer is under way. */
export const settled = (page) =>
  until(
    page,
    () =>
      document.querySelector("#best") &&
      document.querySelector("#answer").getAttribute("aria-busy") === "false" &&
      document.querySelector("#working").hidden,
  );

/* Waits until nothing is under way, and what was faded meanwhile has its colours back. */
export const still = (page) =>
  until(
    page,
    () =>
      !document.querySelector('[aria-busy="true"]') && document.getAnimations().length === 0,
  );

/* Does what makes the page ask, and waits for the answer to that. */
export async function answered(page, action) {
  const answer = page.waitForResponse((r) => /\/(predict|explain)$/.test(r.url()), {
    timeout: PATIENCE,
  });
  await action();
  await answer;
  await settled(page);
}

export async function choose(page, file) {
  await page.setInputFiles("#file", file);
  await settled(page);
}

export const best = (page) => page.textContent("#best");

/* A new class of that name with levels for attributes, by clicks: {"head color::green": "full"}. */
export async function describe(page, name, levels) {
  if ((await page.getAttribute("#tab-describe", "aria-selected")) !== "true")
    await page.click("#tab-describe");
  await page.click("#own-new");
  await page.fill("#own-name", name);
  for (const [attribute, level] of Object.entries(levels)) await tick(page, attribute, level);
}

/* One level of one attribute of the class that is edited, by a click. */
export async function tick(page, attribute, level) {
  const [group, value] = attribute.split("::");
  const named = (selector, text) => page.locator(selector, { hasText: new RegExp(`^${text}$`) });
  const block = page.locator("details.group", { has: named("summary .name", group) });
  if (!(await block.evaluate((node) => node.open))) await block.locator("summary").click();
  const row = block.locator(".ticks", { has: named(".name", value) });
  await row.locator(`label:has(input[value="${level}"])`).click();
}

/* ---- one test ---- */

export const DESKTOP = { viewport: { width: 1280, height: 860 } };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/* body({browser, server, open}): open(options) is a page that is ready for a photo; whatever it
 * reports as an error, and nobody expected, fails the test. */
export async function test(body, serverOptions = []) {
  const name = basename(process.argv[1], ".js");
  const errors = [];
  const pages = [];
  let server = null;
  let browser = null;
  let failure = null;
  try {
    server = await Server.start(serverOptions);
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM,
      args: ["--disable-gpu", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
    });
    const open = async (options = DESKTOP, { expected = null, ready = true } = {}) => {
      const context = await browser.newContext({ locale: "en", acceptDownloads: true, ...options });
      const page = await context.newPage();
      pages.push(page);
      page.setDefaultTimeout(PATIENCE);
      /* Dialogs for files are caught from the start: asking for it takes the browser a moment. */
      page.on("filechooser", () => {});
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" && !expected?.test(message.text()))
          errors.push(message.text());
      });
      await page.goto(`${server.url}/`);
      if (ready)
        await until(
          page,
          () =>
            document.querySelector("#among option") &&
            document.querySelector("#sample-list button"),
        );
      return page;
    };
    await body({ browser, server, open, setServer: (s) => (server = s) });
    if (errors.length > 0) throw new Error(`the page reported: ${errors.join("; ")}`);
  } catch (error) {
    failure = error;
    mkdirSync(join(work, "failed"), { recursive: true });
    for (const [i, page] of pages.entries())
      await page.screenshot({ path: join(work, "failed", `${name}-${i}.png`) }).catch(() => {});
  }
  await browser?.close().catch(() => {});
  await server?.stop().catch(() => {});
  if (failure) {
    console.log(
      `FAILED: ${name}: ${failure.message}\n${failure.stack}\nScreenshots: ${join(work, "failed")}`,
    );
    if (errors.length > 0) console.log(`The page reported: ${errors.join("; ")}`);
    process.exitCode = 1;
  } else console.log(`${name}: passed`);
}
