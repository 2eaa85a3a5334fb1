"""Decodes DICOM files with GDCM in a process of its own, because broken files abort GDCM.

Run by path (`python -I gdcm_worker.py MEMORY_BYTES`), so that it imports nothing of medmm. Takes
lines of JSON (a path, and the seconds of work that it may cost); answers each with a line of JSON
(shape, dtype, bytes) and the stored values. It ends at a file that GDCM can't read, because what
such a file left in its memory must not reach the next one.
"""

from __future__ import annotations

import json
import resource
import signal
import sys

CANNOT_READ = 3


def decode(path: str) -> tuple[bytes, bytes] | None:
    """Return header and stored values of the answer; None if GDCM can't read a grey picture."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    if not reader.Read():
        return None
    image = reader.GetImage()
    form = image.GetPixelFormat()
    bits = {8: 8, 12: 16, 16: 16}.get(form.GetBitsAllocated())  # GDCM unpacks 12 bits into 16
    if form.GetSamplesPerPixel() != 1 or bits is None:
        return None
    dimensions = [image.GetDimension(axis) for axis in range(image.GetNumberOfDimensions())]
    signed = "" if form.GetPixelRepresentation() else "u"
    frames = dimensions[2] if len(dimensions) > 2 else 1
    # GDCM's binding hands bytes over as text
    values = image.GetBuffer().encode("utf-8", "surrogateescape")
    shape = [frames, dimensions[1], dimensions[0]]
    head = {"shape": shape, "dtype": f"{signed}int{bits}", "bytes": len(values)}
    return json.dumps(head).encode() + b"\n", values


def main(memory_bytes: int) -> int:
    """Answer until stdin ends. Returns: the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for line in sys.stdin.buffer:
        path, seconds = json.loads(line)
        # Of this process's own work: some broken files loop for ever
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = decode(path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if answer is None:
            return CANNOT_READ
        sys.stdout.buffer.writelines(answer)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
