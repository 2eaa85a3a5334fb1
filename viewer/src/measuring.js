/** Lengths and angles, and which spacing they rest on: a detector's mm are not the patient's. */

const MEANING = {
  calibrated: "mm (calibrated)",
  "at the detector": "mm at the detector",
  "in the patient": "mm in the patient",
  unstated: "mm (plane not stated)",
};

/** Say whether lengths of a series are known in mm. */
export function inMillimetres(series) {
  return Boolean(series.spacing_yx_mm && MEANING[series.spacing_meaning]);
}

/** Give the unit with what it means; "px" where no spacing is known. */
export function unitOf(series) {
  return inMillimetres(series) ? MEANING[series.spacing_meaning] : "px";
}

/** Give the size of a step (columns, rows) in the plane of a picture, in mm or columns. */
function step(series, [columns, rows]) {
  const [dy, dx] = inMillimetres(series) ? series.spacing_yx_mm : [series.pixel_aspect || 1, 1];
  return [columns * dx, rows * dy];
}

/** Measure between two pixels (column, row). @returns {{value: number, unit: string}} */
export function lengthOf(series, from, to) {
  const value = Math.hypot(...step(series, [to[0] - from[0], to[1] - from[1]]));
  return { value, unit: unitOf(series) };
}

/** Measure the angle at the middle one of three pixels, in degrees. */
export function angleOf(series, one, middle, two) {
  const [ax, ay] = step(series, [one[0] - middle[0], one[1] - middle[1]]);
  const [bx, by] = step(series, [two[0] - middle[0], two[1] - middle[1]]);
  const value = (Math.atan2(Math.abs(ax * by - ay * bx), ax * bx + ay * by) * 180) / Math.PI;
  return { value, unit: "°" };
}

/** Write a measured value with its unit. */
export function measuredWords({ value, unit }) {
  if (unit === "°") return `${value.toFixed(1)}°`;
  return `${unit === "px" ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
}
