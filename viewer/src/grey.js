/**
 * From stored values to grey: the window's function, the slope and the inversion, set for each
 * image by this viewer and never left to a header's default.
 *
 * @typedef {{name?: string, center: number, width: number, function: "LINEAR"|"LINEAR_EXACT"|"SIGMOID"}} Window
 * @typedef {{slope: number, intercept: number, lut?: {first: number, values: number[]}|null}} Scale
 */

const SIGMOID_NODES = 256;
const SIGMOID_REACH = 1.8; // widths on each side: beyond it the grey is within 0.2 levels of its end

/**
 * Give the grey of a value, from 0 black to 1 white (PS3.3 C.11.2.1.2 and C.11.2.1.3).
 * @param {number} value @param {Window} window
 */
export function greyOf(value, window) {
  if (window.function === "SIGMOID") {
    return 1 / (1 + Math.exp((-4 * (value - window.center)) / window.width));
  }
  const [black, white] = ends(window);
  if (value <= black) return 0;
  return value > white ? 1 : (value - black) / (white - black);
}

/** Give the values shown black and white by a linear window. @param {Window} window */
export function ends({ center, width, function: shape }) {
  if (shape === "LINEAR") {
    return [center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2];
  }
  return [center - width / 2, center + width / 2];
}

/**
 * List [stored value, grey of 0 to 1] between which the screen's grey runs straight.
 * @param {Scale} scale @param {Window} window @param {boolean} inverted
 * @returns {[number, number][]}
 */
export function greyNodes(scale, window, inverted) {
  const { slope, intercept } = storedScale(scale);
  /** @type {number[]} */
  let values;
  if (window.function === "SIGMOID") {
    const reach = SIGMOID_REACH * window.width;
    values = Array.from(
      { length: SIGMOID_NODES },
      (_, n) => window.center - reach + (2 * reach * n) / (SIGMOID_NODES - 1),
    );
  } else {
    const [black, white] = ends(window);
    values = [black, Math.max(white, black + Math.abs(slope) * 1e-3)];
  }
  const last = values.length - 1;
  const linear = window.function !== "SIGMOID";
  const nodes = values.map((value, n) => {
    const grey = linear ? n / last : greyOf(value, window);
    return /** @type {[number, number]} */ ([(value - intercept) / slope, inverted ? 1 - grey : grey]);
  });
  return slope < 0 ? nodes.reverse() : nodes;
}

/** Give the scale of what is drawn: after a lookup table its own output. @param {Scale} scale */
export function storedScale(scale) {
  return scale.lut ? { slope: 1, intercept: 0 } : { slope: scale.slope, intercept: scale.intercept };
}

/** Give the window that shows everything between two stored values. @param {Scale} scale */
export function wholeRange(scale, lowest, highest) {
  const { slope, intercept } = storedScale(scale);
  const [one, two] = [lowest * slope + intercept, highest * slope + intercept];
  const width = Math.max(Math.abs(two - one), Math.abs(slope));
  return { name: "whole range", center: (one + two) / 2, width, function: "LINEAR_EXACT" };
}

/** Give the window of a lookup table's output, as it is. */
export function tableWindow(lut) {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const value of lut.values) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return {
    name: "table",
    center: (lowest + highest) / 2,
    width: Math.max(1, highest - lowest),
    function: "LINEAR_EXACT",
  };
}

/**
 * Apply a lookup table to rescaled stored values; what lies outside takes the nearest entry.
 * @param {Uint16Array|Int16Array} stored @returns {Uint16Array}
 */
export function throughTable(stored, { slope, intercept, lut }) {
  const last = lut.values.length - 1;
  const table = Uint16Array.from(lut.values);
  const out = new Uint16Array(stored.length);
  for (let n = 0; n < stored.length; n++) {
    const place = Math.round(stored[n] * slope + intercept) - lut.first;
    out[n] = table[place < 0 ? 0 : place > last ? last : place];
  }
  return out;
}

/**
 * Move a window by a drag: to the right wider, down darker, by parts of its own width.
 * @param {Window} window @param {number} least the smallest width
 * @returns {Window}
 */
export function dragged(window, dxPx, dyPx, least) {
  const width = Math.max(least, window.width * Math.exp(dxPx * 0.006));
  return { ...window, name: "own", width, center: window.center + (dyPx * window.width) / 300 };
}
