/* Drop a photo and read the answer: what the page says is what the interface says; where the model
 * looked is drawn over the part it saw; nothing moves while the answer comes. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  best,
  check,
  choose,
  drop,
  equal,
  held,
  pictures,
  settled,
  test,
  until,
  work,
} from "./harness.js";

await test(
  async ({ server, open }) => {
    const page = await open();
    await page.evaluate(() => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries())
          if (!entry.hadRecentInput) window.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    /* All of it comes from the server, in less than 150 KB. */
    const loaded = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter((e) => !e.name.includes("/v1/"))
        .map((e) => [e.name, e.decodedBodySize]),
    );
    check(loaded.length > 10, `the page is ${loaded.length} files`);
    equal(
      loaded.filter(([name]) => !name.startsWith(server.url)),
      [],
      "what comes from elsewhere",
    );
    const bytes = loaded.reduce((sum, [, size]) => sum + size, 0);
    check(bytes > 50e3 && bytes < 150e3, `the page has ${bytes} bytes`);

    const photo = pictures("own/red blue")[0];
    const want = await server.predict(photo);
    await drop(page, [photo]);
    await settled(page);

    equal(await best(page), want[0].label, "the answer");
    equal(
      await page.locator(".ranking .name").allTextContents(),
      want.slice(0, 5).map((p) => p.label),
      "the ranking",
    );
    const kinds = { true: "seen in training", false: "known by its description" };
    equal(
      await page.locator(".ranking .tag").allTextContents(),
      want.slice(0, 5).map((p) => kinds[p.seen]),
      "the kinds of classes",
    );
    check(
      (await page.textContent("#live")).startsWith(
        `Answer: ${want[0].label}, ${kinds[want[0].seen]}.`,
      ),
      "the answer is not announced",
    );
    const widths = await page
      .locator(".ranking .bar i")
      .evaluateAll((bars) => bars.map((b) => parseFloat(b.style.width)));
    equal(widths[0], 100, "the first bar");
    check(
      widths.every((w, i) => i === 0 || w <= widths[i - 1]),
      `bars do not fall: ${widths}`,
    );

    /* The photo itself, and the network's crop on it. */
    const shown = await page.evaluate(() => {
      const image = document.querySelector("#picture");
      return [image.naturalWidth, image.naturalHeight, image.hidden];
    });
    equal(shown, [120, 90, false], "the photo on screen");
    await page.waitForSelector("button.attribute");
    check(await page.isHidden("#heat"), "a map is shown before one is asked for");
    await page.hover("button.attribute");
    await page.waitForSelector("#heat:not([hidden])");
    const explained = await (
      await fetch(`${server.url}/v1/models/msdn/explain`, {
        method: "POST",
        headers: { "Content-Type": "image/png" },
        body: readFileSync(photo),
      })
    ).json();
    const { crop } = explained.explanation;
    const [heat, stage] = await Promise.all(
      ["#heat", "#stage"].map((s) => page.locator(s).boundingBox()),
    );
    const scale = Math.min(stage.width / 120, stage.height / 90);
    check(
      Math.abs(heat.width - scale * crop.width) < 4,
      `the map is ${heat.width} wide, the crop ${scale * crop.width}`,
    );
    check(
      Math.abs(heat.x - stage.x - (stage.width - scale * 120) / 2 - scale * crop.x) < 4,
      "the map is not on the crop",
    );
    const first = explained.explanation.shown.for[0];
    const map = explained.explanation.attributes.find((a) => a.number === first).maps[0];
    /* Cells are as opaque as their share of the highest, which has the top colour. */
    const flat = map.flat();
    const colourOf = (value) => {
      const at = flat.indexOf(value);
      const width = map[0].length;
      return page.evaluate(
        ([x, y]) => {
          const canvas = document.querySelector("#heat");
          const context = canvas.getContext("2d");
          return [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data];
        },
        [((at % width) + 0.5) / width, (Math.floor(at / width) + 0.5) / map.length],
      );
    };
    const most = Math.max(...flat);
    const least = Math.min(...flat);
    for (const value of [most, least]) {
      const [red, green, , alpha] = await colourOf(value);
      const want = 255 * (0.25 + (0.6 * value) / most);
      check(Math.abs(alpha - want) < 12, `a cell of ${value / most} covers ${alpha}, not ${want}`);
      check(value < most || (red > 240 && green > 190), `the highest cell is ${red} ${green}`);
    }
    check(
      (await page.textContent("#caption")).includes("of its attention"),
      "the map has no legend",
    );
    await page.mouse.move(5, 5);
    await until(page, () => document.querySelector("#heat").hidden);

    /* Why not another one: the page names it, with both sides. */
    const rival = want[2].label;
    await page.click(`[aria-label="Why not ${rival.replaceAll('"', '\\"')}?"]`);
    await until(
      page,
      (name) =>
        [...document.querySelectorAll("#why h3")].some((h) => h.textContent === `For ${name}`),
      rival,
    );
    equal(await page.inputValue("#instead-of"), rival, "the class that it is compared with");

    const shift = await page.evaluate(() => window.shift);
    check(shift < 0.02, `the page moved while it answered: ${shift}`);

    /* Samples of the data set: an answer, and what the data set calls it. */
    await page.click("#sample-list button");
    await until(page, () => document.querySelector(".truth")?.textContent.includes("labelled"));

    /* A paste is a photo, too. */
    const other = held()[0];
    await page.evaluate((text) => {
      const data = new DataTransfer();
      data.items.add(
        new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], "paste.png", {
          type: "image/png",
        }),
      );
      document.dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
      );
    }, readFileSync(other).toString("base64"));
    await until(
      page,
      (label) => document.querySelector("#best")?.textContent === label,
      (await server.predict(other))[0].label,
    );
    equal(await page.locator(".truth").textContent(), "", "a photo of one's own has no label");

    /* A model without maps says so. */
    await page.selectOption("#model", "dem");
    await until(page, () =>
      document.querySelector("#why").textContent.includes("no attention maps"),
    );

    /* What cannot be a photo gets a sentence, and the page goes on. */
    const large = join(work, "large.png");
    writeFileSync(large, Buffer.alloc(300 * 1024));
    await page.setInputFiles("#file", large);
    await until(page, () => /0\.3 MB.*at most/.test(document.querySelector("#toast").textContent));
    const damaged = await open(undefined, { expected: /400|415/ });
    await damaged.setInputFiles("#file", {
      name: "letter.png",
      mimeType: "image/png",
      buffer: Buffer.from("Dear Sir"),
    });
    await damaged.waitForSelector("#answer .trouble");
    check(
      (await damaged.textContent("#answer .trouble")).length > 10,
      "no sentence about a damaged photo",
    );
    await choose(damaged, photo);
    equal(await best(damaged), want[0].label, "the answer after a damaged photo");
  },
  ["--max-upload", "256K"],
);
