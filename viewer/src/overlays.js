/** What networks marked, laid over a picture or over a plane through a volume: heat, masks, boxes. */
import { ALL, MarkGrids, sliceFor, sourceOf } from "./mark_grids.js";
import { cutBox, middleCell, paintPlane } from "./plane_marks.js";

const LABEL_COLOURS = [[240, 228, 66], [86, 180, 233], [230, 100, 40], [0, 190, 140], [204, 121, 167]];
const BOX_COLOUR = "rgb(120, 220, 255)";
// dark purple over orange to light yellow, as in the pictures of the report
const HEAT_COLOURS = [
  [0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99],
  [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164],
];
const HEAT_HIT = 64; // of 255: heat from here on answers a click

export class Overlays {
  /** @param {import("./frames.js").Frames} frames @param {() => void} redraw @param {(error: Error) => void} failed */
  constructor(frames, redraw, failed) {
    this.list = [];
    this.draft = undefined;
    this.grids = new MarkGrids(frames, redraw, failed);
    this.layers = new Map(); // painted slices, by overlay
  }

  /** Take the overlays with their newest links; those of another draft are other pixels. */
  update(list, draft) {
    if (draft !== this.draft) for (const kept of [this.layers, this.grids]) kept.clear();
    [this.list, this.draft] = [list, draft];
    this.grids.update(list);
    const slots = new Map();
    for (const { id, kind } of list) {
      if (kind === "mask" || kind === "labels") slots.set(id, slots.size % LABEL_COLOURS.length);
    }
    this.slots = slots;
  }

  colour(overlay) {
    return LABEL_COLOURS[this.slots.get(overlay.id) ?? 0];
  }

  on(series, index) {
    const on = ({ slices }) => !slices || (index >= slices[0] && index <= slices[1]);
    return this.list.filter((overlay) => overlay.series === series.id && on(overlay));
  }

  /** Give the painted slice of an overlay; undefined while it comes. */
  layer(overlay, index) {
    const key = `${overlay.id}/${sliceFor(overlay, index)}`;
    const held = this.layers.get(key);
    if (held) return held;
    const grid = this.grids.slice(overlay, index);
    if (!grid) return undefined;
    const { bytes, rows, columns } = grid;
    const palette = this.palette([overlay]);
    const layer = painted(columns, rows, (picture) => {
      for (let n = 0; n < bytes.length; n++) picture[n] = palette[bytes[n]];
    });
    this.layers.set(key, layer);
    return layer;
  }

  /** Give the pixel of each value of a grid, for the overlays that share it. */
  palette(overlays) {
    const colours = new Uint8ClampedArray(256 * 4);
    for (const overlay of overlays) {
      const colour = [...this.colour(overlay), 255];
      for (let value = 0; value < 256; value++) {
        if (overlay.kind === "heat") colours.set(heatColour(value), value * 4);
        else if (inside(value, overlay)) colours.set(colour, value * 4);
      }
    }
    return new Uint32Array(colours.buffer);
  }

  /**
   * Draw the shown overlays of a slice.
   * @param {CanvasRenderingContext2D} context
   * @param {{origin: number[], column: number[], row: number[]}} place of pixel (0, 0) and of the
   *   steps to the next column and row, in pixels of the canvas
   */
  draw(context, series, index, shown, opacity, place) {
    context.save();
    const { origin, column, row } = place;
    context.setTransform(column[0], column[1], row[0], row[1], origin[0], origin[1]);
    for (const overlay of this.on(series, index)) {
      if (!shown(overlay)) continue;
      const layer = this.layer(overlay, index);
      context.globalAlpha = opacity;
      context.imageSmoothingEnabled = overlay.kind === "heat";
      if (layer) context.drawImage(layer, -0.5, -0.5, series.columns, series.rows);
      context.globalAlpha = 1;
      if (overlay.box_xyxy) {
        const { low, high } = boxOf(overlay, series);
        context.strokeStyle = BOX_COLOUR;
        context.lineWidth = (2 * devicePixelRatio) / Math.hypot(...column);
        context.strokeRect(low[0], low[1], high[0] - low[0], high[1] - low[1]);
      }
    }
    context.restore();
  }

  /**
   * Draw the shown overlays of a volume where a plane cuts them.
   * @param {CanvasRenderingContext2D} context
   * @param {import("./plane_marks.js").Plane} plane the canvas in the volume
   * @param {Map<string, object>} kept what was painted on this plane before
   * @returns {string} what is not drawn yet, or can't be, in words
   */
  drawPlane(context, series, plane, shown, opacity, kept) {
    const on = this.list.filter((overlay) => overlay.series === series.id && shown(overlay));
    const states = new Set();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = opacity;
    for (const sharing of bySource(on.filter(({ url }) => url))) {
      const { grid, error } = this.grids.got(sharing[0], ALL);
      if (grid) context.drawImage(this.planeLayer(context.canvas, series, plane, grid, sharing, kept), 0, 0);
      else states.add(error ? `marks can't be shown: ${error.message}` : "marks are on their way");
    }
    context.globalAlpha = 1;
    context.strokeStyle = BOX_COLOUR;
    context.lineWidth = 2 * devicePixelRatio;
    for (const overlay of on.filter(({ box_xyxy: box }) => box)) {
      const { low, high } = boxOf(overlay, series);
      strokeAround(context, cutBox(context.canvas, plane, low, high));
    }
    return [...states].join(", ");
  }

