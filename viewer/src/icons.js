/** Icons of the toolbar, 20 × 20, drawn with the text's colour. */
const PATHS = {
  toolWindow: "M10 2.5a7.5 7.5 0 1 0 0 15z M10 2.5a7.5 7.5 0 0 1 0 15",
  toolScroll: "M5 6h10M5 10h10M5 14h10M10 1.5l-2 2h4zM10 18.5l-2-2h4z",
  toolPan: "M10 2v16M2 10h16M10 2l-2 2.5M10 2l2 2.5M10 18l-2-2.5M10 18l2-2.5M2 10l2.5-2M2 10l2.5 2M18 10l-2.5-2M18 10l-2.5 2",
  toolZoom: "M8.5 3a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM12.5 12.5L17 17M6 8.5h5M8.5 6v5",
  toolLength: "M3 17L17 3M3 13v4h4M13 3h4v4",
  toolAngle: "M3 16h14M3 16L13 4M9 16a6 6 0 0 0-2.2-4.6",
  toolCrosshair: "M10 2v5M10 13v5M2 10h5M13 10h5",
  invert: "M3 3h14v14H3zM3 17L17 3",
  fit: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4M7 7h6v6H7z",
  oneToOne: "M4 6l2-1v10M14 6l2-1v10M10 8v.5M10 12v.5",
  turnRight: "M16 9a6 6 0 1 0-1.5 5M16 4v5h-5",
  mirror: "M10 2v16M8 5L3 15h5zM12 5l5 10h-5z",
  reset: "M4 9a6 6 0 1 1 1.5 5M4 4v5h5",
  cine: "M5 3.5v13l11-6.5z",
  layout: "M3 3h14v14H3zM10 3v14M3 10h14",
  planes: "M10 2l7 4v8l-7 4-7-4V6zM3 6l7 4 7-4M10 10v8",
  prior: "M3 4h6v12H3zM12 4h5v12h-5zM13.5 10h2",
  link: "M8 12l4-4M7 9l-2 2a3 3 0 0 0 4 4l2-2M13 11l2-2a3 3 0 0 0-4-4L9 7",
  overlays: "M10 4C5 4 2 10 2 10s3 6 8 6 8-6 8-6-3-6-8-6zM10 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  removeMeasurement: "M4 5h12M8 5V3h4v2M6 5l1 12h6l1-12",
  fullScreen: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.5v.5",
};

const SVG = "http://www.w3.org/2000/svg";

/** Make the icon of an action. */
export function icon(action) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [["viewBox", "0 0 20 20"], ["aria-hidden", "true"], ["focusable", "false"]]) {
    svg.setAttribute(name, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[action]);
  svg.append(path);
  return svg;
}
