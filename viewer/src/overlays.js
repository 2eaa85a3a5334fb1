/** What networks marked, laid over a picture: heat, masks, boxes. */

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
    this.frames = frames;
    this.redraw = redraw;
    this.failed = failed;
    this.list = [];
    this.layers = new Map();
    this.grids = new Map();
  }

  update(list) {
    this.list = list;
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

  /** Give the bytes and the drawn layer of an overlay on a slice; undefined while it comes. */
  layer(overlay, index) {
    if (!overlay.url) return undefined;
    const slice = overlay.kind === "heat" ? 0 : index;
    const key = `${overlay.id}/${slice}`;
    const held = this.layers.get(key);
    if (held !== undefined) return held ?? undefined;
    this.layers.set(key, null);
    this.fetched(overlay, slice).then(
      (layer) => {
        this.layers.set(key, layer);
        this.redraw();
      },
      (error) => {
        this.layers.delete(key);
        if (error.name !== "AbortError") this.failed(error);
      },
    );
    return undefined;
  }

  async fetched(overlay, slice) {
    const url = () => {
      const newest = this.list.find(({ id }) => id === overlay.id) ?? overlay;
      return `${newest.url}${newest.url.includes("?") ? "&" : "?"}slice=${slice}`;
    };
    const { bytes, rows, columns } = await this.grid(overlay, url);
    const picture = new ImageData(columns, rows);
    const paint = overlay.kind === "heat" ? heatInto : maskInto(this.colour(overlay), overlay);
    bytes.forEach((value, n) => paint(picture.data, n * 4, value));
    const canvas = new OffscreenCanvas(columns, rows);
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return { bytes, rows, columns, canvas };
  }

  /** Fetch a grid of bytes once for all overlays that share it. */
  grid(overlay, url) {
    const first = url();
    if (!this.grids.has(first)) {
      const coming = this.read(overlay, url);
      coming.catch(() => this.grids.delete(first));
      this.grids.set(first, coming);
    }
    return this.grids.get(first);
  }

  async read(overlay, url) {
    const answer = await this.frames.answer(overlay.series, url);
    const [rows, columns] = ["Medmm-Rows", "Medmm-Columns"].map((name) => Number(answer.headers.get(name)));
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (!(rows > 0) || bytes.length !== rows * columns) {
      throw new Error(`the overlay ${overlay.name} has not its rows and columns`);
    }
    return { bytes, rows, columns };
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
      if (layer) context.drawImage(layer.canvas, -0.5, -0.5, series.columns, series.rows);
      context.globalAlpha = 1;
      if (overlay.box_xyxy) {
        const [x0, y0, x1, y1] = overlay.box_xyxy;
        context.strokeStyle = BOX_COLOUR;
        context.lineWidth = (2 * devicePixelRatio) / Math.hypot(...column);
        const [wide, high] = [series.columns, series.rows];
        context.strokeRect(x0 * wide - 0.5, y0 * high - 0.5, (x1 - x0) * wide, (y1 - y0) * high);
      }
    }
    context.restore();
  }

  /** List the statements of the shown overlays at a pixel. */
  statementsAt(series, index, [column, row], shown) {
    const [x, y] = [(column + 0.5) / series.columns, (row + 0.5) / series.rows];
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return [];
    const hit = (overlay) => {
      const box = overlay.box_xyxy;
      if (box && x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]) return true;
      const layer = this.layer(overlay, index);
      if (!layer) return false;
      const cell = Math.floor(y * layer.rows) * layer.columns + Math.floor(x * layer.columns);
      const value = layer.bytes[cell];
      return overlay.kind === "heat" ? value >= HEAT_HIT : inside(value, overlay);
    };
    const hits = this.on(series, index).filter((overlay) => shown(overlay) && hit(overlay));
    return [...new Set(hits.flatMap((overlay) => overlay.statements))];
  }
}

const inside = (value, overlay) => (overlay.label == null ? value > 0 : value === overlay.label);

function maskInto([red, green, blue], overlay) {
  return (data, at, value) => {
    if (inside(value, overlay)) data.set([red, green, blue, 255], at);
  };
}

/** Colour heat; where there is none the picture stays as it is. */
function heatInto(data, at, value) {
  const place = (value / 255) * (HEAT_COLOURS.length - 1);
  const lower = Math.min(Math.floor(place), HEAT_COLOURS.length - 2);
  const part = place - lower;
  const mixed = HEAT_COLOURS[lower].map((c, n) => c * (1 - part) + HEAT_COLOURS[lower + 1][n] * part);
  data.set([...mixed.map(Math.round), Math.min(255, Math.round(value * 1.5))], at);
}
