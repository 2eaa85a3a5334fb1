/** A pane without WebGL: the server draws the picture, in the window asked for. */
import { element, say } from "./dom.js";
import { Pane } from "./pane.js";

const LONGEST_PX = 2048;

export class PicturePane extends Pane {
  constructor(viewer, number) {
    super(viewer, number);
    this.image = element("img", { class: "served", alt: "" });
    this.picture.append(this.image);
    say(this.tag, "");
  }

  open() {}

  described() {
    super.described();
    this.image.alt = `${this.series.title}, slice ${this.index + 1} of ${this.series.frames}`;
  }

  zoomWords() {
    return "drawn by the server: no WebGL here";
  }

  url(series, index) {
    const box = Math.max(this.root.clientWidth, this.root.clientHeight) * devicePixelRatio;
    const size = Math.min(LONGEST_PX, Math.max(64, Math.round(box)));
    const asked = new URLSearchParams({ size: String(size), format: "png" });
    const isShown = this.series?.id === series.id;
    // the look of each slice as it is stated needs no window: the server knows it
    if (isShown && this.window !== this.windows[0] && this.window.function !== "TABLE") {
      asked.set("center", String(this.window.center));
      asked.set("width", String(this.window.width));
      asked.set("function", this.window.function);
    }
    return `${series.picture_url.replace("{index}", String(index))}?${asked}`;
  }

  async fetch(series, index) {
    const answer = await this.viewer.frames.answer(series.id, (newest) => this.url(newest, index));
    const previous = this.held;
    this.held = URL.createObjectURL(await answer.blob());
    const probe = new Image();
    probe.src = this.held;
    await probe.decode();
    if (previous) URL.revokeObjectURL(previous);
  }

  async draw() {
    this.image.src = this.held;
    this.image.style.filter = this.inverted ? "invert(1)" : "";
    this.reframe();
  }

  regrey() {
    // a slice that is still on its way is not called back for the one that is shown
    if (this.target) this.show(this.target.series, this.target.index);
  }

  reframe() {
    const { series, turn } = this;
    if (!series) return;
    const [a, b, c, d] = turn;
    const high = series.rows * (series.pixel_aspect || 1);
    const across = a !== 0 ? [series.columns, high] : [high, series.columns];
    const scale = Math.min(this.picture.clientWidth / across[0], this.picture.clientHeight / across[1]);
    Object.assign(this.image.style, {
      width: `${series.columns * scale}px`,
      height: `${high * scale}px`,
      transform: `translate(-50%, -50%) matrix(${a}, ${c}, ${b}, ${d}, 0, 0)`,
    });
    this.scale = scale;
    this.redraw();
  }

  toCanvas([column, row]) {
    const { series, turn, picture, scale } = this;
    if (!scale) return null;
    const aspect = series.pixel_aspect || 1;
    const [x, y] = [column + 0.5 - series.columns / 2, (row + 0.5 - series.rows / 2) * aspect];
    const [a, b, c, d] = turn;
    return [
      picture.clientWidth / 2 + (a * x + b * y) * scale,
      picture.clientHeight / 2 + (c * x + d * y) * scale,
    ];
  }

  toPixel([left, top]) {
    const { series, turn, picture, scale } = this;
    if (!scale) return null;
    const [u, v] = [(left - picture.clientWidth / 2) / scale, (top - picture.clientHeight / 2) / scale];
    const [a, b, c, d] = turn;
    const [x, y] = [a * u + c * v, b * u + d * v];
    return [x + series.columns / 2 - 0.5, y / (series.pixel_aspect || 1) + series.rows / 2 - 0.5];
  }

  fit() {
    this.reframe();
  }

  oneToOne() {
    this.viewer.announce("The server's pictures are shown as large as fits.");
  }

  zoomBy() {
    this.oneToOne();
  }

  panBy() {
    this.oneToOne();
  }

  resized() {
    this.reframe();
  }

  destroy() {
    super.destroy();
    if (this.held) URL.revokeObjectURL(this.held);
  }
}
