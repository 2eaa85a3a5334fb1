/** In the place of xmlbuilder2, with which Cornerstone writes DICOM's XML: this viewer writes none. */
export function create() {
  throw new Error("the viewer writes no XML");
}
export default { create };
