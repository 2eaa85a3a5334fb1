#!/usr/bin/env bash
# nibabel 5.4.2, numpy 2.4.6: a label map that was read with get_fdata() and is saved with the header
# of a file of integers does not come back as whole numbers.
#
# Expected: labels 0, 1, 2, 3 of a float array are whole numbers within the range of uint8, so a
#   header that says uint8 keeps them as they are.
# Seen: the writer always spreads a float array over the whole range of the integer type and stores
#   a slope. From a uint8 file 0 to 6 come back as 0.988, 2.00000004, 2.988, 4.00000008 ...:
#   no voxel equals 2 any more, and truncation to integers gives 0 for 1, 2 for 3 and 4 for 5. From an
#   int16 file 2 comes back as 1.9999999995 and is truncated to 1. Nothing warns.
# What helps: cast to integers before the image is made, and round instead of truncating when labels
#   are read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nibabel==5.4.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import nibabel
import numpy as np

def kept(dtype, labels):
    """What a label map reads as after it was saved under a header of this type."""
    source = nibabel.Nifti1Image(labels.astype(dtype), np.eye(4))  # a sound file of integers
    read = nibabel.Nifti1Image.from_bytes(source.to_bytes())
    changed = read.get_fdata()  # float64, as every tutorial reads it
    saved = nibabel.Nifti1Image(changed, read.affine, read.header)
    return nibabel.Nifti1Image.from_bytes(saved.to_bytes())

labels = np.arange(64).reshape(4, 4, 4) % 7
small = kept(np.uint8, labels)
values = np.unique(small.get_fdata())
print("uint8 :", [f"{value:.9f}" for value in values], "slope", small.dataobj.slope)
assert small.get_data_dtype() == np.uint8
assert (small.get_fdata() == 2).sum() == 0
truncated = small.get_fdata().astype(int)
print("uint8 truncated:", {n: sorted(set(truncated[labels == n].tolist())) for n in range(7)})
assert set(truncated[labels == 1].tolist()) == {0}
assert set(truncated[labels == 3].tolist()) == {2}

wide = kept(np.int16, labels)
print("int16 :", [f"{value:.10f}" for value in np.unique(wide.get_fdata())])
assert set(wide.get_fdata().astype(int)[labels == 2].tolist()) == {1}

assert (np.rint(small.get_fdata()) == labels).all()  # rounding gives them back
whole = nibabel.Nifti1Image(labels.astype(np.uint8), np.eye(4))
assert (nibabel.Nifti1Image.from_bytes(whole.to_bytes()).get_fdata() == labels).all()
print("as described")
PYTHON
