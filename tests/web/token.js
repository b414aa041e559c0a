/* A server that asks for a token: the page asks once, says when it is wrong, and keeps it for the
 * tab. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, choose, held, test, until, work } from "./harness.js";

const TOKEN = "correct-horse-battery-staple";
const file = join(work, "token");
writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });

await test(
  async ({ open }) => {
    const page = await open(undefined, { expected: /401/, ready: false });
    await page.waitForSelector("#token-dialog[open]");
    await page.fill("#token", "wrong");
    await page.keyboard.press("Enter");
    await until(
      page,
      () =>
        document.querySelector("#token-dialog").open &&
        document.querySelector("#token-text").textContent.includes("not the token"),
    );
    await page.fill("#token", TOKEN);
    await page.keyboard.press("Enter");
    /* Samples are pictures that an <img> could not ask for itself. */
    await until(page, () => document.querySelector("#sample-list img")?.naturalWidth > 0);
    await choose(page, held()[0]);
    await page.reload();
    await until(page, () => document.querySelector("#sample-list img")?.naturalWidth > 0);
    check(
      !(await page.evaluate(() => document.querySelector("#token-dialog").open)),
      "it is asked for again",
    );
  },
  ["--token-file", file],
);
