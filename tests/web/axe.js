/* axe-core finds nothing serious, in any state of the page, on the desktop and on the phone. */
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { check, choose, describe, DESKTOP, equal, held, PHONE, still, test, until } from "./harness.js";

const script = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

async function audit(page, where) {
  if (!(await page.evaluate(() => Boolean(window.axe)))) await page.evaluate(script);
  await still(page);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  check(passes.length > 10, `${where}: axe looked at nothing`);
  equal(
    violations
      .filter((v) => ["serious", "critical"].includes(v.impact))
      .map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`),
    [],
    `${where}: serious violations`,
  );
  for (const v of violations)
    console.log(`note: ${where}: ${v.impact}: ${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`);
}

await test(async ({ open }) => {
  for (const [name, device] of [
    ["desktop", DESKTOP],
    ["phone", PHONE],
  ]) {
    const page = await open(device, { expected: /400|415/ });
    await audit(page, `${name}, empty`);
    await choose(page, held()[0]);
    await page.waitForSelector("button.attribute");
    await page.click("button.attribute");
    await page.click("details.explained summary");
    await audit(page, `${name}, why`);
    await page.click("#tab-about");
    await page.click("#about details summary");
    await audit(page, `${name}, model`);
    await page.click("#tab-describe");
    await audit(page, `${name}, no class`);
    await describe(page, "mine", { "head color::green": "full", "tail color::green": "some" });
    await until(page, () =>
      document.querySelector("#own-status").textContent.includes("Hardest to tell"),
    );
    await page.fill("#own-name", "");
    await audit(page, `${name}, describe`);
    await page.setInputFiles("#file", {
      name: "x.png",
      mimeType: "image/png",
      buffer: Buffer.from("no picture"),
    });
    await page.waitForSelector("#answer .trouble");
    await audit(page, `${name}, trouble`);
  }
});
