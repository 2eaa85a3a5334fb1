/**
 * Frames of the series of one viewer: fetched by their links, kept by Cornerstone's cache up to a
 * number of bytes, asked for anew when a link has expired.
 */
import { cache, imageLoader, metaData, utilities } from "@cornerstonejs/core";
import { throughTable } from "./grey.js";
import { planeOf } from "./geometry.js";

const CACHE_BYTES = 768 * 1024 * 1024;
const EXPIRED = new Set([401, 403, 410]);
const NEW_LINK_WAIT_MS = 20_000;
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
    return { promise: frames.fetched(series, index) };
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
    const pixelRepresentation = series.pixel_type === "int16" && !series.lut ? 1 : 0;
    return {
      bitsAllocated: 16, bitsStored: 16, highBit: 15, pixelRepresentation, samplesPerPixel: 1,
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
    this.waiting = new Set();
    this.stopped = new AbortController();
    viewers.set(viewer, this);
  }

  /** Take the series with their newest links. */
  update(list) {
    this.series = new Map(list.map((series) => [series.id, series]));
    for (const wake of [...this.waiting]) wake();
  }

  imageId(series, index) {
    return `medmm:${this.viewer}/${series.id}/${index}`;
  }

  imageIds(series) {
    return Array.from({ length: series.frames }, (_, index) => this.imageId(series, index));
  }

  /** Load a frame into the cache. Rejects with words for the reader. */
  load(series, index) {
    return imageLoader.loadAndCacheImage(this.imageId(series, index));
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

  /** Fetch bytes by a link that may have expired. @param {(series: any) => string} url */
  async bytes(id, url) {
    for (let attempt = 0; ; attempt++) {
      const used = url(this.series.get(id));
      const answer = await fetch(used, {
        credentials: "same-origin",
        signal: this.stopped.signal,
      });
      if (answer.ok) return answer.arrayBuffer();
      if (!EXPIRED.has(answer.status) || attempt > 0) {
        throw new Error(`the server answered ${answer.status} for this image`);
      }
      await this.renewed(() => url(this.series.get(id)) !== used);
    }
  }

  /** Wait until the page has sent new links. */
  renewed(isNew) {
    this.wantLinks();
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
    const body = await this.bytes(series.id, (newest) =>
      newest.frame_url.replace("{index}", String(index)),
    );
    if (body.byteLength !== 2 * series.rows * series.columns) {
      throw new Error(`the image has ${body.byteLength} bytes instead of its rows and columns`);
    }
    const stored = series.pixel_type === "int16" ? new Int16Array(body) : new Uint16Array(body);
    return imageOf(this.imageId(series, index), series, index, stored);
  }

  /** Forget everything of this viewer: its pixels leave the browser's memory. */
  destroy() {
    this.stopped.abort();
    viewers.delete(this.viewer);
    for (const id of [...(cache._volumeCache?.keys() ?? [])]) {
      if (id.includes(`:${this.viewer}/`)) cache.removeVolumeLoadObject(id);
    }
    for (const id of [...(cache._imageCache?.keys() ?? [])]) {
      if (id.startsWith(`medmm:${this.viewer}/`)) cache.removeImageLoadObject(id, { force: true });
    }
  }
}

function imageOf(imageId, series, index, stored) {
  const { rows, columns } = series;
  const pixels = series.lut ? throughTable(stored, series) : stored;
  let [lowest, highest] = [Infinity, -Infinity];
  for (let n = 0; n < pixels.length; n++) {
    if (pixels[n] < lowest) lowest = pixels[n];
    if (pixels[n] > highest) highest = pixels[n];
  }
  const { rowSpacing, columnSpacing } = planeOf(series, index);
  return {
    imageId, minPixelValue: lowest, maxPixelValue: highest, slope: 1, intercept: 0,
    windowCenter: 0.5, windowWidth: 1, voiLUTFunction: "LINEAR", rows, columns, height: rows,
    width: columns, color: false, rgba: false, numberOfComponents: 1, invert: false,
    columnPixelSpacing: columnSpacing, rowPixelSpacing: rowSpacing,
    sizeInBytes: pixels.byteLength, dataType: pixels.constructor.name,
    getPixelData: () => pixels,
    valueAt: (column, row) => stored[row * columns + column] * series.slope + series.intercept,
    voxelManager: utilities.VoxelManager.createImageVoxelManager({
      width: columns, height: rows, scalarData: pixels, numberOfComponents: 1,
    }),
  };
}
