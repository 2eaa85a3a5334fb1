/** What each action of the table of keys does: to the viewer, mostly to its active pane. */
import { mirrored, turnedLeft, turnedRight } from "./orientation.js";

const STEP_PX = 40;
const ZOOM = 1.2;
const CINE_MS = 110;
const POINTER_PX = 12;

/** @type {Record<string, (viewer: any, pane: any, event?: KeyboardEvent) => void>} */
export const ACTIONS = {
  previousSlice: (viewer, pane) => pane.step(-1),
  nextSlice: (viewer, pane) => pane.step(1),
  firstSlice: (viewer, pane) => viewer.go(pane, 0),
  lastSlice: (viewer, pane) => pane.target && viewer.go(pane, pane.target.series.frames - 1),
  previousSeries: (viewer, pane) => otherSeries(viewer, pane, -1),
  nextSeries: (viewer, pane) => otherSeries(viewer, pane, 1),
  cine,
  preset: (viewer, pane, event) => pane.preset(Number(event.key) - 1),
  invert: (viewer, pane) => pane.invert(),
  narrower: (viewer, pane) => pane.dragWindow(-STEP_PX, 0),
  wider: (viewer, pane) => pane.dragWindow(STEP_PX, 0),
  brighter: (viewer, pane) => pane.dragWindow(0, -STEP_PX / 2),
  darker: (viewer, pane) => pane.dragWindow(0, STEP_PX / 2),
  zoomIn: (viewer, pane) => pane.zoomBy(ZOOM),
  zoomOut: (viewer, pane) => pane.zoomBy(1 / ZOOM),
  fit: (viewer, pane) => pane.fit(),
  oneToOne: (viewer, pane) => pane.oneToOne(),
  panLeft: (viewer, pane) => pane.panBy(-STEP_PX, 0),
  panRight: (viewer, pane) => pane.panBy(STEP_PX, 0),
  panUp: (viewer, pane) => pane.panBy(0, -STEP_PX),
  panDown: (viewer, pane) => pane.panBy(0, STEP_PX),
  turnRight: (viewer, pane) => pane.setTurn(turnedRight(pane.turn)),
  turnLeft: (viewer, pane) => pane.setTurn(turnedLeft(pane.turn)),
  mirror: (viewer, pane) => pane.setTurn(mirrored(pane.turn)),
  reset: (viewer, pane) => pane.reset(),
  layout: (viewer) => !viewer.planes && viewer.lay({ 1: 2, 2: 4, 4: 1 }[viewer.layout]),
  nextPane: (viewer, pane) => {
    viewer.activate(viewer.panes[(viewer.panes.indexOf(pane) + 1) % viewer.panes.length]);
    viewer.announce(viewer.active.root.getAttribute("aria-label"));
  },
  prior,
  link: (viewer) => {
    viewer.linked = !viewer.linked;
    viewer.announce(viewer.linked ? "The panes scroll together." : "The panes scroll apart.");
  },
  planes: (viewer) => viewer.three.toggle(),
  fullScreen,
  overlays: (viewer) => {
    // the key shows all marks again after a statement had chosen its own
    if (viewer.overlaysOn) viewer.chosen = null;
    viewer.overlaysOn = !viewer.overlaysOn;
    viewer.redraw();
    viewer.announce(viewer.overlaysOn ? "Overlays shown." : "Overlays hidden.");
  },
  fainter: (viewer) => viewer.setOpacity(viewer.opacity - 0.1),
  stronger: (viewer) => viewer.setOpacity(viewer.opacity + 0.1),
  toolWindow: (viewer) => viewer.setTool("toolWindow"),
  toolScroll: (viewer) => viewer.setTool("toolScroll"),
  toolPan: (viewer) => viewer.setTool("toolPan"),
  toolZoom: (viewer) => viewer.setTool("toolZoom"),
  toolLength: (viewer) => viewer.drawn && viewer.setTool("toolLength"),
  toolAngle: (viewer) => viewer.drawn && viewer.setTool("toolAngle"),
  toolCrosshair: (viewer) => viewer.planes && viewer.setTool("toolCrosshair"),
  removeMeasurement: (viewer) => {
    if (viewer.measuring.remove()) viewer.announce("The measurement is removed.");
    for (const pane of viewer.panes) pane.viewport?.render();
  },
  pointer: (viewer, pane) => {
    const middle = [pane.picture.clientWidth / 2, pane.picture.clientHeight / 2];
    viewer.pointer = viewer.pointer ? null : middle;
    viewer.points = [];
    pane.pointed(viewer.pointer);
  },
  movePointer,
  help: (viewer) => (viewer.help.open ? viewer.help.close() : viewer.help.showModal()),
  escape: (viewer, pane) => {
    if (viewer.help.open) viewer.help.close();
    clearTimeout(viewer.cine);
    viewer.cine = 0;
    viewer.pointer = null;
    viewer.points = [];
    pane.pointed(null);
  },
};

