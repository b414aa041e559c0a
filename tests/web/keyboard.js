/* Keyboard only: from the skip link to an answer, its reasons and a class of one's own, with the
 * focus visible at every stop. */
import { best, check, equal, held, settled, test, until } from "./harness.js";

const focused = (page) =>
  page.evaluate(() => {
    const e = document.activeElement;
    /* A radio button is invisible itself; its row shows the focus. */
    const shown = e.closest(".levels") ?? e;
    const style = getComputedStyle(shown);
    return {
      id: e.id,
      text: (e.getAttribute("aria-label") ?? e.textContent).trim().replace(/\s+/g, " "),
      visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
  });

/* Tabs until the focus is where `found` says; every stop on the way must be visible. */
async function tabTo(page, found, what, key = "Tab") {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press(key);
    const at = await focused(page);
    check(at.visible, `the focus on "${at.id || at.text}" cannot be seen`);
    if (found(at)) return at;
  }
  throw new Error(`${key} never comes to ${what}`);
}

await test(async ({ server, open }) => {
  const page = await open();
  await page.keyboard.press("Tab");
  equal((await focused(page)).text, "Skip to the answer", "the first stop");
  check((await page.locator(".skip").boundingBox()).y >= 0, "the skip link stays out of sight");
  await page.keyboard.press("Enter");
  equal((await focused(page)).id, "answer", "where the skip link leads");

  /* A photo by the file dialog. */
  await tabTo(page, (at) => at.id === "choose", "the button for a photo", "Shift+Tab");
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.keyboard.press("Enter"),
  ]);
  await chooser.setFiles(held()[0]);
  await settled(page);
  const want = await server.predict(held()[0]);
  equal(await best(page), want[0].label, "the answer");

  /* A sample. */
  await tabTo(page, (at) => at.text === "Sample photo 2", "a sample");
  await page.keyboard.press("Space");
  await until(page, () => document.querySelector('#sample-list [aria-pressed="true"]'));
  await settled(page);

  /* Why not another class: the focus stays in reach, the panel answers. */
  const whyNot = await tabTo(page, (at) => at.text.startsWith("Why not "), "a rival");
  await page.keyboard.press("Enter");
  const rival = whyNot.text.slice("Why not ".length, -1);
  await until(page, (name) => document.querySelector("#instead-of")?.value === name, rival);
  await settled(page);
  equal((await focused(page)).text, whyNot.text, "the focus after the answer came anew");

  /* The map of the attribute that has the focus; Enter keeps it. */
  const one = await tabTo(page, (at) => /^(head|tail) color: /.test(at.text), "an attribute");
  check(await page.isVisible("#heat"), "no map under the focus");
  const mapped = await page.textContent("#caption-text strong");
  check(one.text.replace(": not ", ": ").startsWith(mapped), "the map is of another attribute");
  await page.keyboard.press("Enter");
  await tabTo(page, (at) => at.id === "tab-why", "the tabs", "Shift+Tab");
  check(await page.isVisible("#heat"), "a kept map went away");
  await tabTo(page, (at) => at.text === one.text, "the attribute again");
  await page.keyboard.press("Escape");
  check(await page.isHidden("#heat"), "Escape leaves the map");
  await tabTo(page, (at) => at.id === "tab-why", "the tabs", "Shift+Tab");

  /* Tabs by arrows, then a class of one's own. */
  await page.keyboard.press("ArrowRight");
  equal((await focused(page)).id, "tab-describe", "the next tab");
  check(await page.isVisible("#describe"), "the next tab does not open");
  await tabTo(page, (at) => at.id === "own-new", "the button for a class");
  await page.keyboard.press("Enter");
  equal((await focused(page)).id, "own-name", "where a new class begins");
  await page.keyboard.type("typed");
  equal(await page.inputValue("#own-name"), "typed", "the name");
  const summary = (name) => (at) => at.text.startsWith(name) && at.id.startsWith("group-");
  for (const group of ["head color", "tail color"]) {
    await tabTo(page, summary(group), group);
    if (!(await page.evaluate(() => document.activeElement.parentElement.open)))
      await page.keyboard.press("Enter");
    await page.keyboard.press("Tab"); /* red */
    await page.keyboard.press("Tab"); /* green */
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    check((await focused(page)).visible, "the focus on a level cannot be seen");
  }
  await until(
    page,
    () =>
      document.querySelectorAll(".group .chosen").length > 0 &&
      [...document.querySelectorAll(".group .chosen")].every((c) => c.textContent === "green"),
  );
  await settled(page);
  check(
    await page.evaluate(() => document.activeElement.type === "radio"),
    "the focus left the level that was ticked",
  );
  await until(
    page,
    () =>
      document.querySelector("#own-status").textContent.includes("typed") ||
      document.querySelector("#own-status").textContent.includes("it comes"),
  );

  /* Nothing is a trap: on to the end of the page. */
  await tabTo(page, (at) => at.id === "own-import", "the last control");
});
