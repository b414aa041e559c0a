/* heat.js - attention as colours over the photo. The scale is the one of `unseen explain`: a helix
 * in CIELAB from dark violet over orange to light yellow, even in lightness, so that it reads in
 * grey and with any colour vision. */

/* sRGB at t = 0, 0.1, … 1. */
const SCALE = [
  [27, 29, 94],
  [76, 35, 102],
  [114, 44, 106],
  [147, 56, 108],
  [176, 74, 107],
  [200, 95, 107],
  [220, 119, 107],
  [235, 146, 109],
  [245, 174, 115],
  [251, 203, 127],
  [254, 232, 145],
];

const OPACITY = [0.25, 0.85]; /* at the lowest and at the highest value */
const CELL = 16; /* pixels drawn for one cell of the grid */

function colour(t) {
  const at = Math.max(0, Math.min(1, t)) * (SCALE.length - 1);
  const i = Math.min(Math.floor(at), SCALE.length - 2);
  return SCALE[i].map((low, k) => low + (at - i) * (SCALE[i + 1][k] - low));
}

/* Weights of Catmull-Rom's four points around the place f in [0, 1) behind the second. */
const weights = (f) => [
  f * (-0.5 + f * (1 - 0.5 * f)),
  1 + f * f * (-2.5 + 1.5 * f),
  f * (0.5 + f * (2 - 1.5 * f)),
  f * f * (-0.5 + 0.5 * f),
];

/* One row or column of n values made `times` as long, constant beyond its ends. */
function enlarge(values, times) {
  const n = values.length;
  return Array.from({ length: n * times }, (_, i) => {
    const at = (i + 0.5) / times - 0.5;
    const from = Math.floor(at);
    return weights(at - from).reduce(
      (sum, w, k) => sum + w * values[Math.max(0, Math.min(n - 1, from - 1 + k))],
      0,
    );
  });
}

const turned = (rows) => rows[0].map((_, x) => rows.map((row) => row[x]));

/* map: rows of numbers; what is negative counts as nothing, the highest value has the top colour. */
export function draw(canvas, map) {
  const positive = map.map((row) => row.map((x) => Math.max(0, x ?? 0)));
  const top = Math.max(...positive.flat()) || 1;
  const fine = turned(
    turned(positive.map((row) => enlarge(row, CELL))).map((row) => enlarge(row, CELL)),
  );
  canvas.height = fine.length;
  canvas.width = fine[0].length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  fine.flat().forEach((x, i) => {
    const t = Math.max(0, Math.min(1, x / top));
    const [r, g, b] = colour(t);
    pixels.data.set([r, g, b, 255 * (OPACITY[0] + (OPACITY[1] - OPACITY[0]) * t)], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
}

export function drawScale(canvas) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    context.fillStyle = `rgb(${colour(x / (canvas.width - 1))
      .map(Math.round)
      .join(" ")})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}

/* How much of the attention the strongest cell has, null where the map is no distribution. */
export function peak(map) {
  const all = map.flat();
  const sum = all.reduce((a, b) => a + b, 0);
  return Math.min(...all) >= 0 && Math.abs(sum - 1) < 0.01 ? Math.max(...all) : null;
}
