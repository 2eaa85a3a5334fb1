/** One pane: a picture with its letters, its corner texts and its marks. What draws it is a subclass. */
import { element, say } from "./dom.js";
import { isInPatient, placeWords, toPatient } from "./geometry.js";
import { dragged, tableLook, wholeRange } from "./grey.js";
import { UNTURNED, edgesByAffine, edgesByLetters, readingTurn } from "./orientation.js";

/** Write a value with its unit. */
export function valueWords(value, unit) {
  return `${Number(value.toPrecision(6))}${unit ? ` ${unit}` : ""}`;
}

export class Pane {
  /** @param {import("./viewer.js").Viewer} viewer @param {number} number from 1 */
  constructor(viewer, number) {
    this.viewer = viewer;
    this.number = number;
    this.series = null;
    this.index = 0;
    this.target = null; // series and slice that were asked for last, and may still be on their way
    this.turn = UNTURNED;
    this.window = null;
    this.inverted = false;
    this.showing = 0; // counts what was asked for, so that a late answer is dropped
    this.build();
  }

  build() {
    const edge = (name) => element("span", { class: `edge ${name}`, "data-edge": name });
    this.picture = element("div", { class: "picture" });
    this.marks = element("canvas", { class: "marks", "aria-hidden": "true" });
    this.edges = Object.fromEntries(["left", "right", "top", "bottom"].map((n) => [n, edge(n)]));
    this.choice = element("select", {
      class: "series", "aria-label": `Series in pane ${this.number}`,
      onchange: () => this.viewer.choose(this, this.choice.value),
    });
    this.tag = element("span", { class: "tag" });
    this.grey = element("div", { class: "corner bottom left" });
    this.place = element("div", { class: "corner bottom right" });
    this.under = element("div", { class: "under" });
    this.slice = element("div", { class: "slice" });
    this.place.append(this.under, this.slice);
    this.note = element("p", { class: "note", role: "alert", hidden: true });
    this.root = element(
      "div",
      { class: "pane", role: "group", "aria-label": `Pane ${this.number}` },
      this.picture, this.marks, ...Object.values(this.edges),
      element("div", { class: "corner top left" }, this.choice, this.tag),
      this.grey, this.place, this.note,
    );
    this.root.addEventListener("pointerdown", () => this.viewer.activate(this), true);
    this.root.addEventListener("contextmenu", (event) => event.preventDefault());
    this.picture.addEventListener("pointermove", (event) => this.pointed(this.at(event)));
    this.picture.addEventListener("pointerleave", () => this.pointed(null));
  }

