/**
 * Which way is the patient's right: letters at the edges of a picture, however it is turned.
 *
 * A turn is [a, b, c, d]: screen right and down = [[a, b], [c, d]] · (columns, rows), of 0, 1, -1.
 */

export const OBLIQUE = 0.34; // sine of some 20 degrees: a direction named beside the main one

/** Name a direction (x, y, z in LPS) as letters: "R", or "RA" where oblique. @returns {string} */
export function letters([x, y, z]) {
  const size = Math.hypot(x, y, z);
  if (!(size > 0)) return "";
  const towardLpf = [x / size, y / size, -z / size];
  return [0, 1, 2]
    .sort((one, two) => Math.abs(towardLpf[two]) - Math.abs(towardLpf[one]))
    .filter((axis) => Math.abs(towardLpf[axis]) >= OBLIQUE)
    .map((axis) => (towardLpf[axis] > 0 ? "LPF" : "RAH")[axis])
    .join("");
}

const minus = (/** @type {number[]} */ vector) => vector.map((part) => -part);

/** Name the four edges from the directions (LPS) of the screen's right and down. */
export function edgesOfDirections(right, down) {
  return {
    left: letters(minus(right)),
    right: letters(right),
    top: letters(minus(down)),
    bottom: letters(down),
  };
}

/** Name the edges of a slice by its affine, after a turn. @param {number[][]} affine */
export function edgesByAffine(affine, [a, b, c, d]) {
  const column = affine.slice(0, 3).map((row) => row[0]);
  const row = affine.slice(0, 3).map((line) => line[1]);
  const unit = (/** @type {number[]} */ v) => v.map((part) => part / Math.hypot(...v));
  const [i, j] = [unit(column), unit(row)];
  // the screen's right in the picture is the inverse (transpose) of the turn
  const along = (p, q) => i.map((part, axis) => p * part + q * j[axis]);
  return edgesOfDirections(along(a, b), along(c, d));
}

/** Name the edges of a film whose letters as stored are known, after a turn. */
export function edgesByLetters(edges, [a, b, c, d]) {
  const toward = (p, q) => {
    if (Math.abs(p) > 0.99) return p > 0 ? edges.right : edges.left;
    if (Math.abs(q) > 0.99) return q > 0 ? edges.bottom : edges.top;
    return "";
  };
  return { left: toward(-a, -b), right: toward(a, b), top: toward(-c, -d), bottom: toward(c, d) };
}

export const UNTURNED = [1, 0, 0, 1];
const RIGHT = [0, -1, 1, 0];

/** Do one turn after another. */
export function after([a, b, c, d], [p, q, r, s]) {
  return [a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s].map((n) => n + 0);
}

/** Turn by 90 degrees to the right. */
export const turnedRight = (turn) => after(RIGHT, turn);
/** Turn by 90 degrees to the left. */
export const turnedLeft = (turn) => after([0, 1, -1, 0], turn);
/** Mirror left and right on the screen. */
export const mirrored = (turn) => after([-1, 0, 0, 1], turn);

/** Give the turn for reading. @param {{columns: boolean, rows: boolean}} flip */
export function readingTurn(flip) {
  return [flip.columns ? -1 : 1, 0, 0, flip.rows ? -1 : 1];
}

/** Split a turn into a mirror of the columns and, after it, quarter turns to the right. */
export function mirrorAndQuarters(turn) {
  const mirror = turn[0] * turn[3] - turn[1] * turn[2] < 0;
  let rest = mirror ? after(turn, [-1, 0, 0, 1]) : turn;
  let quarters = 0;
  while (rest[0] !== 1) {
    rest = turnedLeft(rest);
    quarters += 1;
  }
  return { mirror, quarters };
}
