/**
 * Frames of the series of one viewer: fetched by their links, kept by Cornerstone's cache up to a
 * number of bytes, asked for anew when a link has expired.
 */
import { cache, imageLoader, metaData, utilities } from "@cornerstonejs/core";
import { planeOf } from "./geometry.js";

const CACHE_BYTES = 768 * 1024 * 1024;
const EXPIRED = new Set([401, 403]);
const BUSY = 503;
const BUSY_TRIES = 4;
const NEW_LINK_WAIT_MS = 20_000;
const ASK_AGAIN_MS = 5_000;
const AHEAD = [1, 2, 3, 4, -1];

/** @type {Map<string, Frames>} */
const viewers = new Map();
let registered = false;

function register() {
  if (registered) return;
  registered = true;
  cache.setMaxCacheSize(CACHE_BYTES);
  imageLoader.registerImageLoader("medmm", (imageId) => {
    const { frames, series, index } = found(imageId);
    const come = frames.come.get(imageId);
    return { promise: come ? Promise.resolve(come) : frames.fetched(series, index) };
  });
  metaData.addProvider(metadataOf, 10_000);
}

function found(imageId) {
  const [viewer, series, index] = imageId.slice("medmm:".length).split("/");
  const frames = viewers.get(viewer);
  return { frames, series: frames?.series.get(series), index: Number(index) };
}

/** Answer Cornerstone's questions about an image; its window and its inversion are set by us. */
function metadataOf(type, imageId) {
  if (typeof imageId !== "string" || !imageId.startsWith("medmm:")) return undefined;
  const { series, index } = found(imageId);
  if (!series) return undefined;
  const { rows, columns } = series;
  if (type === "imagePixelModule") {
    return {
      bitsAllocated: 32, bitsStored: 32, highBit: 31, pixelRepresentation: 1, samplesPerPixel: 1,
      photometricInterpretation: "MONOCHROME2", rows, columns,
    };
  }
  if (type === "generalSeriesModule") {
    return { modality: series.modality, seriesInstanceUID: series.id };
  }
  if (type === "imagePlaneModule") {
    const { origin, row, column, rowSpacing, columnSpacing } = planeOf(series, index);
    return {
      frameOfReferenceUID: frameOfReference(imageId), rows, columns,
      imageOrientationPatient: [...row, ...column], rowCosines: row, columnCosines: column,
      imagePositionPatient: origin, pixelSpacing: [rowSpacing, columnSpacing],
      rowPixelSpacing: rowSpacing, columnPixelSpacing: columnSpacing, usingDefaultValues: false,
    };
  }
  if (type === "voiLutModule") return { windowCenter: [0.5], windowWidth: [1] };
  if (type === "modalityLutModule") return { rescaleSlope: 1, rescaleIntercept: 0 };
  return undefined;
}

/** Keep measurements of one series of one viewer apart from all others. */
function frameOfReference(imageId) {
  return imageId.slice(0, imageId.lastIndexOf("/"));
}

export class Frames {
  /** @param {string} viewer @param {() => void} wantLinks asks the page for new links */
  constructor(viewer, wantLinks) {
    register();
    this.viewer = viewer;
    this.wantLinks = wantLinks;
    this.series = new Map();
    this.seen = new Map();
    this.askedAt = -Infinity;
    this.waiting = new Set();
    this.coming = new Map(); // frames on their way
    this.come = new Map(); // frames on their way into Cornerstone's cache
    this.stopped = new AbortController();
    viewers.set(viewer, this);
  }

  /** Take the series with their newest links. */
  update(list) {
    this.series = new Map(list.map((series) => [series.id, series]));
    for (const series of list) this.seen.set(series.id, series);
    for (const wake of [...this.waiting]) wake();
  }

  imageId(series, index) {
    return `medmm:${this.viewer}/${series.id}/${index}`;
  }

  volumeId(series) {
    return `cornerstoneStreamingImageVolume:${this.viewer}/${series.id}`;
  }

  imageIds(series) {
    return Array.from({ length: series.frames }, (_, index) => this.imageId(series, index));
  }

  /** Load a frame into the cache. Rejects with words for the reader. */
  async load(series, index) {
    const id = this.imageId(series, index);
    if (this.held(series, index)) return;
    // what failed never reaches Cornerstone, which leaves its rejection to nobody
    if (!this.coming.has(id)) {
      const coming = this.fetched(series, index).finally(() => this.coming.delete(id));
      this.coming.set(id, coming);
    }
    this.come.set(id, await this.coming.get(id));
    try {
      await imageLoader.loadAndCacheImage(id);
    } finally {
      this.come.delete(id);
    }
  }

  /** Give a frame that is in the cache, or undefined. */
  held(series, index) {
    return cache.getImage(this.imageId(series, index));
  }