  /** Give the place of a mouse event in the picture, in CSS pixels. */
  at(event) {
    const { left, top } = this.picture.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** List the series that may be chosen. */
  offer(list) {
    const texts = list.map(({ title, prior, acquired }) => (prior ? `${title} · prior ${acquired}` : title));
    const offered = JSON.stringify([list.map(({ id }) => id), texts]);
    if (offered !== this.offered) {
      this.offered = offered;
      const option = ({ id }, n) => element("option", { value: id }, texts[n]);
      this.choice.replaceChildren(...list.map(option));
    }
    if (this.series) this.choice.value = this.series.id;
  }

  /** Show a slice of a series; the reader's window and turn stay while the series does. */
  async show(series, index) {
    const asked = ++this.showing;
    const isNew = this.series?.id !== series.id;
    const wanted = Math.min(Math.max(index, 0), series.frames - 1);
    this.busy(true);
    try {
      if (series.problem) throw new Error(series.problem);
      await this.fetch(series, wanted);
      if (asked !== this.showing) return false;
      const direction = isNew ? 1 : Math.sign(wanted - this.index);
      [this.series, this.index] = [series, wanted];
      if (isNew) this.restart(this.viewer.kept.get(series.id));
      else this.renewWindows();
      await this.draw(isNew);
      if (asked !== this.showing) return false;
      this.tell("");
      this.described();
      this.viewer.shown(this, direction);
      return true;
    } catch (error) {
      if (asked === this.showing && error?.name !== "AbortError") this.failed(error, wanted);
      return false;
    } finally {
      if (asked === this.showing) this.busy(false);
    }
  }

  /** Begin with a series: as it is to be read, or as the reader had it before. */
  restart(kept) {
    this.windows = this.windowsOf(this.series, this.index);
    this.turn = kept?.turn ?? readingTurn(this.series.display_flip);
    this.window = kept?.own ?? this.windows[Math.min(kept?.preset ?? 0, this.windows.length - 1)];
    this.inverted = kept?.inverted ?? false;
  }

  /** Take the windows of another slice: a chosen one is that slice's own, the reader's stays. */
  renewWindows() {
    const chosen = this.windows.indexOf(this.window);
    this.windows = this.windowsOf(this.series, this.index);
    if (chosen >= 0) this.window = this.windows[Math.min(chosen, this.windows.length - 1)];
  }

  /** Give how the values of the shown slice are to be shown. */
  facts() {
    return this.viewer.frames.held(this.series, this.index)?.facts ?? this.series;
  }

  windowsOf(series, index) {
    const image = this.viewer.frames.held(series, index);
    const { lut, windows } = image?.facts ?? series;
    const whole = image ? [wholeRange(image.minPixelValue, image.maxPixelValue)] : [];
    return [...(lut ? [tableLook(lut)] : []), ...windows, ...whole];
  }

  busy(is) {
    this.root.classList.toggle("busy", is);
    this.root.setAttribute("aria-busy", String(is));
  }

  /** Say that a slice can't be shown; another slice's picture must not stand for it. */
  failed(error, index) {
    const words = error?.error?.message ?? error?.message ?? String(error);
    this.root.classList.add("failed");
    this.tell(`Slice ${index + 1} can't be shown: ${words}. Another slice may be.`);
  }

  tell(words) {
    if (!words) this.root.classList.remove("failed");
    this.note.hidden = !words;
    say(this.note, words);
  }

  /** Write what stands in the corners and at the edges. */
  described() {
    const { series, index, window } = this;
    if (!series) return;
    this.keep();
    const { dataset } = this.root;
    [dataset.series, dataset.slice] = [series.id, String(index)];
    dataset.window = `${window.center}/${window.width}/${window.function}`;
    dataset.turn = this.turn.join(" ");
    this.root.setAttribute("aria-label", `Pane ${this.number}: ${series.title}`);
    this.choice.value = series.id;
    say(this.tag, series.prior ? `Prior${series.acquired ? `, ${series.acquired}` : ""}` : "");
    const size = this.zoomWords();
    const inverted = this.inverted ? " · inverted" : "";
    say(this.grey, `${this.windowWords()}${inverted}${size ? ` · ${size}` : ""}`);
    say(this.slice, series.frames > 1 ? `${index + 1} / ${series.frames}` : "");
    for (const [name, letter] of Object.entries(this.letters())) say(this.edges[name], letter);
  }

  /** Remember how the reader left this series. */
  keep() {
    const { series, index, turn, inverted } = this;
    const preset = this.windows.indexOf(this.window);
    const own = preset < 0 ? this.window : undefined;
    this.viewer.kept.set(series.id, { index, own, preset, turn, inverted });
  }

  windowWords() {
    const { center, width, name, function: shape } = this.window;
    if (shape === "TABLE") return "lookup table of the image";
    const digits = width < 10 ? 2 : 0;
    return `C ${center.toFixed(digits)} W ${width.toFixed(digits)}${name === "own" ? "" : ` (${name})`}`;
  }

  zoomWords() {
    return "";
  }

  /** Name the edges of the picture as it is drawn. */
  letters(turn = this.turn) {
    const { series } = this;
    const { affine_lps_mm: affine } = series;
    return affine && isInPatient(series)
      ? edgesByAffine(affine, turn)
      : edgesByLetters(series.edges, turn);
  }

  /** Say what lies under the pointer. @param {number[]|null} at in CSS pixels of the picture */
  pointed(at) {
    const pixel = at && this.series && this.toPixel(at);
    if (!pixel) return say(this.under, "");
    const [column, row] = pixel.map(Math.round);
    const { series, index } = this;
    if (column < 0 || row < 0 || column >= series.columns || row >= series.rows) {
      return say(this.under, "");
    }
    const value = this.viewer.frames.held(series, index)?.valueAt(column, row);
    const words = value === undefined ? "" : `${valueWords(value, this.facts().unit)} · `;
    const where = isInPatient(series)
      ? placeWords(toPatient(series.affine_lps_mm, [column, row, index]))
      : `column ${column + 1}, row ${row + 1}`;
    return say(this.under, words + where);
  }

  /** Find what lies at a place of the picture: column and row, not rounded, and the slice. */
  voxelAt(at) {
    const pixel = this.series && this.toPixel(at);
    return pixel ? [...pixel, this.index] : null;
  }

  setWindow(window) {
    this.look({ window });
  }

  /** Change the grey: of this pane, or of all panes of the three planes. */
  look(change) {
    for (const pane of this.viewer.planes ? this.viewer.panes : [this]) {
      if (!pane.series) continue;
      Object.assign(pane, change);
      pane.regrey();
      pane.described();
    }
  }

  preset(number) {
    if (this.windows?.[number]) this.setWindow(this.windows[number]);
  }

  dragWindow(dx, dy) {
    if (!this.series || this.window.width === 0) return;
    const { slope, windows } = this.facts();
    const start = this.window.function === "TABLE" ? windows[0] : this.window;
    const least = Math.abs(slope ?? 1);
    this.setWindow(dragged(start, dx, dy, start.function === "LINEAR" ? Math.max(least, 1) : least));
  }

  invert() {
    this.look({ inverted: !this.inverted });
  }

  setTurn(turn) {
    this.turn = turn;
    this.reframe();
    this.described();
  }

  /** Put window, turn and size back to what they were at first. */
  reset() {
    if (!this.series) return;
    this.restart(undefined);
    this.regrey();
    this.reframe();
    this.described();
  }

  step(by) {
    if (this.target) this.viewer.go(this, this.target.index + by);
  }

  /** Match the canvas of the marks to its box. @returns {CanvasRenderingContext2D} cleared */
  clearedMarks() {
    const [width, height] = [this.root.clientWidth, this.root.clientHeight].map((n) =>
      Math.max(1, Math.round(n * devicePixelRatio)),
    );
    if (this.marks.width !== width || this.marks.height !== height) {
      Object.assign(this.marks, { width, height });
    }
    const context = this.marks.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  redraw() {
    const context = this.clearedMarks();
    const { viewer, series, index } = this;
    if (!series) return;
    const origin = this.toCanvas([0, 0]);
    if (!origin) return;
    const from = ([x, y]) => [(x - origin[0]) * devicePixelRatio, (y - origin[1]) * devicePixelRatio];
    const place = {
      origin: origin.map((part) => part * devicePixelRatio),
      column: from(this.toCanvas([1, 0])),
      row: from(this.toCanvas([0, 1])),
    };
    viewer.overlays.draw(context, series, index, viewer.isShown, viewer.opacity, place);
    this.drawPointer(context);
  }

  /** Draw the pointer that keys move. */
  drawPointer(context) {
    if (this.viewer.active !== this || !this.viewer.pointer) return;
    const [x, y] = this.viewer.pointer.map((part) => part * devicePixelRatio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.strokeStyle = "#5ab0ff";
    context.lineWidth = 2 * devicePixelRatio;
    context.beginPath();
    const arm = 10 * devicePixelRatio;
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.stroke();
  }

  destroy() {
    this.showing += 1;
    this.root.remove();
  }
}
