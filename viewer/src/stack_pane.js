/** A pane whose slices Cornerstone draws as they were acquired. */
import { Enums } from "@cornerstonejs/core";
import vtkDataArray from "@kitware/vtk.js/Common/Core/DataArray.js";
import vtkColorTransferFunction from "@kitware/vtk.js/Rendering/Core/ColorTransferFunction.js";
import { noteCanvas } from "./engine.js";
import { greyNodes } from "./grey.js";
import { add, planeOf, scaled, subtract, dot } from "./geometry.js";
import { mirrorAndQuarters } from "./orientation.js";
import { Pane } from "./pane.js";

const LINE = "rgba(90, 176, 255, 0.8)";
const GAP_PX = 14;

/** Draw where planes cut this one: lines with a gap around their point. @param {number[]} at in CSS pixels */
export function drawCrosshair(canvas, at) {
  const context = canvas.getContext("2d");
  const [x, y] = at.map((part) => part * devicePixelRatio);
  const gap = GAP_PX * devicePixelRatio;
  const { width, height } = canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.strokeStyle = LINE;
  context.lineWidth = devicePixelRatio;
  context.beginPath();
  for (const [x0, y0, x1, y1] of [
    [0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height],
  ]) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.stroke();
}

/** Set the grey of a viewport's picture by its nodes, whatever the viewport would choose. */
export function setGrey(viewport, nodes) {
  const actor = viewport.getDefaultActor()?.actor;
  if (!actor) return;
  const property = actor.getProperty();
  const transfer = vtkColorTransferFunction.newInstance();
  const straight = [0.5, 0]; // midpoint and sharpness: no bend between two nodes
  const values = Float64Array.from(
    nodes.flatMap(([value, grey]) => [value, grey, grey, grey, ...straight]),
  );
  transfer.buildFunctionFromArray(vtkDataArray.newInstance({ values, numberOfComponents: 6 }));
  actor.getMapper().setColorTextureWidth?.(nodes.length > 1024 ? 4096 : 1024);
  property.setUseLookupTableScalarRange?.(true);
  property.setRGBTransferFunction(0, transfer);
}

/** Say how large a pixel of the image is on the screen. */
export function sizeWords(pixelsOnScreen) {
  return `${Math.round(pixelsOnScreen * 100)} %`;
}

export class DrawnPane extends Pane {
  /** @param {string} type of viewport */
  constructor(viewer, number, type, orientation) {
    super(viewer, number);
    this.id = `${viewer.id}-${viewer.count++}`;
    this.type = type;
    this.orientation = orientation;
    this.onDrawn = () => this.redraw();
  }

  /** Open the viewport, once the pane is in the document. */
  open() {
    const { engine, group } = this.viewer;
    const defaultOptions = { background: [0, 0, 0], orientation: this.orientation };
    engine.enableElement({
      viewportId: this.id, type: this.type, element: this.picture, defaultOptions,
    });
    this.viewport = engine.getViewport(this.id);
    noteCanvas(this.id);
    group.addViewport(this.id, engine.id);
    this.picture.addEventListener(Enums.Events.IMAGE_RENDERED, this.onDrawn);
    this.viewer.paneOf.set(this.picture, this);
    const canvas = this.picture.querySelector("canvas");
    canvas?.setAttribute("role", "img");
    canvas?.setAttribute("aria-label", `Picture in pane ${this.number}`);
  }

  destroy() {
    super.destroy();
    const { engine, group } = this.viewer;
    this.picture.removeEventListener(Enums.Events.IMAGE_RENDERED, this.onDrawn);
    if (!this.viewport) return;
    group.removeViewports(engine.id, this.id);
    engine.disableElement(this.id);
    this.viewport = null;
  }

  /** Draw the window anew. */
  regrey() {
    if (!this.viewport || !this.series) return;
    const { lut, inverted } = this.facts();
    setGrey(this.viewport, greyNodes(this.window, Boolean(inverted) !== this.inverted, lut));
    this.viewport.render();
  }

  zoomBy(factor) {
    if (!this.viewport) return;
    this.viewport.setZoom(this.viewport.getZoom() * factor);
    this.viewport.render();
    this.described();
  }

  panBy(dx, dy) {
    if (!this.viewport) return;
    const [x, y] = this.viewport.getPan();
    this.viewport.setPan([x + dx, y + dy]);
    this.viewport.render();
  }
}

