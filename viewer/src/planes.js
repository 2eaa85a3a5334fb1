/** Three planes through one point of an MR series, and its slices as acquired, linked by a crosshair. */
import { Enums, volumeLoader } from "@cornerstonejs/core";
import { add, axes, dot, norm, placeWords, scaled, subtract, toPatient, toVoxel, unit } from "./geometry.js";
import { edgesOfDirections } from "./orientation.js";
import { say } from "./dom.js";
import { canvasPlane } from "./plane_marks.js";
import { valueWords } from "./pane.js";
import { DrawnPane, drawCrosshair, sizeWords } from "./stack_pane.js";

const AT_ONCE = 6;
export const PLANES = ["axial", "sagittal", "coronal"];

/** Load all slices of a series as one volume. @param {(done: number) => void} progress */
export async function loadVolume(frames, series, progress) {
  let [next, done] = [0, 0];
  const worker = async () => {
    while (next < series.frames) {
      const index = next++;
      await frames.load(series, index);
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const id = frames.volumeId(series);
  const volume = await volumeLoader.createAndCacheVolume(id, { imageIds: frames.imageIds(series) });
  await new Promise((resolve) => volume.load(resolve));
  return id;
}

/** Give the voxel in the middle of a series, in the patient. */
export function middleOf(series, index) {
  const { affine_lps_mm: affine, columns, rows } = series;
  return toPatient(affine, [(columns - 1) / 2, (rows - 1) / 2, index]);
}

/** Keep a place inside the volume. */
export function inside(series, place) {
  const { affine_lps_mm: affine, columns, rows, frames } = series;
  const most = [columns - 1, rows - 1, frames - 1];
  const voxel = toVoxel(affine, place).map((part, n) => Math.min(Math.max(part, 0), most[n]));
  return toPatient(affine, voxel);
}

export class PlanePane extends DrawnPane {
  constructor(viewer, number, plane) {
    super(viewer, number, Enums.ViewportType.ORTHOGRAPHIC, plane);
    this.plane = plane;
    this.root.dataset.plane = plane;
    this.choice.hidden = true;
    this.painted = new Map(); // marks, until the plane is another
    this.trouble = ""; // what of them can't be seen
  }

  async fetch() {}

  async draw(isNew) {
    if (!isNew) return;
    await this.viewport.setVolumes([{ volumeId: this.viewer.three.volumeId }]);
    this.viewport.resetCamera();
    this.regrey();
    this.moveTo(this.viewer.three.point);
  }

  /** Show the plane through a place. */
  moveTo(point) {
    if (!this.viewport || !this.series) return;
    this.viewport.jumpToWorld(point);
    this.viewport.render();
    this.redraw();
    this.described();
  }

  /** The slices' pane keeps what is to be remembered. */
  keep() {}

  get title() {
    return `${this.plane[0].toUpperCase()}${this.plane.slice(1)}`;
  }

  named() {
    say(this.tag, `${this.title} · ${this.series.title}${this.trouble ? ` · ${this.trouble}` : ""}`);
  }

  described() {
    super.described();
    this.named();
    const { title } = this;
    this.root.setAttribute("aria-label", `Pane ${this.number}: ${title} plane of ${this.series.title}`);
    say(this.slice, placeWords(this.viewer.three.point));
  }

  /** Name the edges by the directions in which the screen runs. */
  letters() {
    const { right, down } = this.directions();
    return edgesOfDirections(right, down);
  }

  directions() {
    const { viewport } = this;
    const origin = viewport.canvasToWorld([0, 0]);
    const toward = (at) => unit(subtract(viewport.canvasToWorld(at), origin));
    return { right: toward([100, 0]), down: toward([0, 100]) };
  }

  /** Give the step to the next plane, in the patient: the voxel's side that crosses it most. */
  stepOf() {
    const { viewPlaneNormal } = this.viewport.getCamera();
    const sides = axes(this.series.affine_lps_mm);
    const most = sides.map((side) => Math.abs(dot(unit(side), viewPlaneNormal)));
    const side = sides[most.indexOf(Math.max(...most))];
    return scaled(viewPlaneNormal, norm(side));
  }

  step(by) {
    if (this.series) this.viewer.three.crosshairTo(add(this.viewer.three.point, scaled(this.stepOf(), -by)));
  }

  reframe() {
    this.viewport?.resetCamera();
    this.viewport?.jumpToWorld(this.viewer.three.point);
    this.viewport?.render();
  }

  fit() {
    this.reframe();
    this.described();
  }

  setTurn() {
    this.viewer.announce("Planes through a volume are not turned.");
  }

  oneToOne() {
    if (!this.series) return;
    this.zoomBy(1 / (this.millimetreOnScreen() * norm(axes(this.series.affine_lps_mm)[0])));
  }

  /** Give how many device pixels a millimetre takes. */
  millimetreOnScreen() {
    const { right } = this.directions();
    const [one, two] = [this.viewer.three.point, add(this.viewer.three.point, right)].map((p) => this.toScreen(p));
    return Math.hypot(...subtract(two, one)) * devicePixelRatio;
  }

  zoomWords() {
    if (!this.viewport || !this.series) return "";
    return sizeWords(this.millimetreOnScreen() * norm(axes(this.series.affine_lps_mm)[0]));
  }

  toScreen(place) {
    return this.viewport?.worldToCanvas(place);
  }

  voxelAt(at) {
    if (!at || !this.viewport || !this.series) return null;
    const [column, row, slice] = toVoxel(this.series.affine_lps_mm, this.viewport.canvasToWorld(at));
    return [column, row, Math.round(slice)];
  }

  /** Say what lies under the pointer: the nearest voxel's value, and the place. */
  pointed(at) {
    const voxel = this.voxelAt(at);
    if (!voxel) return say(this.under, "");
    const { series, viewer } = this;
    const place = this.viewport.canvasToWorld(at);
    const [column, row, slice] = voxel.map(Math.round);
    const isOutside = [column, row, slice].some((n) => n < 0)
      || column >= series.columns || row >= series.rows || slice >= series.frames;
    if (isOutside) return say(this.under, "");
    const value = viewer.frames.held(series, slice)?.valueAt(column, row);
    const words = value === undefined ? "" : `${valueWords(value, this.facts().unit)} · `;
    return say(this.under, words + placeWords(place));
  }

  /** Draw what is marked on this plane, and where the other planes cut it. */
  redraw() {
    const context = this.clearedMarks();
    const { viewer, series } = this;
    const at = series && this.toScreen(viewer.three.point);
    if (!at) return;
    const { overlays, isShown, opacity } = viewer;
    this.trouble = overlays.drawPlane(context, series, this.onVoxels(), isShown, opacity, this.painted);
    this.named();
    drawCrosshair(this.marks, at);
    this.drawPointer(context);
  }

  /** Say how the canvas of the marks lies in the volume. */
  onVoxels() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const place = (at) => toVoxel(this.series.affine_lps_mm, this.viewport.canvasToWorld(at));
    const corners = [[0, 0], [width, 0], [0, height]].map(place);
    return canvasPlane(corners, this.marks.width, this.marks.height);
  }

  resized() {
    this.reframe();
    this.redraw();
  }
}
