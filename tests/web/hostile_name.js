/* A class that is called like markup is text wherever it stands: in the answer, as a rival, in the
 * editor, from a file, and as the name of a photo. */
import { check, choose, describe, equal, held, settled, test, until } from "./harness.js";

const NAME = '<img src=x onerror="window.hacked=1">';

await test(async ({ open }) => {
  const page = await open();
  await page.setInputFiles("#file", {
    name: `${NAME}.png`.replaceAll("/", ""),
    mimeType: "image/png",
    buffer: (await import("node:fs")).readFileSync(held()[0]),
  });
  await settled(page);
  await describe(page, NAME, { "head color::green": "full", "tail color::green": "full" });
  await until(page, (name) => document.querySelector("#best").textContent === name, NAME);
  await page.click("#tab-why");
  await until(
    page,
    (name) => document.querySelector("#why h3")?.textContent === `For ${name}`,
    NAME,
  );
  await page.selectOption("#among", "unseen");
  await settled(page);
  await page.setInputFiles("#import-file", {
    name: `${NAME}.csv`,
    mimeType: "text/csv",
    buffer: Buffer.from(
      `"${NAME.replaceAll('"', '""')} 2","head color::green=1","tail color::green=0.5"\n"<script>window.hacked=1</script>",head color::nothing=1\n`,
    ),
  });
  await page.click("#tab-describe");
  await until(page, () =>
    document.querySelector("#own-note").textContent.includes("Nothing was imported"),
  );
  check(
    (await page.textContent("#own-note")).startsWith(NAME),
    "the file's name is not shown as it is",
  );

  /* Kept classes are read again, as text again. */
  await page.reload();
  await page.click("#tab-describe");
  equal(await page.locator("#own-list button").allTextContents(), [NAME], "the kept class");
  await choose(page, held()[0]);
  equal(await page.textContent("#best"), NAME, "the answer");
  equal(
    await page.evaluate(() => [
      window.hacked ?? null,
      document.querySelectorAll("img[src=x], [onerror]").length,
    ]),
    [null, 0],
    "markup came to life",
  );
});
