/** The viewer: panes, tools, overlays and keys over the data of one study. */
import { debounced, element, say } from "./dom.js";
import { canDraw, closeEngine, onContextLost, openEngine } from "./engine.js";
import { Frames } from "./frames.js";
import { linkedSlice, whyNoReformat } from "./geometry.js";
import { Overlays } from "./overlays.js";
import { PicturePane } from "./picture_pane.js";
import { PlanePane } from "./planes.js";
import { StackPane } from "./stack_pane.js";
import { ToolGroupManager } from "@cornerstonejs/tools";
import { ThreePlanes } from "./three_planes.js";
import { Toolbar, actionOf, helpSheet } from "./toolbar.js";
import { ACTIONS } from "./actions.js";
import { Measuring, Panes, chooseTool, openTools } from "./tools.js";

let count = 0;

/** Have the page's list of sentences show the one that the picture went to; the page names it by this class. */
function scrollToSentence(id) {
  const scroll = () => document.querySelector(`.st-key-current-${CSS.escape(id)}`)?.scrollIntoView({ block: "nearest" });
  setTimeout(scroll, 250); // the page is drawn after the viewer
}

export class Viewer {
  /** @param {HTMLElement|ShadowRoot} parent */
  constructor(parent) {
    this.id = `viewer${++count}`;
    this.count = 0;
    this.panes = [];
    this.kept = new Map(); // how the reader left each series: slice, window, turn
    this.paneOf = Panes;
    this.layout = 1;
    this.three = new ThreePlanes(this);
    this.linked = true;
    this.tool = "toolWindow";
    this.overlaysOn = false;
    this.chosen = null; // ids of the overlays of the statement that was clicked; null for all
    this.opacity = 0.5;
    this.pointer = null;
    this.answered = null; // the statement that a click on its mark asks the page for
    this.alive = true;
    this.frames = new Frames(this.id, debounced(() => this.trigger("links", { at: Date.now() }), 50));
    this.overlays = new Overlays(this.frames, () => this.redraw(), (error) => this.announce(error.message));
    this.isShown = (overlay) => this.overlaysOn && (!this.chosen || this.chosen.has(overlay.id));
    this.tellPlace = debounced((series, slice) => this.placed({ series, slice }), 600);
    this.announce = debounced((words) => say(this.live, words), 250);
    this.build(parent);
    this.setOpacity(this.opacity);
  }

  get planes() {
    return this.three.open;
  }

  build(parent) {
    this.toolbar = new Toolbar(
      (action) => this.act(action),
      (number) => this.active?.preset(number),
      (part) => this.setOpacity(part),
    );
    this.grid = element("div", { class: "grid" });
    this.live = element("div", { class: "unseen", role: "status", "aria-live": "polite" });
    this.help = helpSheet(() => this.help.close());
    this.root = element(
      "div", { class: "medmm-viewer", tabindex: "0", role: "application", "aria-label": "Image viewer" },
      this.toolbar.root, this.grid, this.live, this.help,
    );
    this.root.addEventListener("keydown", (event) => this.pressed(event));
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("pointerdown", (event) => {
      this.downAt = [event.clientX, event.clientY];
      if (!event.target.closest("select")) this.root.focus({ preventScroll: true });
    });
    this.sizes = new ResizeObserver(debounced(() => this.resized(), 60));
    this.sizes.observe(this.grid);
    parent.append(this.root);
  }

  /** Take the newest data; nothing happens where it is the same. */
  update(text, component) {
    this.component = component;
    if (text === this.text) return;
    const isFirst = this.text === undefined;
    this.text = text;
    const before = this.study;
    this.study = JSON.parse(text);
    // the frames wake what waits for a new link, also of an overlay
    this.overlays.update(this.study.overlays, this.study.draft);
    this.frames.update(this.study.series);
    if (isFirst) this.start();
    else if (this.ready) this.refreshed(before);
  }

