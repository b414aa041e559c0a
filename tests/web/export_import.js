/* Export and import: the file is what `unseen predict --classes` reads, with the page's answer; odd
 * names survive the way out and back; what is wrong is said with its line, and changes nothing. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  best,
  check,
  choose,
  describe,
  equal,
  held,
  settled,
  test,
  unseen,
  until,
  work,
} from "./harness.js";

const NAMES = ['Green, "all" over', "semi;colon\u00e9", "a=b", "'quoted'"];
const kept = (page) =>
  page.evaluate(() =>
    JSON.parse(Object.entries(localStorage).find(([key]) => key.startsWith("unseen.classes:"))[1]),
  );

await test(async ({ open }) => {
  const page = await open();
  await choose(page, held()[0]);
  await describe(page, NAMES[0], { "head color::green": "full", "tail color::green": "full" });
  await describe(page, NAMES[1], { "head color::red": "some", "tail color::blue": "full" });
  await describe(page, NAMES[2], { "head color::blue": "full" });
  await describe(page, NAMES[3], { "tail color::red": "full" });
  await page.click("#own-new"); /* it says nothing, so it is not in the file */
  await until(page, (name) => document.querySelector("#best").textContent === name, NAMES[0]);
  await settled(page);
  const answer = await best(page);
  const score = Number(
    (await page.locator(".ranking .figure").first().textContent()).replace("−", "-"),
  );

  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#own-export")]);
  equal(download.suggestedFilename(), "unseen-classes.csv", "the file's name");
  const file = join(work, "exported.csv");
  await download.saveAs(file);

  /* The program reads it: the same class, the same score. */
  const out = execFileSync(unseen, [
    "predict",
    join(work, "msdn.model"),
    held()[0],
    "--classes",
    file,
    "--top",
    "100",
    "--json",
    "-",
    "-q",
  ]);
  const predictions = JSON.parse(out)[0].predictions;
  equal(predictions[0].label, answer, "the program's answer");
  check(
    Math.abs(predictions[0].score - score) < 0.006 * Math.abs(score),
    `the program scores ${predictions[0].score}, the page ${score}`,
  );
  for (const name of NAMES)
    check(
      predictions.some((p) => p.label === name),
      `the program lost ${name}`,
    );

  /* Back into a browser that has none. */
  const before = (await kept(page)).filter((c) => Object.keys(c.attributes).length > 0);
  const other = await open();
  await other.click("#tab-describe");
  await other.setInputFiles("#import-file", file);
  await until(other, () =>
    document.querySelector("#own-note").textContent.startsWith("Imported 4 classes"),
  );
  equal(await kept(other), before, "the classes that came back");
  await choose(other, held()[0]);
  equal(await best(other), answer, "the answer with imported classes");

  /* Again: they take their own places. */
  await other.setInputFiles("#import-file", file);
  await until(other, () =>
    document.querySelector("#own-note").textContent.includes("4 in place of yours"),
  );
  equal((await kept(other)).length, 4, "the number of classes");

  /* Other forms of the same: tables, semicolons and decimal commas, percent, words, unknown values. */
  const forms = {
    "class,head color::green,tail color::green\nT1,1,0.5\n": {
      "head color::green": 1,
      "tail color::green": 0.5,
    },
    "\ufeffclass;head color::green;tail color::red\r\nT1;0,5;\r\n": { "head color::green": 0.5 },
    "T1\thead color::green=50%\ttail color::blue=yes\n": {
      "head color::green": 0.5,
      "tail color::blue": 1,
    },
    'sep=;\nT1;"Head Color::Green=1";tail color::red=?\n': { "head color::green": 1 },
  };
  for (const [text, want] of Object.entries(forms)) {
    await other.setInputFiles("#import-file", {
      name: "form.csv",
      mimeType: "text/csv",
      buffer: Buffer.from(text),
    });
    await until(other, () =>
      document.querySelector("#own-note").textContent.startsWith("Imported 1 class"),
    );
    equal((await kept(other)).find((c) => c.name === "T1").attributes, want, JSON.stringify(text));
    const path = join(work, "form.csv");
    writeFileSync(path, text);
    execFileSync(
      unseen,
      [
        "predict",
        join(work, "msdn.model"),
        held()[0],
        "--classes",
        path,
        "--csv",
        "/dev/null",
        "-q",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    await other.click("text=Delete");
  }

  /* What is wrong. */
  const wrong = {
    "X,head color::purple=1\n": /line 1: this model knows no attribute “head color::purple”/,
    "X,head color::green=1\nY,head color::green=much\n": /line 2: “much” is no number/,
    "X,head color::green=1\nX,head color::red=1\n": /two classes are called “X”/,
    '"X,head color::green=1\n': /never closed/,
    "class,head color::green\n": /no class below/,
    "": /empty/,
    "\x00\xff\xfe": /wrong|UTF-8|no number|attribute|header/,
  };
  const count = (await kept(other)).length;
  for (const [text, want] of Object.entries(wrong)) {
    const bytes = Buffer.from(text, text.includes("\xff") ? "latin1" : "utf8");
    await other.setInputFiles("#import-file", {
      name: "wrong.csv",
      mimeType: "text/csv",
      buffer: bytes,
    });
    await until(other, () =>
      document.querySelector("#own-note").textContent.includes("Nothing was imported"),
    );
    const said = await other.textContent("#own-note");
    check(want.test(said), `${JSON.stringify(text)}: ${said}`);
    equal((await kept(other)).length, count, "the number of classes after a wrong file");
    await other.evaluate(() => (document.querySelector("#own-note").textContent = ""));
  }
  check(readFileSync(file, "utf8").split("\r\n").length === 5, "a line for each class");
});
