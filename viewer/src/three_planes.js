/** The mode in which four panes show three planes and the slices of one MR series. */
import { toPatient, toVoxel, whyNoReformat } from "./geometry.js";
import { PLANES, PlanePane, inside, loadVolume, middleOf } from "./planes.js";
import { StackPane } from "./stack_pane.js";

export class ThreePlanes {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.open = false;
    this.loading = false;
    this.series = null;
    this.point = null; // where the planes meet, LPS in mm
    this.volumeId = "";
  }

  toggle() {
    if (this.loading) return;
    if (this.open) this.leave();
    else this.enter();
  }

  /** Show three planes through the middle of the open series. */
  async enter() {
    const { viewer } = this;
    const pane = viewer.active;
    const { series, index } = pane;
    const why = series ? whyNoReformat(series) : "No series is open.";
    if (why) {
      viewer.announce(why);
      return;
    }
    const started = performance.now();
    const point = await this.load(pane, series, index);
    if (!point || !viewer.alive || pane.series !== series) return;
    this.before = viewer.layout;
    [this.series, this.point] = [series, point];
    viewer.clear();
    this.open = true;
    viewer.grid.dataset.layout = "4";
    PLANES.forEach((plane, n) => viewer.addPane(new PlanePane(viewer, n + 1, plane)));
    viewer.addPane(new StackPane(viewer, 4));
    const opened = viewer.panes.map((one) => viewer.go(one, pane.index, series, { follow: false }));
    await Promise.all(opened);
    viewer.setTool("toolCrosshair");
    viewer.activate(viewer.panes[0]);
    viewer.root.dataset.planesMs = String(Math.round(performance.now() - started));
  }

  /** Load a series, and find where its planes are to meet: at the chosen marks of the slice, else in its middle. */
  async load(pane, series, index) {
    const { viewer } = this;
    this.loading = true;
    try {
      this.volumeId = await loadVolume(viewer.frames, series, (done) => {
        pane.tell(`Loading slices for the planes: ${done} of ${series.frames}`);
      });
      pane.tell("");
      const marked = viewer.chosen && (await this.markOn(series, pane.index));
      return marked || middleOf(series, pane.index);
    } catch (error) {
      pane.failed(error, index);
      return null;
    } finally {
      this.loading = false;
    }
  }

  leave() {
    const { viewer } = this;
    const { series, index } = viewer.panes.at(-1);
    viewer.clear();
    this.open = false;
    viewer.setTool("toolWindow");
    viewer.lay(this.before);
    viewer.go(viewer.panes[0], index, series, { follow: false });
  }

  /** Find the middle of the shown marks on a slice, in the patient; null where there are none. */
  async markOn(series, slice) {
    const { overlays, isShown } = this.viewer;
    const pixel = await overlays.middle(series, slice, isShown);
    return pixel && toPatient(series.affine_lps_mm, [...pixel, slice]);
  }

  /** Move the crosshair to the shown marks. @param {number|null} slice null for the one it is on */
  async showMarks(slice) {
    const { series } = this;
    const [column, row, now] = toVoxel(series.affine_lps_mm, this.point);
    const wanted = slice ?? Math.round(now);
    const place = (await this.markOn(series, wanted)) ?? toPatient(series.affine_lps_mm, [column, row, wanted]);
    if (this.open && this.series === series) this.crosshairTo(place);
  }

  planePanes() {
    return this.viewer.panes.filter((pane) => pane instanceof PlanePane);
  }

  /** Move the crosshair to a place of a pane. @param {number[]} at in CSS pixels */
  crosshairAt(pane, at) {
    if (this.open && pane.viewport) this.crosshairTo(pane.viewport.canvasToWorld(at));
  }

  /** Move the crosshair; all planes and the slices follow. */
  crosshairTo(place) {
    const { viewer } = this;
    const stack = viewer.panes.at(-1);
    if (!stack.series) return;
    this.point = inside(stack.series, place);
    for (const pane of this.planePanes()) pane.moveTo(this.point);
    const slice = Math.round(toVoxel(stack.series.affine_lps_mm, this.point)[2]);
    if (slice !== stack.target.index) viewer.go(stack, slice);
    stack.redraw();
    viewer.announce(`Crosshair at ${viewer.panes[0].slice.textContent}`);
  }

  /** Let the planes follow the slices that were scrolled. */
  sliceMoved(stack) {
    const { affine_lps_mm: affine } = stack.series;
    const [column, row, slice] = toVoxel(affine, this.point);
    if (Math.round(slice) === stack.index) return;
    this.point = toPatient(affine, [column, row, stack.index]);
    for (const pane of this.planePanes()) pane.moveTo(this.point);
  }
}