  async start() {
    if (this.study.series.length === 0) {
      this.grid.replaceChildren(element("p", { class: "empty" }, "This study holds no image to show."));
      return;
    }
    this.drawn = canDraw();
    const place = this.firstPlace();
    if (this.drawn) {
      // the first frame comes while the engine opens; what fails is said when it is shown
      if (!place.series.problem) this.frames.load(place.series, place.slice).catch(() => undefined);
      this.engine = await openEngine();
      if (!this.alive) return closeEngine();
      this.group = openTools(this);
      this.stopListening = onContextLost(() => this.withoutContext());
    }
    await this.styled();
    if (!this.alive) return undefined;
    this.measuring = new Measuring(this, (measured) => this.trigger("measured", measured));
    this.ready = true;
    this.size = this.sizeNow();
    this.lay(1);
    await this.go(this.panes[0], place.slice, place.series);
    if (this.study.shown_statement) this.showStatement(this.study.shown_statement);
  }

  /** Wait for the styles: a picture that is fitted into a box without height is lost. */
  async styled() {
    const isStyled = () => getComputedStyle(this.root).display === "flex" && this.grid.clientHeight > 0;
    while (this.alive && !isStyled()) await new Promise((resolve) => requestAnimationFrame(resolve));
  }

  firstPlace() {
    const { series, place } = this.study;
    const stated = place && series.find(({ id }) => id === place.series);
    if (stated) return { series: stated, slice: place.slice };
    const first = series.find(({ prior }) => !prior) ?? series[0];
    return { series: first, slice: Math.floor(first.frames / 2) };
  }

  /** Go on with new data: new links, other statements, other series. */
  refreshed(before) {
    for (const pane of this.panes) {
      pane.offer(this.study.series);
      const newest = pane.series && this.frames.series.get(pane.series.id);
      if (pane.series && !newest) this.go(pane, this.firstPlace().slice, this.firstPlace().series);
      else if (newest) {
        pane.series = newest;
        if (pane.target) pane.target.series = this.frames.series.get(pane.target.series.id) ?? newest;
      }
    }
    const isPrior = ({ prior }) => prior;
    if (this.study.series.some(isPrior) && !before.series.some(isPrior) && !this.isPriorBeside()) this.act("prior");
    const { shown_statement: shown } = this.study;
    if (shown && shown !== before.shown_statement) {
      // the sentence of a mark that was clicked is shown where the reader looks
      this.showStatement(shown, { move: shown !== this.answered });
      this.answered = null;
      scrollToSentence(shown);
    }
    this.redraw();
  }

  /** Jump to the image, the slice and the marks of a statement. */
  async showStatement(id, { move = true } = {}) {
    const statement = this.study.statements.find((one) => one.id === id);
    if (!statement) return;
    this.chosen = new Set(statement.overlays);
    this.overlaysOn = statement.overlays.length > 0 || this.overlaysOn;
    const series = this.frames.series.get(statement.series);
    if (this.planes && series && series.id !== this.three.series.id) this.three.leave();
    if (this.planes && series && move) await this.three.showMarks(statement.slice);
    else if (series && move) {
      const pane = this.panes.find((one) => one.series?.id === series.id) ?? this.active;
      const held = pane.series?.id === series.id ? pane.index : Math.floor(series.frames / 2);
      await this.go(pane, statement.slice ?? held, series);
      this.activate(pane);
    }
    this.changed();
  }

  /** Lay out panes; series that were shown stay where they were. */
  lay(number) {
    const kept = this.panes.map(({ target }) => ({ ...target }));
    this.clear();
    this.layout = number;
    this.grid.dataset.layout = String(number);
    const Kind = this.drawn ? StackPane : PicturePane;
    for (let n = 0; n < number; n++) this.addPane(new Kind(this, n + 1));
    this.active = this.panes[0];
    const others = this.study.series.filter((one) => !kept.some(({ series }) => series?.id === one.id));
    this.panes.forEach((pane, n) => {
      const next = kept[n]?.series ? kept[n] : n > 0 && others.shift();
      if (!next) return;
      const [series, index] = next.series ? [next.series, next.index] : [next, Math.floor(next.frames / 2)];
      this.go(pane, index, series, { follow: false });
    });
    this.activate(this.panes[0]);
  }

