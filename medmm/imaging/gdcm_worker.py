"""Decodes one DICOM file with GDCM, in a process of its own: GDCM aborts the process on some broken files.

Run by path (`python -I gdcm_worker.py FILE`), so that it imports nothing of medmm. Writes a line of JSON (columns, rows,
frames, dtype) and then the stored values to stdout; exits with 3 where GDCM can't read the file.
"""

from __future__ import annotations

import json
import sys

CANNOT_READ = 3


def main(path: str) -> int:
    """Decode `path`. Returns: the exit code."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    if not reader.Read():
        return CANNOT_READ
    image = reader.GetImage()
    form = image.GetPixelFormat()
    bits = {8: 8, 12: 16, 16: 16}.get(form.GetBitsAllocated())  # GDCM unpacks 12 bits into 16
    if form.GetSamplesPerPixel() != 1 or bits is None:
        return CANNOT_READ
    dimensions = [image.GetDimension(axis) for axis in range(image.GetNumberOfDimensions())]
    signed = "" if form.GetPixelRepresentation() else "u"
    frames = dimensions[2] if len(dimensions) > 2 else 1
    values = image.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM's binding hands bytes over as text
    head = {"shape": [frames, dimensions[1], dimensions[0]], "dtype": f"{signed}int{bits}"}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + values)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
