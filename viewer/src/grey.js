/**
 * From values to grey: the window's function and the inversion, set for each image by this viewer
 * and never left to a header's default. Values are stored ones after slope and intercept.
 *
 * @typedef {{name?: string, center: number, width: number,
 *   function: "LINEAR"|"LINEAR_EXACT"|"SIGMOID"|"TABLE"}} Window
 * @typedef {{first: number, values: number[]}} Table from a value on, greys of 0 to 255
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
 * List [value, grey of 0 to 1] between which the screen's grey runs straight.
 * @param {Window} window @param {boolean} inverted @param {Table|null} table
 * @returns {[number, number][]}
 */
export function greyNodes(window, inverted, table = null) {
  const nodes = window.function === "TABLE" ? tableNodes(table) : windowNodes(window);
  return inverted ? nodes.map(([value, grey]) => [value, 1 - grey]) : nodes;
}

function windowNodes(window) {
  if (window.function !== "SIGMOID") {
    const [black, white] = ends(window);
    return [[black, 0], [Math.max(white, black + window.width * 1e-6), 1]];
  }
  const reach = SIGMOID_REACH * window.width;
  return Array.from({ length: SIGMOID_NODES }, (_, n) => {
    const value = window.center - reach + (2 * reach * n) / (SIGMOID_NODES - 1);
    return [value, greyOf(value, window)];
  });
}

/** List the entries of a table; what lies outside takes the nearest one. */
function tableNodes({ first, values }) {
  if (values.length === 1) return [[first, values[0] / 255], [first + 1, values[0] / 255]];
  return values.map((grey, n) => [first + n, grey / 255]);
}

/** Give the look of a table, as a window that holds its values. @param {Table} table */
export function tableLook({ first, values }) {
  const width = Math.max(1, values.length - 1);
  return { name: "table", center: first + width / 2, width, function: "TABLE" };
}

/** Give the window that shows everything between two values. */
export function wholeRange(lowest, highest) {
  const width = highest - lowest || 1;
  return { name: "whole range", center: (lowest + highest) / 2, width, function: "LINEAR_EXACT" };
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
