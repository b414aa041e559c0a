/* The server is killed in the middle of an answer: the page says so in a sentence, keeps the photo
 * and the classes, and goes on by itself when the server is back. */
import {
  best,
  check,
  choose,
  describe,
  equal,
  held,
  pictures,
  Server,
  settled,
  test,
  until,
} from "./harness.js";

const NAME = "mine";
const GONE = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_SOCKET|Failed to load resource/;

await test(async ({ server, open, setServer }) => {
  const page = await open(undefined, { expected: GONE });
  const first = pictures("own/red blue")[0];
  await choose(page, first);
  await describe(page, NAME, { "head color::green": "full", "tail color::green": "full" });
  await settled(page);

  /* In the middle: it has the question, and is killed before it answers. */
  server.process.kill("SIGSTOP");
  await page.setInputFiles("#file", held()[0]);
  await until(page, () => !document.querySelector("#working").hidden);
  await server.stop("SIGKILL");
  await until(page, () => document.querySelector("#toast").textContent.includes("does not answer"));
  check(await page.isVisible("#toast"), "the sentence cannot be seen");
  equal(await page.getAttribute("#toast", "role"), "alert", "the sentence is not said aloud");
  check(!(await page.isHidden("#picture")), "the photo is gone");
  check(await page.isHidden("#working"), "the page pretends to work on");

  /* What is done meanwhile counts. */
  await page.fill("#own-name", `${NAME} too`);

  const again = await Server.start([], server.port);
  setServer(again);
  await until(page, (name) => document.querySelector("#best")?.textContent === name, `${NAME} too`);
  await settled(page);
  await until(page, () => document.querySelector("#toast").textContent.includes("is back"));
  await settled(page);
  await choose(page, first);
  const known = (await again.predict(first))[0].label;
  check([known, `${NAME} too`].includes(await best(page)), "the answer afterwards");

  /* Killed while nobody asks: the next question finds out, and is answered later. */
  await again.stop("SIGKILL");
  await page.click("#sample-list li:nth-child(2) button");
  await until(page, () => document.querySelector("#toast").textContent.includes("does not answer"));
  setServer(await Server.start([], server.port));
  await until(page, () =>
    document.querySelector('#sample-list li:nth-child(2) [aria-pressed="true"]'),
  );
  await settled(page);
});
