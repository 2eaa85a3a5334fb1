"""Stored values to display-ready grey, once and in the order of the standard.

Modality LUT or rescale, then VOI LUT or window, then inversion (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2,
and PS3.4 N.2). Every step is pointwise, so it is applied to a table of the possible stored values
and then looked up.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import openjpeg
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_windowing, get_decoder
from pydicom.uid import UID, AllTransferSyntaxes, RLELossless

from medmm.domain.errors import InputError
from medmm.domain.study import Notice
from medmm.domain.study_inspection import SyntaxSupport
from medmm.imaging.dicom import gdcm
from medmm.imaging.dicom.coded_frames import with_true_table
from medmm.imaging.dicom.files import DicomFile, dicom_border, settle_syntax
from medmm.imaging.dicom.header import Tags
from medmm.imaging.dicom.padding import (
    BACKGROUND_ASSUMED,
    SignalRange,
    padded,
    signal_range_of,
    stated_padding,
)
from medmm.imaging.dicom.pixel_cells import bits_fit, values_in
from medmm.imaging.dicom.rescale import on_scale, rescaled, voi_table

MAX_DECODED_BYTES = 2**30
_TABLE_DTYPES = ("uint8", "int8", "uint16", "int16")
# Of one RLE frame beside its runs (PS3.5 annex G): its table of segments and padding
_RUN_TABLES_BYTES = 4096
_FAR = np.array([-1e15, 1e15])
GDCM = "gdcm"
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
# What decodes: pydicom's plugins by name, because one that is merely installed may abort the
# process on a broken file; GDCM does, so it runs in a process of its own.
_PLUGIN = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": "pillow",
    "1.2.840.10008.1.2.4.53": GDCM,
    "1.2.840.10008.1.2.4.55": GDCM,
    "1.2.840.10008.1.2.4.57": GDCM,
    "1.2.840.10008.1.2.4.70": GDCM,
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pydicom",
}
_PACKAGE = {"pillow": "pillow", "pyjpegls": "pyjpegls", "pylibjpeg": "pylibjpeg-openjpeg"}
_RETIRED = (UID("1.2.840.10008.1.2.4.53"), UID("1.2.840.10008.1.2.4.55"))
_TRANSCODE = (
    "convert the file to an uncompressed transfer syntax first (dcmdjpeg or gdcmconv --raw do)"
)


def decodable_syntaxes() -> tuple[SyntaxSupport, ...]:
    """List the transfer syntaxes of still pictures that have a decoder.

    The decoder is here or in the extra `codecs`.
    """
    return tuple(
        SyntaxSupport(uid=str(uid), name=uid.name, decodes=remedy is None, remedy=remedy or "")
        for uid in (*AllTransferSyntaxes, *_RETIRED)
        if not uid.is_encapsulated or str(uid) in _PLUGIN
        for remedy in [_missing(uid)]
    )


def _plugin_for(syntax: UID, bits_stored: float | None) -> str | None:
    """Name what decodes a syntax; Pillow reads JPEG Extended only if it has 8 bits."""
    deep = str(syntax) == _JPEG_EXTENDED and (bits_stored or 8) > 8
    return GDCM if deep else _PLUGIN.get(str(syntax))


def _missing(syntax: UID, bits_stored: float | None = None) -> str | None:
    """Return the remedy if no decoder is here; None if one is."""
    if not syntax.is_encapsulated:
        return None
    plugin = _plugin_for(syntax, bits_stored)
    if plugin == GDCM:
        return None if gdcm.installed() else gdcm.REMEDY
    if plugin is None:
        return _TRANSCODE
    if plugin in get_decoder(syntax).available_plugins:
        return None
    return f"pip install {_PACKAGE.get(plugin, plugin)}"


def frame_count(tags: Tags) -> int:
    """Return Number of Frames (0028,0008), 1 if missing; 0 or less if not plausible."""
    stated = tags.text("NumberOfFrames")
    number = tags.number("NumberOfFrames")
    return 1 if stated is None else int(number or 0)


def groups_whole(tags: Tags, frames: int) -> bool:
    """Tell whether an image has functional groups for every frame (PS3.3 C.7.6.16)."""
    if "PerFrameFunctionalGroupsSequence" not in tags.dataset:
        return True
    own = tags.count("PerFrameFunctionalGroupsSequence")
    return own == frames or frames == 1


def check_grid(file: DicomFile) -> None:
    """Hold the picture size in the header against the bytes that are there, before decoding.

    Raises: InputError if the image header is incomplete or contradicts itself, if it claims more
        pixels than the file can hold, or if there are no pixels.
    """
    tags, where = Tags(file.header), {"path": str(file.path)}
    if not file.pixel_bytes:
        raise InputError("the file has no pixel data", remedy="send the image itself", **where)
    if not file.pixels_whole:
        raise InputError("the pixel data are cut short", remedy="send the file again", **where)
    numbers = {k: tags.number(k) for k in ("Rows", "Columns", "BitsAllocated", "BitsStored")}
    wrong = [
        keyword for keyword, number in numbers.items() if not number or number < 1 or number % 1
    ]
    frames, samples = frame_count(tags), tags.number("SamplesPerPixel") or 1
    rows, columns, allocated, stored = (int(n or 0) for n in numbers.values())
    wrong += ["NumberOfFrames"] if frames < 1 else []
    unstated = file.uids_stated and not tags.text("PhotometricInterpretation")
    wrong += ["PhotometricInterpretation"] if unstated else []
    possible = (1, 8, 12, 16, 32, 64) if packed_12_bit(tags, file.syntax) else (1, 8, 16, 32, 64)
    wrong += ["BitsAllocated"] if allocated not in possible or stored > allocated else []
    wrong += [] if wrong or bits_fit(tags) else ["HighBit"]
    wrong += (
        [] if frames < 1 or groups_whole(tags, frames) else ["PerFrameFunctionalGroupsSequence"]
    )
    mono = tags.word("PhotometricInterpretation")[:4] in ("MONO", "")
    wrong += ["SamplesPerPixel"] if mono and samples != 1 else []
    if wrong:
        raise InputError(
            f"image header not consistent: {', '.join(dict.fromkeys(wrong))}",
            remedy="export the image again",
            **where,
        )
    with dicom_border(file.path):
        stated_padding(tags)
    claimed = rows * columns * frames * int(samples) * allocated // 8

    room = (
        MAX_DECODED_BYTES if file.syntax.is_encapsulated else min(file.pixel_bytes, file.room_bytes)
    )
    if claimed > room:
        raise InputError(
            f"the header claims {claimed} bytes of pixels where {room} can be",
            remedy="send the file again; it is cut short or its header is wrong",
            **where,
        )
    if file.syntax == RLELossless and file.pixel_bytes > 2 * claimed + _RUN_TABLES_BYTES * frames:
        raise InputError(
            "more run lengths than the picture has pixels",
            remedy="send the file again; it is damaged",
            **where,
        )


def stored_values(path: Path, frames: Sequence[int] = ()) -> tuple[NDArray[np.generic], Dataset]:
    """Decode a monochrome image file; return stored values and its header.

    Args:
        frames: the frames that are wanted, from 0, in this order; all if there are none.

    Returns: values of shape (frames, rows, columns).
    Raises: InputError if the pixels can't be decoded; a missing decoder's remedy says how to get
        by.
    """
    with dicom_border(path, "decode"):
        dataset = pydicom.dcmread(path, force=True)
    syntax, tags = grey_syntax(dataset, path), Tags(dataset)
    if packed_12_bit(tags, syntax):
        with dicom_border(path, "decode"):
            return _wanted(_unpacked(dataset), frames), dataset
    if by_gdcm(syntax, tags):
        shape = (frame_count(tags), int(tags.number("Rows") or 0), int(tags.number("Columns") or 0))
        cells = _wanted(gdcm.decode(path, shape), frames)
    else:
        with dicom_border(path, "decode"):
            cells = cells_of(dataset, syntax, path, frames)
    with dicom_border(path, "decode"):
        return values_in(cells, tags, coded=syntax.is_encapsulated), dataset


def grey_syntax(dataset: Dataset, path: Path) -> UID:
    """Return the transfer syntax of a grey picture that can be decoded here.

    What ACR-NEMA left out is settled in the header.

    Raises: InputError if it is not grey or no decoder is here.
    """
    with dicom_border(path, "decode"):
        syntax = settle_syntax(dataset)
    tags = Tags(dataset)
    # ACR-NEMA: grey, one sample
    if "SOPClassUID" not in dataset and not tags.text("PhotometricInterpretation"):
        dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    if (tags.number("SamplesPerPixel") or 1) != 1:
        raise InputError("not a grey picture", remedy="send the original image", path=str(path))
    if not packed_12_bit(tags, syntax) and (remedy := _missing(syntax, tags.number("BitsStored"))):
        raise InputError(f"no decoder here for {syntax.name}", remedy=remedy, path=str(path))
    return syntax


def by_gdcm(syntax: UID, tags: Tags) -> bool:
    """Tell whether GDCM decodes a picture, in its own process."""
    return _plugin_for(syntax, tags.number("BitsStored")) == GDCM


def cells_of(
    dataset: Dataset, syntax: UID, path: Path, frames: Sequence[int] = ()
) -> NDArray[np.generic]:
    """Read the cells of a picture with pydicom, shape (frames, rows, columns).

    Nothing beside the values is taken out yet.
    """
    if syntax.is_encapsulated:
        dataset = with_true_table(dataset, frame_count(Tags(dataset)))
    _check_coded_size(dataset, syntax, path)
    decoder = get_decoder(syntax)
    options = {
        "raw": True,
        "decoding_plugin": _PLUGIN.get(str(syntax), ""),
        "correct_unused_bits": False,
    }
    if frames:
        return np.stack(
            [cells.copy() for cells, _ in decoder.iter_array(dataset, indices=frames, **options)]
        )
    cells, _ = decoder.as_array(dataset, **options)
    return cells if cells.ndim == 3 else cells[np.newaxis]


def _wanted(values: NDArray[np.generic], frames: Sequence[int]) -> NDArray[np.generic]:
    return values[list(frames)] if frames else values


def packed_12_bit(tags: Tags, syntax: UID) -> bool:
    """Tell whether two values lie in three bytes, as ACR-NEMA and early DICOM allowed."""
    plain = syntax.is_little_endian and not syntax.is_encapsulated
    return plain and tags.number("BitsAllocated") == 12 and tags.number("BitsStored") == 12


def _unpacked(dataset: Dataset) -> NDArray[np.generic]:
    """Unpack values of 12 bits without gaps, low bits first.

    Source: PS3.5 8.1.1 with Bits Allocated 12.

    Raises: ValueError if bytes are missing.
    """
    shape = (frame_count(Tags(dataset)), int(dataset.Rows), int(dataset.Columns))
    count = shape[0] * shape[1] * shape[2]
    packed = np.frombuffer(dataset.PixelData, np.uint8, count=-(-count * 3 // 2)).astype(np.uint16)
    low, middle, high = np.pad(packed, (0, -len(packed) % 3)).reshape(-1, 3).T
    pairs = np.stack([low | (middle & 0x0F) << 8, middle >> 4 | high << 4], axis=1)
    values = pairs.ravel()[:count].reshape(shape)
    signed = bool(dataset.get("PixelRepresentation"))
    return ((values ^ 0x800).astype(np.int16) - 0x800) if signed else values


def _check_coded_size(dataset: Dataset, syntax: UID, path: Path) -> None:
    """Hold the size that each coded frame states against the header.

    The decoder allocates memory by the former.
    """
    size_of = {"pillow": _jpeg_size, "pylibjpeg": _j2k_size, "pyjpegls": _jpeg_ls_size}.get(
        _PLUGIN.get(str(syntax), "")
    )
    if size_of is None:
        return
    tags = Tags(dataset)
    stated = (tags.number("Rows"), tags.number("Columns"))
    for frame in generate_frames(dataset.PixelData, number_of_frames=frame_count(tags)):
        if size_of(frame) != stated:
            raise InputError(
                "coded pixels are of another size than the header says",
                remedy="send the file again; it is damaged",
                path=str(path),
            )


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(frame)) as picture:  # reads the frame header alone
        return picture.height, picture.width


def _j2k_size(frame: bytes) -> tuple[int, int]:
    stated = openjpeg.get_parameters(frame)
    return int(stated["rows"]), int(stated["columns"])


def _jpeg_ls_size(frame: bytes) -> tuple[int, int]:
    """Read rows and columns from the first frame header, marker SOF55.

    Source: ISO/IEC 14495-1 annex C.
    """
    rows, columns = struct.unpack_from(">HH", frame, frame.index(b"\xff\xf7") + 5)
    return rows, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Display-ready pictures with what in them is no signal.

    Attributes:
        grey: float32, 0 black to 1 white.
        background: where nothing was measured, of the same shape (of a NIfTI file its middle slice,
            rows and columns); None if everything was. It is shown black.
        assumed: whether some of it is stated nowhere, and was told by its values far from all
            others.
        foreign: whether values far from all others lie within the picture, where no background is.
    """

    grey: NDArray[np.float32]
    background: NDArray[np.bool_] | None = None
    assumed: bool = False
    foreign: bool = False

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What a reader must know of the background."""
        return (BACKGROUND_ASSUMED,) if self.assumed else ()


def display(stored: NDArray[np.generic], dataset: Dataset, path: Path) -> NDArray[np.float32]:
    """Return display-ready pixels as `shown` does.

    Args:
        stored: stored values (…, rows, columns).
        dataset: the header that they came with.
    Returns: float32 of the same shape, 0 black to 1 white.
    Raises: InputError as `shown`.
    """
    return shown(stored, dataset, path).grey


def shown(stored: NDArray[np.generic], dataset: Dataset, path: Path) -> Shown:
    """Convert stored values to display-ready pictures (…, rows, columns).

    The first of several windows counts. Without a usable window an 8-bit image is shown over its
    whole range and a deeper one over the range of values in it, padding left out.

    Raises: InputError if a look-up table or the padding of the header can't be applied.
    """
    tags = Tags(dataset)
    with dicom_border(path, "display"):
        background, limits = background_of(stored, tags)
        ends = None if by_header(tags) else value_ends(stored, background)
        if stored.dtype.name not in _TABLE_DTYPES:
            grey = _grey(stored, ends, dataset, tags)
        else:
            lowest = np.iinfo(stored.dtype)  # type: ignore[type-var]
            levels = np.arange(lowest.min, lowest.max + 1, dtype=stored.dtype)
            table = _grey(levels, ends, dataset, tags)
            grey = table[stored.astype(np.int32) - int(lowest.min) if lowest.min < 0 else stored]
        if background is not None:
            grey[background] = 0
    return Shown(
        grey=grey,
        background=background,
        assumed=limits is not None and limits.background,
        foreign=limits is not None and limits.foreign,
    )


def background_of(
    stored: NDArray[np.generic], tags: Tags
) -> tuple[NDArray[np.bool_] | None, SignalRange | None]:
    """Find where nothing was measured: padding that is stated, and what lies far off.

    Returns: a mask of the shape of `stored`, None if everything was measured; and the range beside
        far-off values, None if there are none.
    Raises: InputError if the padding of the header can't be applied.
    """
    background = padded(stored, stated_padding(tags))
    limits = signal_range_of(stored, background, black=_natural_black(stored, tags))
    if limits is not None and limits.background:
        far = limits.beyond(stored)
        background = far if background is None else background | far
    return background, limits


def _natural_black(stored: NDArray[np.generic], tags: Tags) -> float:
    """Return the stored value of a pixel that got nothing.

    That is 0, or the largest value if small values are shown white.
    """
    bits = int(tags.number("BitsStored") or 8 * stored.dtype.itemsize)
    if not inverted(tags):
        return 0.0
    return float(
        2 ** (bits - 1) - 1 if np.issubdtype(stored.dtype, np.signedinteger) else 2**bits - 1
    )


def signal(stored: NDArray[np.generic], dataset: Dataset, path: Path) -> NDArray[np.float32]:
    """Convert stored values to the scale that all slices share, float32; padding is NaN.

    The shape stays and no window is applied.

    Where small values are shown white they are counted from the largest that Bits Stored can hold:
    bright stays bright.
    Raises: InputError if the scale or the padding of the header can't be applied.
    """
    tags = Tags(dataset)
    with dicom_border(path, "scale"):
        padding = padded(stored, stated_padding(tags))
        values = stored
        if inverted(tags) and np.issubdtype(stored.dtype, np.integer):
            largest = 2 ** int(tags.number("BitsStored") or 8 * stored.dtype.itemsize) - 1
            values = (
                -1 if np.issubdtype(stored.dtype, np.signedinteger) else largest
            ) - stored.astype(np.int64)
        scaled = on_scale(values, tags, padding).astype(np.float32)
        if padding is not None:
            scaled[padding] = np.nan
        return scaled


def by_header(tags: Tags) -> bool:
    """Tell whether the header alone says what is shown black and white."""
    shallow = (tags.number("BitsStored") or 8) <= 8 and tags.first_item(
        "ModalityLUTSequence"
    ) is None
    return shallow or usable_window(tags) or tags.first_item("VOILUTSequence") is not None


def value_ends(
    stored: NDArray[np.generic], background: NDArray[np.bool_] | None
) -> NDArray[np.generic] | None:
    """Return the least and the greatest stored value outside the background."""
    values = stored if background is None else stored[~background]
    return np.array([values.min(), values.max()], dtype=stored.dtype) if values.size else None


def _grey(
    levels: NDArray[np.generic], ends: NDArray[np.generic] | None, dataset: Dataset, tags: Tags
) -> NDArray[np.float32]:
    values = rescaled(levels, tags)
    table = voi_table(tags)
    if table is not None:
        grey: NDArray[np.generic] = table.apply(values)
        low, high = table.range
    elif usable_window(tags):
        grey = apply_windowing(values, dataset)
        low, high = apply_windowing(_FAR, dataset)
    else:
        grey = values
        found = full_range(levels, tags) if ends is None else ends
        low, high = sorted(float(v) for v in rescaled(found, tags))
    scaled = np.clip((grey.astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)
    return (1 - scaled if inverted(tags) else scaled).astype(np.float32)


def full_range(levels: NDArray[np.generic], tags: Tags) -> NDArray[np.generic]:
    """Return the least and the greatest value that Bits Stored can hold."""
    bits = int(tags.number("BitsStored") or 8)
    signed = np.issubdtype(levels.dtype, np.signedinteger)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return np.array(ends, dtype=levels.dtype)


def inverted(tags: Tags) -> bool:
    """Tell whether the smallest value is shown white.

    That is so for MONOCHROME1 or Presentation LUT Shape INVERSE.

    Both together are one inversion: PS3.3 C.8.11.3.1 asks a MONOCHROME1 image to say INVERSE.
    """
    return tags.word("PhotometricInterpretation") == "MONOCHROME1" or (
        tags.word("PresentationLUTShape") == "INVERSE"
    )


def usable_window(tags: Tags) -> bool:
    """Tell whether the first window can be applied: a linear width is at least 1.

    Source: PS3.3 C.11.2.1.2.
    """
    center, width = tags.number("WindowCenter"), tags.number("WindowWidth")
    if center is None or width is None:
        return False
    exact = tags.word("VOILUTFunction") in ("SIGMOID", "LINEAR EXACT")
    return width > 0 if exact else width >= 1


def polarity_words(tags: Tags) -> str:
    """Say how black and white are stated, and whether values are inverted for that."""
    stated = tags.word("PhotometricInterpretation")
    named = stated if re.fullmatch(r"[A-Z0-9 ]{1,16}", stated) else "not stated"
    shape = tags.word("PresentationLUTShape")
    beside = f", Presentation LUT Shape {shape}" if shape in ("IDENTITY", "INVERSE") else ""
    if named[:4] not in ("MONO", "not "):
        return f"{named}: no grey picture"
    small = "shown white (inverted)" if inverted(tags) else "shown black (as stored)"
    return f"{named}{beside}: small values are {small}"


def window_words(tags: Tags) -> tuple[str, ...]:
    """Say what is stated for showing: look-up tables, windows, range, and which applies."""
    tables = len(list(tags.items("VOILUTSequence")))
    words = [f"VOI LUT {n + 1} of {tables}" for n in range(tables)]
    pairs = zip(tags.numbers("WindowCenter"), tags.numbers("WindowWidth"), strict=False)
    words += [f"centre {centre:g}, width {width:g}" for centre, width in pairs]
    if tables or usable_window(tags):
        return (f"{words[0]} (applied)", *words[1:])
    return (*words, "the whole range of values (applied)")


def voi_notices(tags: Tags) -> tuple[Notice, ...]:
    """Say what a reader must know of window and polarity."""
    shape = tags.word("PresentationLUTShape")
    mono1 = tags.word("PhotometricInterpretation") == "MONOCHROME1"
    windows = len(tags.texts("WindowWidth"))
    lut, window = bool(list(tags.items("VOILUTSequence"))), usable_window(tags)
    unstated = not tags.text("PhotometricInterpretation")
    own_range = lut and _table_lies(tags)
    rows = (
        (
            "window-unusable",
            windows and not window,
            "The stated window can't be applied; it was left out.",
        ),
        ("several-windows", windows > 1 and window, "Of several windows the first was applied."),
        (
            "voi-lut-bits",
            own_range,
            "The VOI look-up table does not use the bits that it states; its own range is shown.",
        ),
        (
            "window-unknown",
            not (lut or window),
            "No window is stated; the whole range of values is shown.",
        ),
        (
            "polarity-unstated",
            unstated,
            "The image does not state what is black; small values are shown black.",
        ),
        (
            "polarity-tags",
            shape and mono1 != (shape == "INVERSE"),
            "What states black and white contradicts.",
        ),
    )
    return tuple(Notice(code=code, text=text) for code, holds, text in rows if holds)


def _table_lies(tags: Tags) -> bool:
    try:
        table = voi_table(tags)
    except InputError:  # it is said where the picture is decoded
        return False
    return table is not None and table.bits_lie
