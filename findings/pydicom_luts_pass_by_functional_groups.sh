#!/usr/bin/env bash
# pydicom 3.0.2, numpy 2.4.6: apply_modality_lut (also named apply_rescale), apply_voi_lut and
# apply_windowing look at the top level of a dataset alone. Of an enhanced multi-frame image, whose rescale and window stand
# in its functional groups (DICOM PS3.3 C.7.6.16.2.9 and C.7.6.16.2.10), they give the stored values
# back unchanged, without an error or a warning.
#
# Expected: slope and intercept of each frame are applied, or the call says that it can't.
# Seen: 100 stays 100 in a frame of slope 1 and in a frame of slope 3; a window of 200 +- 50 is not
#   applied; no warning. The same dataset with the attributes at the top level is rescaled.
# What helps: take the groups of each frame yourself (per-frame before shared) and apply them frame by
#   frame.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

made = Dataset()
made.file_meta = FileMetaDataset()
made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
made.SOPClassUID, made.SOPInstanceUID = EnhancedMRImageStorage, generate_uid()
made.NumberOfFrames, made.Rows, made.Columns, made.SamplesPerPixel = 2, 4, 4, 1
made.PhotometricInterpretation, made.PixelRepresentation = "MONOCHROME2", 0
made.BitsAllocated = made.BitsStored = 16
made.HighBit = 15
made.PixelData = np.full((2, 4, 4), 100, np.uint16).tobytes()
groups = []
for slope in (1, 3):
    values, window, group = Dataset(), Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, 5, "US"
    window.WindowCenter, window.WindowWidth = 200, 100
    group.PixelValueTransformationSequence, group.FrameVOILUTSequence = [values], [window]
    groups.append(group)
made.PerFrameFunctionalGroupsSequence = groups

stored = made.pixel_array
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for name in (apply_modality_lut, apply_voi_lut, apply_windowing):
        given = name(stored, made)
        print(f"{name.__name__:<19} first frame {given[0, 0, 0]}, second {given[1, 0, 0]}")
        assert (given == stored).all()

made.RescaleSlope, made.RescaleIntercept = 3, 5
assert (apply_modality_lut(stored, made) == 305).all()
print("as described")
PYTHON