  addPane(pane) {
    this.panes.push(pane);
    this.grid.append(pane.root);
    pane.offer(this.study.series);
    pane.open();
  }

  clear() {
    // a focused picture takes the keys away with it
    const { activeElement } = this.root.getRootNode();
    if (this.grid.contains(activeElement)) this.root.focus({ preventScroll: true });
    for (const pane of this.panes) pane.destroy();
    this.panes = [];
    this.active = null;
  }

  activate(pane) {
    this.active = pane;
    for (const one of this.panes) one.root.classList.toggle("active", one === pane && this.panes.length > 1);
    this.changed();
  }

  /** Show a slice in a pane, and what goes with it in the others. */
  async go(pane, index, series = pane.target?.series, { follow = true } = {}) {
    if (!series) return;
    const wanted = Math.min(Math.max(index, 0), series.frames - 1);
    const moved = pane.target?.series.id === series.id ? wanted - pane.target.index : 0;
    pane.target = { series, index: wanted };
    if (follow && moved && this.linked && !this.planes) this.follow(pane, moved);
    await pane.show(series, wanted);
  }

  follow(pane, moved) {
    for (const other of this.panes) {
      const target = other === pane ? null : other.target;
      if (!target || target.series.frames < 2) continue;
      const slice = linkedSlice(
        pane.target.series, pane.target.index, moved, target.series, target.index,
      );
      if (slice !== null) this.go(other, slice, target.series, { follow: false });
    }
  }

  choose(pane, id) {
    const series = this.frames.series.get(id);
    this.go(pane, this.kept.get(id)?.index ?? Math.floor(series.frames / 2), series);
    this.root.focus({ preventScroll: true });
  }

  /** Take note that a pane shows another slice. */
  shown(pane, direction) {
    const { series, index } = pane;
    if (pane instanceof PlanePane) return;
    if (this.drawn) this.frames.ahead(series, index, direction);
    pane.redraw();
    this.changed();
    if (pane !== this.active) return;
    const slice = series.frames > 1 ? `Slice ${index + 1} of ${series.frames}, ` : "";
    this.announce(`${slice}${series.title}`);
    this.tellPlace(series.id, index);
    if (this.planes) this.three.sliceMoved(pane);
  }

  act(action, event) {
    if (!this.ready) return;
    ACTIONS[action](this, this.active, event);
    this.changed();
  }

  pressed(event) {
    if (event.target.closest("select, input, dialog")) {
      if (!["?", "Escape"].includes(event.key)) return;
    }
    if (event.target.closest("button") && [" ", "Enter"].includes(event.key)) return;
    const isPointing = this.pointer && /^(Arrow|Enter$)/.test(event.key);
    const action = isPointing ? "movePointer" : actionOf(event);
    if (!action || !this.ready) return;
    event.preventDefault();
    event.stopPropagation();
    this.act(action, event);
  }

  /** Answer a click on a mark with its statements; a drag is no click. */
  clicked(event) {
    const pane = this.panes.find((one) => one.root.contains(event.target));
    const isDrag = this.downAt
      && Math.hypot(event.clientX - this.downAt[0], event.clientY - this.downAt[1]) > 3;
    if (!pane || isDrag || event.target.closest("select")) return;
    if (!["toolLength", "toolAngle"].includes(this.tool)) this.clickAt(pane, pane.at(event));
  }

