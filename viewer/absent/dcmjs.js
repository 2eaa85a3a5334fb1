/**
 * In the place of dcmjs, which Cornerstone's packages import to read and write DICOM files. This
 * viewer gets its frames ready, so only the loggers and the keywords of the dictionary are asked for.
 */
import rows from "keywords";

const quiet = () => {};

const nameMap = {};
const dictionary = {};
for (const row of rows.split("\n")) {
  const [name, hex, vr, vm] = row.split(" ");
  const entry = { name, tag: `(${hex.slice(0, 4)},${hex.slice(4)})`, vr, vm };
  nameMap[name] = entry;
  dictionary[entry.tag] = entry;
}

function logger(name) {
  const speak = (level) => console[level].bind(console, name);
  // its warnings are for developers: what a reader must know the viewer says in the pane
  return {
    trace: quiet, debug: quiet, info: quiet, warn: speak("debug"), error: speak("error"),
    setLevel: quiet, getLogger: (part) => logger(`${name}.${part}`),
  };
}

export const log = logger("cornerstone");
export const constants = {};
export const utilities = { DicomMetadataListener: class {} };
export const data = { DicomMetaDictionary: { dictionary, nameMap } };
export default { log, constants, utilities, data, async: { AsyncDicomReader: class {} } };
