/* The page of `unseen report`, opened as the file it is: folded to a few screens, nothing cut on a
 * phone, nothing that axe-core finds, links that open what they lead into, classes that sort, and all
 * of it there without the script. */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { check, equal, unseen, work } from "./harness.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const SCREENS = { 1280: [900, 5], 390: [844, 8] }; /* width: height, and how many at most */

const unfold = (page) =>
  page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));

/* Nothing sticks out, no text is small. */
async function checkFit(page, width, where) {
  const found = await page.evaluate(() => {
    const small = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let t = texts.nextNode(); t; t = texts.nextNode()) {
      const e = t.parentElement;
      if (!t.data.trim() || e.tagName === "SCRIPT" || !e.checkVisibility()) continue;
      const drawing = e.ownerSVGElement;
      const scale = drawing
        ? drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width
        : 1;
      const size = scale * parseFloat(getComputedStyle(e).fontSize);
      if (size < (e.closest("table") ? 14.9 : drawing ? 15.5 : 15.9))
        small.push(`${t.data} (${size})`);
    }
    const cut = [...document.querySelectorAll(".scroll")]
      .filter((e) => e.scrollWidth > e.clientWidth)
      .map((e) => e.querySelector("caption").textContent);
    return { wide: document.documentElement.scrollWidth, small, cut };
  });
  check(found.wide <= width, `${where}: the page is ${found.wide} wide`);
  equal(found.small, [], `${where}: small text`);
  equal(found.cut, [], `${where}: tables that are cut`);
}

async function checkAxe(page, where) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  check(passes.length > 10, `${where}: axe looked at nothing`);
  equal(
    violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`),
    [],
    `${where}: violations`,
  );
}

async function checkFolded(page, width, models) {
  const [height, most] = SCREENS[width];
  const screens = (await page.evaluate(() => document.documentElement.scrollHeight)) / height;
  check(screens <= most, `${width}: ${screens.toFixed(1)} screens`);
  check(
    (await page.locator("header .numbers b").first().boundingBox()).y < height,
    `${width}: the numbers are not on the first screen`,
  );
  equal(await page.locator("details[open]").count(), 0, `${width}: unfolded`);
  equal(await page.locator("section.model").count(), models, `${width}: models`);
}

const column = (page, i) =>
  page.$$eval("table.sort tbody tr", (rows, k) => rows.map((r) => r.cells[k].textContent), i);

async function checkSorting(page) {
  const button = page.locator("table.sort thead th").nth(1).locator("button");
  const inOrder = (list, sign) => list.every((x, i) => i === 0 || sign * (x - list[i - 1]) >= 0);
  const before = await column(page, 0);
  await page.click('nav a[href="#classes"]');
  check(await page.locator("#classes details").evaluate((d) => d.open), "the classes stay folded");
  await button.focus();
  await page.keyboard.press("Enter");
  check(inOrder((await column(page, 1)).map(Number), 1), "not ascending");
  await page.keyboard.press("Enter");
  check(inOrder((await column(page, 1)).map(Number), -1), "not descending");
  equal(
    await page.locator("table.sort thead th").nth(1).getAttribute("aria-sort"),
    "descending",
    "said to be",
  );
  equal((await column(page, 0)).sort(), before.sort(), "classes after sorting");
}

async function checkLinks(page, models) {
  for (let i = 1; i <= models; i++) {
    await page.click(`nav a[href="#model-${i}"]`);
    check(await page.locator(`#model-${i} > details`).evaluate((d) => d.open), `model ${i} folded`);
  }
}

async function checkPage(browser, file, models) {
  for (const width of [1280, 390])
    for (const colorScheme of ["light", "dark"]) {
      const where = `${file}, ${width}, ${colorScheme}`;
      const errors = [];
      const viewport = { width, height: SCREENS[width][0] };
      const page = await browser.newPage({ viewport, colorScheme });
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await page.goto(`file://${join(work, file)}`);
      await checkFolded(page, width, models);
      await checkFit(page, width, where);
      await checkSorting(page);
      if (models > 1) await checkLinks(page, models);
      await unfold(page);
      await checkFit(page, width, `${where}, unfolded`);
      await checkAxe(page, where);
      equal(errors, [], `${where}: the page reported`);
      await page.close();
    }
  const plain = await browser.newPage({ javaScriptEnabled: false });
  await plain.goto(`file://${join(work, file)}`);
  equal(await plain.locator("table.sort button").count(), 0, "buttons that do nothing");
  check((await plain.locator("table.sort tbody tr").count()) > 5, "classes without script");
  await plain.close();
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--disable-gpu", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});
try {
  for (const models of [["msdn"], ["msdn", "dem"]]) {
    const file = `report-${models.length}.html`;
    const paths = models.map((name) => join(work, `${name}.model`));
    execFileSync(unseen, ["report", ...paths, "--data", join(work, "d"), "-o", join(work, file)]);
    await checkPage(browser, file, models.length);
  }
  console.log("report: passed");
} catch (error) {
  console.log(`FAILED: report: ${error.message}\n${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
