/** Positions: from a voxel (column, row, slice) to the patient (LPS, mm) and back. */

const MOST_VOXELS = 128 * 1024 * 1024; // of a volume that a browser can hold beside its slices
const RIGHT_ANGLE = 1e-3; // cosine between two axes that counts as a right angle

export const add = (p, q) => p.map((part, n) => part + q[n]);
export const subtract = (p, q) => p.map((part, n) => part - q[n]);
export const scaled = (p, by) => p.map((part) => part * by);
export const dot = (p, q) => p.reduce((sum, part, n) => sum + part * q[n], 0);
export const norm = (p) => Math.sqrt(dot(p, p));
export const unit = (p) => scaled(p, 1 / norm(p));

/** Give the three axes of an affine (mm a voxel). @param {number[][]} affine */
export function axes(affine) {
  return [0, 1, 2].map((axis) => affine.slice(0, 3).map((row) => row[axis]));
}

/** Put a voxel into the patient. @returns {number[]} x, y, z in LPS, mm */
export function toPatient(affine, [i, j, k]) {
  return affine.slice(0, 3).map((row) => row[0] * i + row[1] * j + row[2] * k + row[3]);
}

/** Find the voxel (not rounded) of a place in the patient. */
export function toVoxel(affine, place) {
  const [u, v, w] = axes(affine);
  const from = place.map((part, n) => part - affine[n][3]);
  const cross = (p, q) => [
    p[1] * q[2] - p[2] * q[1],
    p[2] * q[0] - p[0] * q[2],
    p[0] * q[1] - p[1] * q[0],
  ];
  const whole = dot(u, cross(v, w));
  return [dot(from, cross(v, w)), dot(from, cross(w, u)), dot(from, cross(u, v))].map(
    (part) => part / whole,
  );
}

/** Say whether the axes are at right angles to each other, so that planes may be reformatted. */
export function rightAngled(affine) {
  const [u, v, w] = axes(affine).map(unit);
  return [dot(u, v), dot(v, w), dot(w, u)].every((cosine) => Math.abs(cosine) < RIGHT_ANGLE);
}

/**
 * Give the plane on which a frame is drawn: in the patient where the affine is known, else of its
 * own, with rows as far apart as they are shown.
 */
export function planeOf(series, index) {
  if (isInPatient(series)) {
    const [u, v] = axes(series.affine_lps_mm);
    return {
      origin: toPatient(series.affine_lps_mm, [0, 0, index]),
      row: unit(u),
      column: unit(v),
      columnSpacing: norm(u),
      rowSpacing: norm(v),
    };
  }
  const [rowSpacing, columnSpacing] = [series.pixel_aspect || 1, 1];
  return { origin: [0, 0, index], row: [1, 0, 0], column: [0, 1, 0], columnSpacing, rowSpacing };
}

/** Say whether a series has positions in the patient: a projection has none, only directions. */
export function isInPatient(series) {
  return Boolean(series.affine_lps_mm) && series.spacing_meaning === "in the patient";
}

/** Say why a series can't be reformatted; "" where it can. */
export function whyNoReformat(series) {
  if (series.modality !== "MR") return "Other planes are made of MR series only.";
  if (series.frames < 2) return "Other planes need more than one slice.";
  if (!isInPatient(series)) return "The position of the slices in the patient is unknown.";
  if (!series.spacing_z_mm) return "The slices are not evenly spaced.";
  if (series.frames * series.rows * series.columns > MOST_VOXELS) {
    return "The series is too large for the browser's memory.";
  }
  return rightAngled(series.affine_lps_mm) ? "" : "The slices are sheared against each other.";
}

/** Say where in the patient a place is: "L 12.3 P 4.0 H 33.1 mm". */
export function placeWords([x, y, z]) {
  const part = (value, more, less) => `${value < 0 ? less : more} ${Math.abs(value).toFixed(1)}`;
  return `${part(x, "L", "R")} ${part(y, "P", "A")} ${part(z, "H", "F")} mm`;
}

/**
 * Find the slice of another series that goes with one: at the same place where both share a frame
 * of reference, else as many mm on from where it is, or as large a part of its slices.
 * @param {number} index of the slice now shown @param {number} moved slices by which it moved
 * @param {number} anchor slice of the other series before
 * @returns {number|null} null where the planes differ, so that nothing follows
 */
export function linkedSlice(from, index, moved, to, anchor) {
  const clamp = (slice) => Math.min(Math.max(Math.round(slice), 0), to.frames - 1);
  if (!isInPatient(from) || !isInPatient(to)) {
    return clamp(anchor + (moved * (to.frames - 1)) / Math.max(1, from.frames - 1));
  }
  const [one, two] = [axes(from.affine_lps_mm)[2], axes(to.affine_lps_mm)[2]];
  const together = dot(unit(one), unit(two));
  if (Math.abs(together) < 0.7) return null;
  if (from.frame_of_reference && from.frame_of_reference === to.frame_of_reference) {
    const middle = [(from.columns - 1) / 2, (from.rows - 1) / 2, index];
    return clamp(toVoxel(to.affine_lps_mm, toPatient(from.affine_lps_mm, middle))[2]);
  }
  return clamp(anchor + (moved * norm(one) * Math.sign(together)) / norm(two));
}
