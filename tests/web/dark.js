/* Light and dark: as the system says, or as the user chose, which is kept; contrast of WCAG AA in
 * both. */
import { createRequire } from "node:module";
import { check, choose, DESKTOP, equal, held, still, test } from "./harness.js";

const axe = createRequire(import.meta.url).resolve("axe-core");

/* Lightness of the ground, 0 to 1. */
const ground = (page) =>
  page.evaluate(() => {
    const [r, g, b] = getComputedStyle(document.body)
      .backgroundColor.match(/[\d.]+/g)
      .map(Number);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  });

async function checkContrast(page, where) {
  /* The page forbids scripts that are not its own; this one comes by the debugger. */
  if (!(await page.evaluate(() => Boolean(window.axe))))
    await page.evaluate((await import("node:fs")).readFileSync(axe, "utf8"));
  await still(page);
  const { violations } = await page.evaluate(() => window.axe.run({ runOnly: ["color-contrast"] }));
  equal(
    violations.flatMap((v) => v.nodes.map((n) => `${n.target} ${n.any[0]?.message}`)),
    [],
    `contrast, ${where}`,
  );
}

await test(async ({ open }) => {
  const light = await open({ ...DESKTOP, colorScheme: "light" });
  check((await ground(light)) > 0.85, "the light page is dark");
  const page = await open({ ...DESKTOP, colorScheme: "dark" });
  check((await ground(page)) < 0.15, "the dark page is light");
  for (const [which, where] of [
    [light, "light"],
    [page, "dark"],
  ]) {
    await choose(which, held()[0]);
    await which.waitForSelector("button.attribute");
    await which.hover("button.attribute");
    await checkContrast(which, `${where}, why`);
    await which.click("#tab-describe");
    await which.click("#own-new");
    for (const summary of await which.locator(".group:not([open]) summary").all())
      await summary.click();
    await which.locator('label:has(input[value="full"])').first().click();
    await which.locator('label:has(input[value="some"])').last().click();
    await checkContrast(which, `${where}, describe`);
    await which.click("#tab-about");
    await checkContrast(which, `${where}, model`);
  }

  await page.click("#theme");
  check((await ground(page)) > 0.85, "the theme does not become light");
  await page.reload();
  check((await ground(page)) > 0.85, "the choice is forgotten");
  await page.click("#theme");
  check((await ground(page)) < 0.15, "the theme does not become dark");
  await page.click("#theme");
  equal(await page.textContent("#theme-text"), "Theme: system", "the third choice");
  await page.emulateMedia({ colorScheme: "light" });
  check((await ground(page)) > 0.85, "the system's choice does not hold");
});
