/** The toolbar and the help sheet, both from the one table of keys. */
import { element } from "./dom.js";
import { icon } from "./icons.js";
import KEYS from "./keys.json";

const GROUPS = [
  ["toolWindow", "toolScroll", "toolPan", "toolZoom"],
  ["toolLength", "toolAngle", "removeMeasurement"],
  ["invert", "fit", "oneToOne", "turnRight", "mirror", "reset"],
  ["overlays"],
  ["layout", "prior", "link", "planes", "toolCrosshair", "cine"],
  ["fullScreen", "help"],
];
// Those that most studies have no use for take no room where they can't be used
const SELDOM = new Set(["prior", "link", "planes", "toolCrosshair", "cine"]);
const ROWS = new Map(KEYS.map((row) => [row.action, row]));

/** Find what a pressed key does; undefined for keys that are the browser's or nobody's. */
export function actionOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  // A capital letter by Shift belongs to the page, unless it is a key of its own here
  const small = event.key.toLowerCase();
  if (event.shiftKey && /^[A-Z]$/.test(event.key) && KEYS.some((row) => row.keys.includes(small) && row.keys.includes(event.key))) return undefined;
  const named = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key;
  return KEYS.find((row) => row.keys.includes(named))?.action;
}

export class Toolbar {
  /** @param {(action: string) => void} act @param {(number: number) => void} choosePreset @param {(part: number) => void} setOpacity */
  constructor(act, choosePreset, setOpacity) {
    this.buttons = new Map();
    this.presets = element("select", {
      class: "presets", "aria-label": "Window", title: "Window (1 to 9)",
      onchange: () => choosePreset(Number(this.presets.value)),
    });
    this.opacity = element("input", {
      type: "range", value: "0.5", min: "0.1", max: "1", step: "0.1", class: "opacity",
      "aria-label": "Opacity of overlays", title: "Opacity of overlays (U)",
      oninput: () => setOpacity(Number(this.opacity.value)),
    });
    const groups = GROUPS.map((actions) => {
      const buttons = actions.map((action) => this.button(action, act));
      const more = actions.includes("overlays") ? [this.opacity] : [];
      return element("div", { class: "group", role: "group" }, ...buttons, ...more);
    });
    groups[2].prepend(this.presets);
    this.root = element(
      "div", { class: "toolbar", role: "toolbar", "aria-label": "Viewer tools" }, ...groups,
    );
  }

  button(action, act) {
    const { does, shown } = ROWS.get(action);
    const title = `${does[0].toUpperCase()}${does.slice(1)} (${shown})`;
    const made = element(
      "button",
      { type: "button", title, "aria-label": title, "data-action": action, onclick: () => act(action) },
      icon(action),
    );
    this.buttons.set(action, made);
    return made;
  }

  /** Show which buttons are on, and which can't be used now. */
  update({ on, off }) {
    this.opacity.hidden = !on.overlays;
    for (const [action, made] of this.buttons) {
      if (action in on) made.setAttribute("aria-pressed", String(on[action]));
      made.disabled = off.has(action);
      made.hidden = made.disabled && SELDOM.has(action);
    }
  }

  offer(windows, chosen) {
    const names = windows.map(({ name }, number) => `${number + 1}: ${name}`);
    const wanted = names.join("\n");
    if (this.offered !== wanted) {
      this.offered = wanted;
      const own = element("option", { value: "-1" }, "own");
      this.presets.replaceChildren(...names.map((n, at) => element("option", { value: at }, n)), own);
    }
    this.presets.value = String(windows.indexOf(chosen));
  }
}

/** Make the sheet of keys. @param {() => void} close */
export function helpSheet(close) {
  const groups = [...new Set(KEYS.map(({ group }) => group))].map((group) => {
    const rows = KEYS.filter((row) => row.group === group).flatMap(({ shown, does }) => [
      element("dt", {}, element("kbd", {}, shown)),
      element("dd", {}, does),
    ]);
    return element("section", {}, element("h3", {}, group), element("dl", {}, ...rows));
  });
  const shut = element("button", { type: "button", class: "shut", onclick: close }, "Close");
  const mouse = "Left drag: the chosen tool. Middle drag: move. Right drag: size. Wheel: slices. "
    + "A click on a mark shows its sentences.";
  return element(
    "dialog", { class: "help", "aria-label": "Keys of the viewer" },
    element("h2", {}, "Keys of the viewer"), element("p", {}, mouse),
    element("div", { class: "groups" }, ...groups), shut,
  );
}