  /** Paint what overlays of one grid mark on a plane, unless it is painted. */
  planeLayer({ width, height }, series, plane, grid, sharing, kept) {
    const source = sourceOf(sharing[0]);
    const key = JSON.stringify([width, height, plane, sharing.map(({ id }) => id)]);
    const held = kept.get(source);
    if (held?.key === key && held.grid === grid) return held.layer;
    const voxels = [series.columns, series.rows, series.frames];
    const layer = painted(width, height, (picture) =>
      paintPlane(picture, width, plane, grid, voxels, this.palette(sharing), rangeOf(sharing)));
    kept.set(source, { key, grid, layer });
    return layer;
  }

  /** Find the middle of the first of some overlays on a slice. @returns {Promise<number[]|null>} its pixel */
  async middle(series, index, shown) {
    for (const overlay of this.on(series, index).filter(shown)) {
      if (overlay.box_xyxy) {
        const { low, high } = boxOf(overlay, series);
        return [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
      }
      if (!overlay.url) continue;
      const entry = this.grids.got(overlay, sliceFor(overlay, index));
      await entry.coming;
      if (!entry.grid) continue;
      const { bytes, rows, columns } = entry.grid;
      const cell = middleCell(bytes.map((value) => Number(isHit(value, overlay))), columns);
      if (!cell) continue;
      return [(cell[0] + 0.5) * (series.columns / columns) - 0.5, (cell[1] + 0.5) * (series.rows / rows) - 0.5];
    }
    return null;
  }

  /** List the statements of the shown overlays at a voxel (column, row, slice). */
  statementsAt(series, [column, row, index], shown) {
    const [x, y] = [(column + 0.5) / series.columns, (row + 0.5) / series.rows];
    if (x < 0 || y < 0 || index < 0 || x >= 1 || y >= 1 || index >= series.frames) return [];
    const hit = (overlay) => {
      const box = overlay.box_xyxy;
      if (box && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]) return true;
      const grid = this.grids.slice(overlay, index);
      if (!grid) return false;
      const cell = Math.floor(y * grid.rows) * grid.columns + Math.floor(x * grid.columns);
      return isHit(grid.bytes[cell], overlay);
    };
    const hits = this.on(series, index).filter((overlay) => shown(overlay) && hit(overlay));
    return [...new Set(hits.flatMap((overlay) => overlay.statements))];
  }
}

const inside = (value, overlay) => (overlay.label == null ? value > 0 : value === overlay.label);
const isHit = (value, overlay) => (overlay.kind === "heat" ? value >= HEAT_HIT : inside(value, overlay));

/** Sort overlays into those that share their grid. */
function bySource(overlays) {
  const found = new Map();
  for (const overlay of overlays) {
    const source = sourceOf(overlay);
    found.set(source, [...(found.get(source) ?? []), overlay]);
  }
  return found.values();
}

/** Give the slices that overlays reach together; null for all. */
function rangeOf(overlays) {
  if (!overlays.every(({ slices }) => slices)) return null;
  return [Math.min(...overlays.map(({ slices }) => slices[0])), Math.max(...overlays.map(({ slices }) => slices[1]))];
}

/** Give the corners of an overlay's box, in voxels: it holds its slices whole. */
function boxOf({ box_xyxy: [x0, y0, x1, y1], slices }, { columns, rows, frames }) {
  const [first, last] = slices ?? [0, frames - 1];
  return {
    low: [x0 * columns - 0.5, y0 * rows - 0.5, first - 0.5],
    high: [x1 * columns - 0.5, y1 * rows - 0.5, last + 0.5],
  };
}

function strokeAround(context, corners) {
  context.beginPath();
  corners.forEach(([x, y], n) => (n ? context.lineTo(x + 0.5, y + 0.5) : context.moveTo(x + 0.5, y + 0.5)));
  if (corners.length) context.closePath();
  context.stroke();
}

/** Make a picture of pixels. @param {(picture: Uint32Array) => void} paint */
function painted(width, height, paint) {
  const picture = new ImageData(width, height);
  paint(new Uint32Array(picture.data.buffer));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** Give the colour of heat; where there is none the picture stays as it is. */
function heatColour(value) {
  const place = (value / 255) * (HEAT_COLOURS.length - 1);
  const lower = Math.min(Math.floor(place), HEAT_COLOURS.length - 2);
  const part = place - lower;
  const mixed = HEAT_COLOURS[lower].map((c, n) => c * (1 - part) + HEAT_COLOURS[lower + 1][n] * part);
  return [...mixed.map(Math.round), Math.min(255, Math.round(value * 1.5))];
}