function otherSeries(viewer, pane, by) {
  const { series } = viewer.study;
  const now = series.findIndex(({ id }) => id === pane.target?.series.id);
  const next = series[(now + by + series.length) % series.length];
  if (!viewer.planes && next && next.id !== pane.target?.series.id) viewer.choose(pane, next.id);
}

/** Run through the slices, each as soon as it is there, until it is stopped. */
function cine(viewer, pane) {
  if (viewer.cine) {
    clearTimeout(viewer.cine);
    viewer.cine = 0;
    return;
  }
  if (!pane.series || pane.series.frames < 2) return;
  const next = async () => {
    if (!viewer.alive || !viewer.cine || viewer.active !== pane) {
      viewer.cine = 0;
      return;
    }
    await viewer.go(pane, (pane.index + 1) % pane.series.frames);
    if (viewer.cine) viewer.cine = setTimeout(next, CINE_MS);
  };
  viewer.cine = setTimeout(next, CINE_MS);
}

/** Lay the prior beside, at the same part of its slices, or put it away. */
function prior(viewer) {
  if (viewer.planes) return;
  if (viewer.isPriorBeside()) {
    viewer.lay(1);
    return;
  }
  const [pane] = viewer.panes;
  const priors = viewer.study.series.filter((series) => series.prior);
  const like = priors.find(({ title }) => title === pane.series?.title) ?? priors[0];
  if (!like) return;
  viewer.lay(2);
  const part = pane.series ? pane.index / Math.max(1, pane.series.frames - 1) : 0.5;
  viewer.go(viewer.panes[1], Math.round(part * (like.frames - 1)), like, { follow: false });
}

function fullScreen(viewer) {
  const { root } = viewer;
  if (root.getRootNode().fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen().catch((error) => viewer.announce(error.message));
}

/** Move the pointer of keys, or click with it. */
function movePointer(viewer, pane, event) {
  const by = event.shiftKey ? 1 : POINTER_PX;
  const moves = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
  const move = moves[event.key];
  if (move) {
    const most = [pane.picture.clientWidth - 1, pane.picture.clientHeight - 1];
    viewer.pointer = viewer.pointer.map((part, n) => Math.min(Math.max(part + move[n], 0), most[n]));
    pane.pointed(viewer.pointer);
    viewer.announce(pane.under.textContent);
    return;
  }
  if (["toolLength", "toolAngle"].includes(viewer.tool)) return placePoint(viewer, pane);
  // as a click of the mouse, which places the crosshair too
  if (viewer.tool === "toolCrosshair") viewer.three.crosshairAt(pane, viewer.pointer);
  viewer.clickAt(pane, viewer.pointer);
}

function placePoint(viewer, pane) {
  viewer.points = [...(viewer.points ?? []), pane.viewport.canvasToWorld(viewer.pointer)];
  const needed = viewer.tool === "toolLength" ? 2 : 3;
  if (viewer.points.length < needed) {
    viewer.announce(`Point ${viewer.points.length} of ${needed}.`);
    return;
  }
  viewer.measuring.place(pane.id, viewer.tool, viewer.points);
  viewer.points = [];
  pane.viewport.render();
}
