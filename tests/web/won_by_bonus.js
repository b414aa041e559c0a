/* An answer that calibration or a method's bonus for unseen classes decided, and not its attributes,
 * says so in plain words; calibration can be taken away to see. */
import { readFileSync } from "node:fs";
import { answered, best, check, choose, equal, held, pictures, settled, test } from "./harness.js";

const FOLDERS = ["red red", "red blue", "green red", "green blue", "blue red", "blue green"];

/* The first picture whose answer was decided by that, with the interface's explanation. */
async function find(server, model, decided) {
  const files = [...FOLDERS.flatMap((name) => pictures(`own/${name}`)), ...held()];
  for (const file of files) {
    const response = await fetch(`${server.url}/v1/models/${model}/explain?maps=0`, {
      method: "POST",
      headers: { "Content-Type": "image/png" },
      body: readFileSync(file),
    });
    const { explanation } = await response.json();
    if (explanation.decided_by === decided) return { file, explanation };
  }
  throw new Error(`no answer of ${model} is decided by ${decided}`);
}

await test(async ({ server, open }) => {
  const page = await open();
  const bias = await find(server, "msdn", "bias");
  await choose(page, bias.file);
  await page.waitForSelector(".verdict");
  const said = await page.textContent(".verdict");
  check(said.startsWith("Not won by its attributes."), `bias: ${said}`);
  check(said.includes(`would have made it ${bias.explanation.instead_of.label}`), `bias: ${said}`);
  check(said.includes("fixed bonus"), `bias: ${said}`);

  const plain = await find(server, "msdn", "attributes");
  await choose(page, plain.file);
  equal(await page.locator(".verdict").count(), 0, "a verdict on an answer that attributes won");

  const calibration = await find(server, "dem", "calibration");
  await answered(page, () => page.selectOption("#model", "dem"));
  await choose(page, calibration.file);
  await page.waitForSelector(".verdict");
  const { answer, instead_of: other } = calibration.explanation;
  const words = await page.textContent(".verdict");
  check(words.includes(`${answer.label} is ahead because`), `calibration: ${words}`);
  check(words.includes("every class that it was trained on"), `calibration: ${words}`);
  await answered(page, () => page.click(".verdict button"));
  const native = (await server.predict(calibration.file, "dem", "&calibration=native"))[0].label;
  equal(await best(page), native, "the answer without calibration");
  check(native !== answer.label, `without calibration it is still ${native}, not ${other.label}`);
  await answered(page, () => page.click("text=Put it back"));
  await settled(page);
  equal(await best(page), answer.label, "the answer with calibration again");
});