export class StackPane extends DrawnPane {
  constructor(viewer, number) {
    super(viewer, number, Enums.ViewportType.STACK);
  }

  fetch(series, index) {
    return this.viewer.frames.load(series, index);
  }

  async draw(isNew) {
    const { viewport, viewer, series, index } = this;
    if (isNew) await viewport.setStack(viewer.frames.imageIds(series), index);
    else await viewport.setImageIdIndex(index);
    if (isNew) this.reframe();
    this.regrey();
  }

  /** Lay the picture as it is turned, as large as fits. */
  reframe() {
    const { viewport } = this;
    if (!viewport || !this.series) return;
    const { mirror, quarters } = mirrorAndQuarters(this.turn);
    viewport.resetCamera({ resetPan: true, resetZoom: true });
    viewport.setViewPresentation({
      rotation: (quarters * 90) % 360, flipHorizontal: mirror, flipVertical: false,
    });
    this.fit();
  }

  fit() {
    const box = this.box();
    if (!box) return;
    const [width, height] = [this.picture.clientWidth, this.picture.clientHeight];
    if (!(width > 0 && height > 0)) return;
    this.zoomBy(Math.min(width / box.width, height / box.height));
    this.centre();
    this.fitted = true;
  }

  /** Find the box around the picture on the screen. */
  box() {
    if (!this.viewport || !this.series) return null;
    const { columns, rows } = this.series;
    const corners = [[-0.5, -0.5], [columns - 0.5, rows - 0.5]].map((corner) => this.toCanvas(corner));
    const [[x0, y0], [x1, y1]] = corners;
    return {
      width: Math.abs(x1 - x0), height: Math.abs(y1 - y0), x: (x0 + x1) / 2, y: (y0 + y1) / 2,
    };
  }

  centre() {
    const { x, y } = this.box();
    this.panBy(this.picture.clientWidth / 2 - x, this.picture.clientHeight / 2 - y);
  }

  oneToOne() {
    if (!this.series) return;
    this.zoomBy(1 / this.pixelOnScreen());
    this.centre();
    this.fitted = false;
  }

  /** Give the width of a column on the screen, in its device's pixels. */
  pixelOnScreen() {
    const [one, two] = [this.toCanvas([0, 0]), this.toCanvas([1, 0])];
    return Math.hypot(...subtract(two, one)) * devicePixelRatio;
  }

  /** Name the edges by where pixels really lie, not by where they were asked to. */
  letters() {
    const origin = this.toCanvas([0, 0]);
    if (!origin) return super.letters();
    const toward = (pixel) => {
      const step = subtract(this.toCanvas(pixel), origin);
      return scaled(step, 1 / Math.hypot(...step)).map(Math.round);
    };
    const [column, row] = [toward([1, 0]), toward([0, 1])];
    return super.letters([column[0], row[0], column[1], row[1]]);
  }

  zoomWords() {
    return this.viewport && this.series ? sizeWords(this.pixelOnScreen()) : "";
  }

  zoomBy(factor) {
    this.fitted = false;
    super.zoomBy(factor);
  }

  toCanvas([column, row]) {
    const plane = planeOf(this.series, this.index);
    const along = scaled(plane.row, column * plane.columnSpacing);
    const down = scaled(plane.column, row * plane.rowSpacing);
    return this.viewport?.worldToCanvas(add(plane.origin, add(along, down)));
  }

  toPixel(at) {
    return this.viewport && this.pixelOf(this.viewport.canvasToWorld(at));
  }

  /** Find the pixel (column, row) of a place that Cornerstone knows. */
  pixelOf(world) {
    const plane = planeOf(this.series, this.index);
    const from = subtract(world, plane.origin);
    return [dot(from, plane.row) / plane.columnSpacing, dot(from, plane.column) / plane.rowSpacing];
  }

  /** Draw the marks, and the crosshair of the three planes where it lies on this slice. */
  redraw() {
    super.redraw();
    const { point, open } = this.viewer.three;
    const at = open && this.series && this.viewport?.worldToCanvas(point);
    if (at) drawCrosshair(this.marks, at);
  }

  resized() {
    if (this.fitted) this.reframe();
    else this.redraw();
  }
}