  /** Fetch the neighbours, the way it goes first; a failure shows when the frame is opened. */
  ahead(series, index, direction) {
    for (const step of AHEAD) {
      const next = index + step * (direction < 0 ? -1 : 1);
      if (next >= 0 && next < series.frames && !this.held(series, next)) {
        this.load(series, next).catch(() => undefined);
      }
    }
  }

  /** Fetch by a link that may have expired. @param {(series: any) => string} url @returns {Promise<Response>} */
  async answer(id, url) {
    let renewals = 0;
    for (let tries = 1; ; tries++) {
      const series = this.series.get(id);
      if (!series) throw new Error("the study no longer holds this image");
      const used = url(series);
      const { signal } = this.stopped;
      const answer = await fetch(used, { credentials: "same-origin", signal });
      if (answer.ok) return answer;
      if (answer.status === BUSY && tries < BUSY_TRIES) {
        const seconds = Number(answer.headers.get("Retry-After")) || 1;
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      } else if (EXPIRED.has(answer.status) && renewals === 0) {
        renewals += 1;
        const isNew = () => !this.series.has(id) || url(this.series.get(id)) !== used;
        await this.renewed(isNew);
      } else {
        throw new Error(await problemOf(answer));
      }
    }
  }

  /** Wait until the page has sent new links. */
  renewed(isNew) {
    const now = performance.now();
    if (now - this.askedAt > ASK_AGAIN_MS) {
      this.askedAt = now;
      this.wantLinks();
    }
    return new Promise((resolve, reject) => {
      const done = (call) => {
        this.waiting.delete(wake);
        clearTimeout(timer);
        call();
      };
      const wake = () => isNew() && done(resolve);
      const late = () => done(() => reject(new Error("the link to this image has expired")));
      const timer = setTimeout(late, NEW_LINK_WAIT_MS);
      this.waiting.add(wake);
    });
  }

  async fetched(series, index) {
    const answer = await this.answer(series.id, (newest) =>
      newest.frame_url.replace("{index}", String(index)),
    );
    const body = await answer.arrayBuffer();
    const bytes = 2 * series.rows * series.columns;
    if (body.byteLength < bytes) {
      throw new Error(`the image has ${body.byteLength} bytes, fewer than its rows and columns`);
    }
    const behind = new TextDecoder().decode(new Uint8Array(body, bytes));
    const facts = behind ? JSON.parse(behind) : series;
    const Stored = facts.pixel_type === "int16" ? Int16Array : Uint16Array;
    const stored = new Stored(body, 0, bytes / 2);
    return imageOf(this.imageId(series, index), series, index, stored, facts);
  }

  /** Forget everything of this viewer: its pixels leave the browser's memory. */
  destroy() {
    this.stopped.abort();
    viewers.delete(this.viewer);
    for (const series of this.seen.values()) {
      if (cache.getVolume(this.volumeId(series))) cache.removeVolumeLoadObject(this.volumeId(series));
      for (const id of this.imageIds(series)) {
        if (cache.getImageLoadObject(id)) cache.removeImageLoadObject(id, { force: true });
      }
    }
  }
}

/** Read what went wrong in the server's own words. */
async function problemOf(answer) {
  const isJson = answer.headers.get("Content-Type")?.includes("json");
  const { problem, remedy } = isJson ? await answer.json() : {};
  return problem ? `${problem}; ${remedy}` : `the server answered ${answer.status}`;
}

/** Make Cornerstone's image of values: stored ones after this frame's own slope and intercept. */
function imageOf(imageId, series, index, stored, facts) {
  const { rows, columns } = series;
  const { slope, intercept, background } = facts;
  const values = new Float32Array(stored.length);
  let [lowest, highest] = [Infinity, -Infinity];
  for (let n = 0; n < stored.length; n++) {
    const value = stored[n] * slope + intercept;
    values[n] = value;
    if (stored[n] === background) continue;
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  if (lowest > highest) [lowest, highest] = [values[0], values[0]];
  const { rowSpacing, columnSpacing } = planeOf(series, index);
  const empty = background == null ? null : Math.fround(background * slope + intercept);
  return {
    imageId, facts, minPixelValue: lowest, maxPixelValue: highest, slope: 1, intercept: 0,
    windowCenter: 0.5, windowWidth: 1, voiLUTFunction: "LINEAR", rows, columns, height: rows,
    width: columns, color: false, rgba: false, numberOfComponents: 1, invert: false,
    columnPixelSpacing: columnSpacing, rowPixelSpacing: rowSpacing,
    sizeInBytes: values.byteLength, dataType: "Float32Array", getPixelData: () => values,
    valueAt: (column, row) => {
      const value = values[row * columns + column];
      return value === empty ? undefined : value;
    },
    voxelManager: utilities.VoxelManager.createImageVoxelManager({
      width: columns, height: rows, scalarData: values, numberOfComponents: 1,
    }),
  };
}
