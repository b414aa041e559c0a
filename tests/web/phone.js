/* A phone of 390 pixels: one column that never scrolls sideways, text of 16 pixels and more, things
 * that a finger hits, the camera, and the photo in sight while its attributes are read. */
import { check, equal, held, PHONE, settled, test, until } from "./harness.js";

async function checkFit(page, where) {
  const found = await page.evaluate(() => {
    const visible = (e) => e.checkVisibility() && !e.closest(".sr");
    const small = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let t = texts.nextNode(); t; t = texts.nextNode())
      if (
        t.data.trim() &&
        visible(t.parentElement) &&
        !["SCRIPT", "STYLE", "NOSCRIPT"].includes(t.parentElement.tagName)
      ) {
        /* Inside an SVG a pixel is as large as the drawing makes it. */
        const drawing = t.parentElement.ownerSVGElement;
        const scale = drawing
          ? drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width
          : 1;
        const size = scale * parseFloat(getComputedStyle(t.parentElement).fontSize);
        if (size < 15.9) small.push(`${t.data.trim().slice(0, 30)} (${size.toFixed(1)})`);
      }
    const tight = [...document.querySelectorAll("button, select, summary, input:not([type=file])")]
      .filter((e) => visible(e) && e.getBoundingClientRect().width > 0)
      .map((e) => [e.id || e.textContent.trim().slice(0, 30), e.getBoundingClientRect()])
      .filter(([, box]) => box.height < 24 || box.width < 24)
      .map(([name]) => name);
    /* What is cut off by its card does not widen the page. */
    const cut = [...document.querySelectorAll("body *")]
      .filter((e) => visible(e) && !e.closest("#sample-list, [role=tablist], .scroll, dialog"))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)
      .map((e) => e.id || e.className || e.tagName);
    return { wide: document.documentElement.scrollWidth, small, tight, cut };
  });
  check(found.wide <= 390, `${where}: the page is ${found.wide} wide`);
  equal(found.cut, [], `${where}: cut off at the right`);
  equal(found.small, [], `${where}: text below 16 pixels`);
  equal(found.tight, [], `${where}: controls below 24 pixels`);
}

await test(async ({ open }) => {
  const page = await open(PHONE);
  await checkFit(page, "empty");
  equal(await page.getAttribute("#camera", "capture"), "environment", "the camera");
  check(await page.isVisible("#take"), "no button for the camera");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.tap("#take")]);
  await chooser.setFiles(held()[0]);
  await settled(page);
  await checkFit(page, "answer");
  const top = await page.locator("#answer .best").boundingBox();
  check(top.y + top.height <= 844, `the answer begins below the screen, at ${top.y}`);

  await page.waitForSelector("button.attribute");
  const last = page.locator("button.attribute").last();
  await last.scrollIntoViewIfNeeded();
  await last.tap();
  await page.waitForSelector("#heat:not([hidden])");
  const stage = await page.locator("#stage").boundingBox();
  check(
    stage.y >= 0 && stage.y + stage.height < 844 / 2,
    `the photo is out of sight: ${JSON.stringify(stage)}`,
  );
  const item = await last.boundingBox();
  check(item.y + 1 >= stage.y + stage.height, "the photo hides the attribute that was tapped");
  await checkFit(page, "map");

  /* A long title of a map, as DEDN has. */
  await page.evaluate(() => {
    const option = document.querySelector("#why .inline option");
    option.textContent = "a coarse expert, what regions add by channels";
  });
  await checkFit(page, "long titles");

  await page.tap("#tab-about");
  await checkFit(page, "model");
  await page.tap("#tab-describe");
  await page.tap("#own-new");
  await page.fill(
    "#own-name",
    "A name that is much longer than the column of a telephone is wide, and then some",
  );
  for (const summary of await page.locator(".group:not([open]) summary").all()) await summary.tap();
  await page.locator('label:has(input[value="full"])').first().tap();
  await until(page, () =>
    document.querySelector("#own-status").textContent.includes("Hardest to tell"),
  );
  await checkFit(page, "describe");

  /* Turned, and on the narrowest phones. */
  for (const size of [
    { width: 844, height: 390 },
    { width: 320, height: 640 },
  ]) {
    await page.setViewportSize(size);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= size.width, `${size.width}: the page is ${wide} wide`);
  }
});
