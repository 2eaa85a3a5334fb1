/** What a drag does: tools of Cornerstone, and own ones where a drag goes through the viewer's state. */
import {
  AngleTool, BaseTool, Enums, LengthTool, PanTool, ToolGroupManager, ZoomTool, addTool, annotation,
} from "@cornerstonejs/tools";
import { eventTarget, utilities } from "@cornerstonejs/core";
import { debounced } from "./dom.js";
import { isInPatient, norm, subtract, dot } from "./geometry.js";
import { angleOf, lengthOf, measuredWords, unitOf } from "./measuring.js";

const { Primary, Secondary, Auxiliary, Wheel } = Enums.MouseBindings;
const SLICE_DRAG_PX = 8;
/** How measurements look. */
const MEASURED = {
  color: "rgb(90, 176, 255)", colorHighlighted: "rgb(160, 212, 255)",
  colorSelected: "rgb(160, 212, 255)", lineWidth: "1.5", textBoxFontSize: "13px",
  textBoxFontFamily: "system-ui, sans-serif", textBoxColor: "rgb(220, 236, 250)",
  textBoxColorHighlighted: "rgb(255, 255, 255)", textBoxColorSelected: "rgb(255, 255, 255)",
};

/** Find the pane of a mouse event of Cornerstone. */
const paneOf = (event) => Panes.get(event.detail.element);
/** @type {WeakMap<Element, any>} */
export const Panes = new WeakMap();

class WindowDrag extends BaseTool {
  static toolName = "medmmWindow";

  mouseDragCallback(event) {
    const [dx, dy] = event.detail.deltaPoints.canvas;
    paneOf(event)?.dragWindow(dx, dy);
  }

  touchDragCallback(event) {
    this.mouseDragCallback(event);
  }
}

class SliceDrag extends BaseTool {
  static toolName = "medmmScroll";
  rest = 0;

  mouseDragCallback(event) {
    this.rest += event.detail.deltaPoints.canvas[1];
    const steps = Math.trunc(this.rest / SLICE_DRAG_PX);
    this.rest -= steps * SLICE_DRAG_PX;
    if (steps) paneOf(event)?.step(steps);
  }

  touchDragCallback(event) {
    this.mouseDragCallback(event);
  }

  mouseWheelCallback(event) {
    paneOf(event)?.step(Math.sign(event.detail.wheel.direction));
  }
}

class CrosshairDrag extends BaseTool {
  static toolName = "medmmCrosshair";

  preMouseDownCallback = (event) => {
    this.mouseDragCallback(event);
    return false;
  };

  mouseDragCallback(event) {
    paneOf(event)?.viewer.three.crosshairAt(paneOf(event), event.detail.currentPoints.canvas);
  }

  touchDragCallback(event) {
    this.mouseDragCallback(event);
  }
}

/** The tool of each action that chooses one. */
export const TOOLS = {
  toolWindow: WindowDrag.toolName,
  toolScroll: SliceDrag.toolName,
  toolPan: PanTool.toolName,
  toolZoom: ZoomTool.toolName,
  toolLength: LengthTool.toolName,
  toolAngle: AngleTool.toolName,
  toolCrosshair: CrosshairDrag.toolName,
};

let added = false;

/** Make the tools of one viewer. @param {import("./viewer.js").Viewer} viewer */
export function openTools(viewer) {
  if (!added) {
    for (const tool of [WindowDrag, SliceDrag, CrosshairDrag, PanTool, ZoomTool, LengthTool, AngleTool]) {
      addTool(tool);
    }
    const styles = annotation.config.style;
    const { global } = styles.getDefaultToolStyles();
    styles.setDefaultToolStyles({ global: { ...global, ...MEASURED } });
    added = true;
  }
  const group = ToolGroupManager.createToolGroup(viewer.id);
  for (const name of Object.values(TOOLS)) {
    const isMeasure = name === LengthTool.toolName || name === AngleTool.toolName;
    const getTextLines = (data, target) => viewer.measuring.lines(data, target);
    group.addTool(name, isMeasure ? { getTextLines, actions: {} } : {});
  }
  group.setToolPassive(LengthTool.toolName);
  group.setToolPassive(AngleTool.toolName);
  chooseTool(group, "toolWindow");
  return group;
}

/** Let the left button do what a tool does; the middle one moves, the right one zooms. */
export function chooseTool(group, action) {
  const chosen = TOOLS[action];
  for (const name of Object.values(TOOLS)) {
    const bindings = [];
    if (name === chosen) bindings.push({ mouseButton: Primary });
    if (name === PanTool.toolName) bindings.push({ mouseButton: Auxiliary });
    if (name === ZoomTool.toolName) bindings.push({ mouseButton: Secondary });
    if (name === SliceDrag.toolName) bindings.push({ mouseButton: Wheel });
    group.setToolPassive(name, { removeAllBindings: true });
    if (bindings.length) group.setToolActive(name, { bindings });
  }
}

