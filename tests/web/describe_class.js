/* Describe a class that wins: the photo on screen becomes a class that the model never heard of, as
 * soon as its attributes are ticked. */
import {
  answered,
  best,
  check,
  choose,
  describe,
  equal,
  held,
  test,
  tick,
  until,
} from "./harness.js";

await test(async ({ server, open }) => {
  const page = await open();
  await page.click("#tab-describe");
  await page.click("#own-new");
  check(
    (await page.textContent("#own-status")).includes("Tick what you see"),
    "an empty class says nothing",
  );
  await page.click("text=Delete");

  /* Without a photo: the nearest class all the same. */
  const name = "Green, all over";
  await describe(page, name, { "head color::green": "full" });
  await until(page, () =>
    document.querySelector("#own-status").textContent.includes("Hardest to tell from"),
  );
  check(
    (await page.textContent("#own-status")).includes("Show a photo"),
    "it does not ask for a photo",
  );

  await choose(page, held()[0]);
  const before = (await server.predict(held()[0]))[0].label;
  check(before !== name, "the class was known before");
  const tail = (level) => answered(page, () => tick(page, "tail color::green", level));
  await tail("full");
  equal(await best(page), name, "the answer with a class of one's own");
  equal(await page.textContent(".best .tag"), "yours", "the kind of class");
  check(
    (await page.textContent("#own-status")).startsWith(`The photo is now taken for ${name}.`),
    "the editor does not say that it wins",
  );
  const said = await (
    await fetch(`${server.url}/v1/models/msdn/predict`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        features: [],
        classes: [{ name, attributes: { "head color::green": 1, "tail color::green": 1 } }],
      }),
    })
  ).json();
  check(
    (await page.textContent("#own-status")).includes(said.classes[0].nearest.label),
    "the nearest class is not named",
  );

  /* "some" instead of "full" is another description. */
  const score = () => page.locator(".ranking li.own .figure").first().textContent();
  const full = await score();
  await tail("some");
  check((await score()) !== full, "some is as good as full");
  await tail("full");
  equal(await score(), full, "full again");

  /* Why: its attributes, against the class that was the answer before. */
  await page.click("#tab-why");
  await until(page, (own) => document.querySelector("#why h3")?.textContent === `For ${own}`, name);
  await page.selectOption("#instead-of", before);
  await until(
    page,
    (other) =>
      [...document.querySelectorAll("#why h3")].some((h) => h.textContent === `For ${other}`),
    before,
  );

  /* A second class, which the green birds are far from; the browser keeps both. */
  await describe(page, "Red head", { "head color::red": "full", "tail color::red": "full" });
  await until(page, () => document.querySelectorAll("#own-list button").length === 2);
  await page.reload();
  await page.click("#tab-describe");
  equal(
    await page.locator("#own-list button").allTextContents(),
    [name, "Red head"],
    "the classes after a reload",
  );
  await choose(page, held()[1]);
  equal(await best(page), name, "the answer after a reload");

  /* Names that cannot be. */
  await page.fill("#own-name", "Red head");
  check((await page.textContent("#name-trouble")).includes("already"), "two classes of one name");
  await page.fill("#own-name", "");
  check(
    (await page.textContent("#name-trouble")).includes("needs a name"),
    "a class without a name",
  );
  await page.fill("#own-name", name);

  /* Taken out, it is no answer any more; undone, it is. */
  await page.click("text=Delete");
  await until(page, (own) => document.querySelector("#best").textContent !== own, name);
  await page.click("text=Undo");
  await until(page, (own) => document.querySelector("#best").textContent === own, name);

  /* Ones own take part only where they are asked for. */
  await page.selectOption("#among", "seen");
  await until(page, (own) => document.querySelector("#best").textContent !== own, name);
});
