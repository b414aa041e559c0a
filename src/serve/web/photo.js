/* photo.js - the photo: chosen, dropped, pasted, taken or a sample; shown, with a heat map over the
 * part that the network sees. */
import { $, el, plural, put } from "./dom.js";
import * as heat from "./heat.js";

export const byTouch = matchMedia("(pointer: coarse)").matches;

let shownUrl = null;
let crop = null; /* {x, y, width, height} in the picture's pixels */
let rest = ""; /* the line below the photo while no map is shown */
let size = null; /* {width, height} of the turned picture, as the server read it */

/* ---- where photos come from ---- */

/* `take(file)` gets what the user chose, `refuse(sentence)` what cannot be a photo. */
export function listen(take, refuse) {
  const first = (files) => {
    if (files.length > 1)
      refuse(`That were ${plural(files.length, "file")}; this is the first of them.`);
    if (files.length > 0) take(files[0]);
  };
  $("choose").addEventListener("click", () => $("file").click());
  $("stage").addEventListener("click", () => $("invitation").hidden || $("file").click());
  $("take").addEventListener("click", () => $("camera").click());
  for (const input of [$("file"), $("camera")])
    input.addEventListener("change", () => {
      first(input.files);
      input.value = ""; /* the same file again is a change again */
    });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return; /* text goes where it is pasted */
    event.preventDefault();
    first(files);
  });
  listenToDrops(first, refuse);
  if (byTouch) {
    $("take").hidden = false;
    $("invitation-what").textContent = "Tap to choose a photo";
    $("invitation-how").textContent = "or take one";
  }
  new ResizeObserver(place).observe($("stage"));
  $("picture").addEventListener("load", place);
  $("picture").addEventListener("error", () => shownUrl && showNoPreview());
}

function listenToDrops(first, refuse) {
  let depth = 0; /* dragenter and dragleave come for every element below */
  const mark = () => document.body.classList.toggle("dragging", depth > 0);
  document.addEventListener("dragenter", () => {
    depth++;
    mark();
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    mark();
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    const files = [...event.dataTransfer.files];
    if (files.length > 0) first(files);
    else refuse("That is no file. Save the picture first, then drop the file here.");
  });
}

/* ---- what is shown ---- */

export function show(blob, name) {
  const picture = $("picture");
  if (shownUrl) URL.revokeObjectURL(shownUrl);
  clearMap();
  setCaption("");
  crop = size = null;
  shownUrl = URL.createObjectURL(blob);
  picture.classList.remove("as-stored");
  picture.alt = name;
  picture.src = shownUrl;
  picture.hidden = false;
  $("invitation").hidden = true;
  $("no-preview").hidden = true;
  $("stage").classList.add("filled");
}

/* A picture of a kind that only the server reads, or no picture at all, which its answer tells. */
function showNoPreview() {
  $("no-preview").textContent = "This browser cannot show this kind of picture.";
  $("picture").hidden = true;
  $("no-preview").hidden = false;
  place();
}

export function busy(on) {
  $("working").hidden = !on;
  $("stage").setAttribute("aria-busy", String(on));
}

/* The part of the photo that the network saw. */
export function setCrop(newCrop, newSize) {
  crop = newCrop;
  size = newSize;
  const { naturalWidth: width, naturalHeight: height } = $("picture");
  /* The browser turns photos as their camera says; the model may take them as they are stored. */
  $("picture").classList.toggle(
    "as-stored",
    Boolean(size) && width !== height && size.width === height && size.height === width,
  );
  place();
}

/* The canvas over the crop. The photo is as large as fits into the stage. */
function place() {
  const { clientWidth, clientHeight } = $("stage");
  if (!size || !crop) return;
  const scale = Math.min(clientWidth / size.width, clientHeight / size.height);
  const left = (clientWidth - scale * size.width) / 2;
  const top = (clientHeight - scale * size.height) / 2;
  const style = $("heat").style;
  style.left = `${left + scale * crop.x}px`;
  style.top = `${top + scale * crop.y}px`;
  style.width = `${scale * crop.width}px`;
  style.height = `${scale * crop.height}px`;
}

/* map: rows of numbers over the crop; `title` says of what. */
export function showMap(map, title) {
  if (!crop) return;
  heat.draw($("heat"), map);
  $("heat").hidden = false;
  $("stage").classList.add("mapped");
  put($("caption-text"), "Where it looked for ", el("strong", null, title));
  const peak = heat.peak(map);
  $("legend-least").textContent = peak === null ? "least" : "0 %";
  $("legend-most").textContent =
    peak === null ? "most" : `${Math.round(100 * peak)} % of its attention`;
  $("caption").classList.add("mapped");
}

export function clearMap() {
  $("heat").hidden = true;
  $("stage").classList.remove("mapped");
  $("caption").classList.remove("mapped");
  put($("caption-text"), rest);
}

/* The line below the photo while no map is shown. */
export function setCaption(text) {
  rest = text;
  if (!$("caption").classList.contains("mapped")) put($("caption-text"), rest);
}

/* ---- samples ---- */

/* samples: as the model's card has them; `urlOf` makes an address that an <img> can open. */
export function showSamples(samples, urlOf, take) {
  $("samples").hidden = samples.length === 0;
  put(
    $("sample-list"),
    ...samples.map((sample, i) => {
      const image = el("img", { alt: "", width: 96, height: 96, loading: "lazy" });
      urlOf(sample).then(
        (url) => (image.src = url),
        () => {} /* the button stays, and says what is wrong when it is pressed */,
      );
      return el(
        "li",
        null,
        el(
          "button",
          {
            type: "button",
            class: "sample",
            "aria-label": `Sample photo ${i + 1}`,
            onclick: () => take(sample, i),
          },
          image,
        ),
      );
    }),
  );
}

export function markSample(index) {
  [...$("sample-list").querySelectorAll("button")].forEach((button, i) =>
    button.setAttribute("aria-pressed", String(i === index)),
  );
}
