/** Bytes of what networks marked: fetched once, by slices or whole, for all overlays that share them. */

/** The slice that stands for every one. */
export const ALL = "all";
const AGAIN_MS = 5_000; // after which what could not be fetched is asked for again

/** Heat is one picture for all slices. */
export const sliceFor = (overlay, index) => (overlay.kind === "heat" ? 0 : index);
export const sourceOf = (overlay) => overlay.source || overlay.id;

export class MarkGrids {
  /**
   * @param {import("./frames.js").Frames} frames @param {() => void} redraw
   * @param {(error: Error) => void} failed
   */
  constructor(frames, redraw, failed) {
    this.frames = frames;
    this.redraw = redraw;
    this.failed = failed;
    this.newest = new Map();
    this.held = new Map();
  }

  /** Take the overlays with their newest links. */
  update(list) {
    this.newest = new Map(list.map((overlay) => [overlay.id, overlay]));
  }

  clear() {
    this.held.clear();
  }

  /**
   * Give what is held of an overlay's slice, or of all: `grid` once it has come, `error` if it
   * can't; `coming` ends with either.
   * @param {number|string} slice
   * @returns {{grid?: import("./plane_marks.js").Grid, error?: Error, coming?: Promise<void>}}
   */
  got(overlay, slice) {
    const source = sourceOf(overlay);
    const whole = this.held.get(`${source}/${ALL}`)?.grid;
    if (whole && slice !== ALL) return { grid: sliceOf(whole, slice) };
    const key = `${source}/${slice}`;
    const held = this.held.get(key);
    if (held && !(performance.now() - held.failedAt > AGAIN_MS)) return held;
    const entry = {};
    this.held.set(key, entry);
    entry.coming = this.read(overlay, slice).then(
      (grid) => {
        entry.grid = grid;
        this.redraw();
      },
      (error) => {
        Object.assign(entry, { error, failedAt: performance.now() });
        if (error.name === "AbortError") return;
        this.failed(error);
        this.redraw();
      },
    );
    return entry;
  }

  /** Give the bytes of a slice; undefined while they come, and where an overlay has none. */
  slice(overlay, index) {
    return overlay.url ? this.got(overlay, sliceFor(overlay, index)).grid : undefined;
  }

  async read(overlay, slice) {
    const url = () => {
      const { url: newest } = this.newest.get(overlay.id) ?? overlay;
      return `${newest}${newest.includes("?") ? "&" : "?"}slice=${slice}`;
    };
    const answer = await this.frames.answer(overlay.series, url);
    const length = (name) => Number(answer.headers.get(`Medmm-${name}`) ?? 1);
    const [slices, rows, columns] = ["Slices", "Rows", "Columns"].map(length);
    const body = slice === ALL ? answer.body.pipeThrough(new DecompressionStream("gzip")) : answer.body;
    const bytes = new Uint8Array(await new Response(body).arrayBuffer());
    if (!(rows > 0) || bytes.length !== slices * rows * columns) {
      throw new Error(`the overlay ${overlay.name} has not its rows and columns`);
    }
    return { bytes, slices, rows, columns };
  }
}

function sliceOf({ bytes, slices, rows, columns }, index) {
  const from = Math.min(index, slices - 1) * rows * columns;
  return { bytes: bytes.subarray(from, from + rows * columns), slices: 1, rows, columns };
}