/** Measurements of one viewer: in words of what their spacing means, told to the page. */
export class Measuring {
  /** @param {import("./viewer.js").Viewer} viewer @param {(measured: object) => void} tell */
  constructor(viewer, tell) {
    this.viewer = viewer;
    this.tell = tell;
    this.waiting = new Map();
    this.complete = new Map(); // what was told of those that were laid to their end, by id
    this.onDone = ({ detail: { annotation: one } }) => this.isOurs(one) && this.done(one);
    this.onMoved = ({ detail: { annotation: one } }) => {
      if (this.complete.has(one.annotationUID)) this.done(one);
    };
    eventTarget.addEventListener(Enums.Events.ANNOTATION_COMPLETED, this.onDone);
    eventTarget.addEventListener(Enums.Events.ANNOTATION_MODIFIED, this.onMoved);
  }

  isOurs({ metadata }) {
    return metadata?.FrameOfReferenceUID?.startsWith(`medmm:${this.viewer.id}/`);
  }

  /** Measure with the spacing that this viewer was given, not with Cornerstone's guess. */
  valueOf(points, series, pixelOf) {
    if (points.length === 2) {
      if (isInPatient(series)) return { value: norm(subtract(points[1], points[0])), unit: unitOf(series) };
      return lengthOf(series, pixelOf(points[0]), pixelOf(points[1]));
    }
    if (points.length !== 3) return null;
    if (!isInPatient(series)) return angleOf(series, ...points.map(pixelOf));
    const [one, two] = [subtract(points[0], points[1]), subtract(points[2], points[1])];
    const cosine = dot(one, two) / (norm(one) * norm(two));
    return { value: (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI, unit: "°" };
  }

  /** Give the lines beside a measurement; none while it has no extent. */
  lines(data, target) {
    const id = target.slice(target.indexOf(`${this.viewer.id}/`)).split("/")[1];
    const series = this.viewer.frames.series.get(id);
    const measured = series && this.valueOf(data.handles.points, series, flatPixel(series));
    return measured && Number.isFinite(measured.value) ? [measuredWords(measured)] : undefined;
  }

  /** Tell the page of a measurement once it rests. */
  later(uid, measured) {
    const words = measuredWords({ value: measured.value, unit: measured.words });
    delete measured.words;
    if (!this.waiting.has(uid)) {
      this.waiting.set(uid, debounced((last, said) => {
        this.tell(last);
        this.viewer.announce(said);
      }, 300));
    }
    this.waiting.get(uid)(measured, words);
  }

  done({ annotationUID, metadata, data }) {
    const series = this.viewer.frames.series.get(metadata.FrameOfReferenceUID.split("/")[1]);
    const measured = series && this.valueOf(data.handles.points, series, flatPixel(series));
    if (!measured) return;
    const told = `${measured.value} ${measured.unit}`;
    if (this.complete.get(annotationUID) === told) return;
    this.complete.set(annotationUID, told);
    const slice = Number(metadata.referencedImageId?.split("/").at(-1) ?? NaN);
    this.later(annotationUID, {
      series: series.id,
      slice: Number.isNaN(slice) ? null : slice,
      kind: data.handles.points.length === 2 ? "length" : "angle",
      value: Number(measured.value.toPrecision(6)),
      unit: measured.unit.startsWith("mm") ? "mm" : measured.unit,
      spacing_meaning: measured.unit.startsWith("mm") ? series.spacing_meaning : null,
      words: measured.unit,
    });
  }

  all() {
    return annotation.state.getAllAnnotations().filter((one) => this.isOurs(one));
  }

  /** Remove the chosen measurement, or else the last. */
  remove() {
    const ours = this.all();
    const chosen = ours.filter((one) => annotation.selection.isAnnotationSelected(one.annotationUID));
    const gone = chosen.length ? chosen : ours.slice(-1);
    for (const { annotationUID } of gone) annotation.state.removeAnnotation(annotationUID);
    return gone.length;
  }

  /** Make a measurement from places that keys pointed at. */
  place(viewportId, action, points) {
    const Tool = action === "toolLength" ? LengthTool : AngleTool;
    const annotationUID = utilities.uuidv4();
    Tool.hydrate(viewportId, points, { annotationUID });
    this.done(annotation.state.getAnnotation(annotationUID));
  }

  destroy() {
    for (const told of this.waiting.values()) told.stop();
    eventTarget.removeEventListener(Enums.Events.ANNOTATION_COMPLETED, this.onDone);
    eventTarget.removeEventListener(Enums.Events.ANNOTATION_MODIFIED, this.onMoved);
    for (const { annotationUID } of this.all()) annotation.state.removeAnnotation(annotationUID);
  }
}

/** Turn a place on the plane of a series without positions into its pixel. */
function flatPixel(series) {
  return ([x, y]) => [x, y / (series.pixel_aspect || 1)];
}