  clickAt(pane, at) {
    const voxel = pane.voxelAt(at);
    if (!voxel) return;
    const statements = this.overlays.statementsAt(pane.series, voxel, this.isShown);
    if (!statements.length) return;
    if (!statements.includes(this.study.shown_statement)) [this.answered] = statements;
    this.trigger("region", statements);
  }

  placed(place) {
    if (this.told?.series === place.series && this.told.slice === place.slice) return;
    this.told = place;
    this.component.setStateValue("place", place);
  }

  trigger(name, value) {
    if (this.alive) this.component.setTriggerValue(name, value);
  }

  setTool(action) {
    this.tool = action;
    this.root.dataset.tool = action;
    this.points = [];
    if (this.group) chooseTool(this.group, action);
  }

  setOpacity(part) {
    this.opacity = Math.min(1, Math.max(0.1, Math.round(part * 10) / 10));
    this.toolbar.opacity.value = String(this.opacity);
    this.redraw();
  }

  redraw() {
    for (const pane of this.panes) pane.redraw();
  }

  sizeNow() {
    return `${this.grid.clientWidth} ${this.grid.clientHeight} ${devicePixelRatio}`;
  }

  resized() {
    if (!this.alive) return; // sizes are told a moment later, when a viewer may be closed
    if (!this.ready || this.size === this.sizeNow()) return;
    this.size = this.sizeNow();
    this.engine?.resize(true, true);
    for (const pane of this.panes) pane.resized();
    this.changed();
  }

  /** Show in the toolbar what is on, what is off and what can't be. */
  changed() {
    const { active, drawn } = this;
    const series = active?.series;
    const on = {
      overlays: this.overlaysOn, link: this.linked, planes: this.planes, cine: Boolean(this.cine),
      invert: Boolean(active?.inverted), prior: this.isPriorBeside(),
      fullScreen: Boolean(this.root.getRootNode().fullscreenElement),
    };
    for (const name of ["toolWindow", "toolScroll", "toolPan", "toolZoom", "toolLength", "toolAngle", "toolCrosshair"]) {
      on[name] = this.tool === name;
    }
    const off = new Set();
    if (!this.study?.overlays.length) off.add("overlays");
    if (!this.study?.series.some(({ prior }) => prior)) off.add("prior");
    if (!this.planes && (!drawn || !series || whyNoReformat(series))) off.add("planes");
    if (!this.planes) off.add("toolCrosshair");
    if (this.panes.length < 2) off.add("link");
    if (!series || series.frames < 2) off.add("cine");
    if (this.planes) for (const name of ["layout", "prior", "turnRight", "mirror"]) off.add(name);
    if (!drawn) for (const name of ["toolLength", "toolAngle", "removeMeasurement", "toolZoom", "toolPan", "oneToOne", "fit"]) off.add(name);
    this.toolbar.update({ on, off });
    if (active?.windows) this.toolbar.offer(active.windows, active.window);
    this.redraw();
  }

  isPriorBeside() {
    return this.layout > 1 && this.panes.some(({ series }) => series?.prior);
  }

  /** Go on with the server's pictures when the graphics processor has taken its context away. */
  withoutContext() {
    if (!this.alive || !this.drawn) return;
    const shown = this.panes.map(({ series, index }) => ({ series, index }));
    this.three.open = false;
    this.clear();
    this.drawn = false;
    this.lay(Math.min(Math.max(shown.length, 1), 4));
    shown.forEach(({ series, index }, n) => series && this.go(this.panes[n], index, series, { follow: false }));
    this.announce("The graphics context was lost: the server draws the pictures now.");
  }

  destroy() {
    this.alive = false;
    clearTimeout(this.cine);
    for (const later of [this.tellPlace, this.announce]) later.stop();
    this.sizes.disconnect();
    this.measuring?.destroy();
    this.clear();
    this.frames.destroy();
    this.stopListening?.();
    if (this.group) ToolGroupManager.destroyToolGroup(this.id);
    if (this.engine) closeEngine();
    this.root.remove();
  }
}
