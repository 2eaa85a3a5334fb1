/**
 * In the place of clipper2-ts (Boost licence), with which Cornerstone joins drawn contours: this
 * viewer draws none.
 */
export const ClipType = {};
export const FillRule = {};
export class PolyTreeD {}
export const Clipper = {
  booleanOpDWithPolyTree() {
    throw new Error("the viewer joins no contours");
  },
};
