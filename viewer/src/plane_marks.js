/**
 * Marks on a plane that cuts a volume any way: each pixel shows the mark of the voxel it lies in.
 *
 * @typedef {{origin: number[], right: number[], down: number[]}} Plane where a canvas lies in a
 *   volume, in voxels (column, row, slice; whole numbers are their middles): the middle of its
 *   pixel (0, 0), and the steps to the next pixel to the right and below
 * @typedef {{bytes: Uint8Array, slices: number, rows: number, columns: number}} Grid that covers
 *   the volume, one byte a cell
 */

const HALF = 0.5; // a voxel reaches this far around its middle
const STILL = 1e-6; // voxels a pixel, that come of rounding: a plane along the voxels stays in its layer

/**
 * Give the plane of a canvas.
 * @param {number[][]} corners voxels at its upper left, upper right and lower left corner
 * @param {number} width @param {number} height in pixels
 * @returns {Plane}
 */
export function canvasPlane([corner, across, below], width, height) {
  const step = (to, pixels) => to.map((part, n) => {
    const one = (part - corner[n]) / pixels;
    return Math.abs(one) < STILL ? 0 : one;
  });
  const [right, down] = [step(across, width), step(below, height)];
  return { origin: corner.map((part, n) => part + (right[n] + down[n]) / 2), right, down };
}

/**
 * Colour the pixels of a plane by the cells that they lie in; where none is marked they stay.
 * @param {Uint32Array} picture row by row @param {number} width
 * @param {Plane} plane @param {Grid} grid @param {number[]} voxels of the volume: columns, rows, slices
 * @param {Uint32Array} palette the pixel of each value; 0 for none
 * @param {number[]|null} range first and last slice of the volume that is marked
 * @returns the picture
 */
export function paintPlane(picture, width, plane, grid, voxels, palette, range = null) {
  const { bytes, slices, rows, columns } = grid;
  const scale = [columns, rows, slices].map((cells, n) => cells / voxels[n]);
  const [ux, uy, uz] = plane.right.map((part, n) => part * scale[n]);
  const low = range ? range[0] * scale[2] : 0;
  const high = range ? (range[1] + 1) * scale[2] : slices;
  for (let at = 0, line = 0; at < picture.length; line++) {
    let [x, y, z] = plane.origin.map((part, n) => (part + line * plane.down[n] + HALF) * scale[n]);
    for (const end = at + width; at < end; at++, x += ux, y += uy, z += uz) {
      if (!(x >= 0 && y >= 0 && z >= low && x < columns && y < rows && z < high)) continue;
      const value = bytes[((z | 0) * rows + (y | 0)) * columns + (x | 0)];
      if (value !== 0 && palette[value] !== 0) picture[at] = palette[value];
    }
  }
  return picture;
}

/**
 * Outline where a plane cuts a box: corners in pixels, [] where it misses it.
 * @param {{width: number, height: number}} size of the canvas @param {Plane} plane
 * @param {number[]} low @param {number[]} high corners of the box, in voxels
 */
export function cutBox({ width, height }, plane, low, high) {
  const { origin, right, down } = plane;
  // beyond the canvas, so that where the box goes on no line is seen
  let corners = [[-width, -height], [2 * width, -height], [2 * width, 2 * height], [-width, 2 * height]];
  for (const axis of [0, 1, 2]) {
    const place = ([x, y]) => origin[axis] + x * right[axis] + y * down[axis];
    corners = halfOf(corners, (corner) => place(corner) - low[axis]);
    corners = halfOf(corners, (corner) => high[axis] - place(corner));
  }
  return corners;
}

/** Keep the part of a polygon in which a linear function is not negative. */
function halfOf(corners, depth) {
  const kept = [];
  corners.forEach((corner, n) => {
    const next = corners[(n + 1) % corners.length];
    const [here, there] = [depth(corner), depth(next)];
    if (here >= 0) kept.push(corner);
    if (here >= 0 === there >= 0) return;
    const part = here / (here - there);
    kept.push(corner.map((value, axis) => value + part * (next[axis] - value)));
  });
  return kept;
}

/**
 * Find the marked cell of a slice that lies nearest to the middle of all of them.
 * @param {ArrayLike<number>} marked cells row by row, 0 where none is @param {number} columns
 * @returns {number[]|null} column and row
 */
export function middleCell(marked, columns) {
  const cells = [];
  for (let at = 0; at < marked.length; at++) {
    if (marked[at]) cells.push([at % columns, Math.floor(at / columns)]);
  }
  if (cells.length === 0) return null;
  const middle = [0, 1].map((axis) => cells.reduce((sum, cell) => sum + cell[axis], 0) / cells.length);
  const far = ([column, row]) => (column - middle[0]) ** 2 + (row - middle[1]) ** 2;
  return cells.reduce((best, cell) => (far(cell) < far(best) ? cell : best));
}
