"""Input that an MR network was never meant for: other sets, and damaged own images.

The latter come in forms that users meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from medmm.models.mr.preprocessing import scaled
from medmm.training.data.mr_sets import OutlinedVolume, read_outlined_volumes, subjects

Array = NDArray[np.float32]
Volumes = list[OutlinedVolume]
CROP_MM = (36.0, 50.0, 36.0)  # the middle crop around a hippocampus
# Taken for the gliomas, of which no voxel size is known, so that something can be measured
HEAD_MM = (5.0, 1.9, 1.9)
HEART_MM = (10.0, 1.5, 1.5)  # taken for what stands in a heart's place
HEAD_PX = 128
# What stands for end-systole is the volume for end-diastole, so much smaller in its slices
SMALLER = 0.85
NOISE = 0.15  # standard deviation of what is added, of the range of the volume


def foreign(task: str, data_dir: Path, split: str) -> Iterator[tuple[str, Volumes]]:
    """Yield subjects of the other two sets as a task's input, with their names in tables."""
    for other, (name, form) in _FOREIGN[task].items():
        for subject in subjects(read_outlined_volumes(data_dir, other, split)):
            yield name, form(subject)


def damaged(subject: Volumes) -> Iterator[tuple[str, Volumes]]:
    """Yield a task's own subject in forms that users meet, with their names in tables.

    They are drawn from its name.
    """
    for name, form in _DAMAGES.items():
        random = np.random.default_rng(list(subject[0].subject.encode()))
        yield name, [_each(one, partial(form, random=random)) for one in subject]
    yield "slices and columns exchanged", [_turned(one, (2, 1, 0)) for one in subject]
    yield "rows and columns exchanged", [_turned(one, (0, 2, 1)) for one in subject]


def _each(outlined: OutlinedVolume, form: Callable[[Array], Array]) -> OutlinedVolume:
    signals = tuple(
        None if signal is None else form(signal).astype(np.float32) for signal in outlined.signals
    )
    return replace(outlined, signals=signals)


def _turned(outlined: OutlinedVolume, order: tuple[int, int, int]) -> OutlinedVolume:
    """Put axes and voxel sizes into another order, which nothing states."""
    spacing = outlined.spacing_zyx_mm
    turned = _each(outlined, lambda signal: np.ascontiguousarray(signal.transpose(order)))
    sizes = None if spacing is None else (spacing[order[0]], spacing[order[1]], spacing[order[2]])
    return replace(turned, spacing_zyx_mm=sizes, labels=outlined.labels.transpose(order))


def _inverted(signal: Array, random: np.random.Generator) -> Array:
    return np.asarray(signal.max() + signal.min() - signal)


def _noisy(signal: Array, random: np.random.Generator) -> Array:
    return np.asarray(signal + random.normal(0, NOISE * float(np.ptp(signal)), signal.shape))


def _noise(signal: Array, random: np.random.Generator) -> Array:
    return random.uniform(0, 255, signal.shape).astype(np.float32)


def _half(signal: Array, random: np.random.Generator) -> Array:
    """Blank the half of higher columns, as in an array not filled to its end."""
    kept = signal.copy()
    kept[:, :, signal.shape[2] // 2 :] = signal.min()
    return kept


def _half_of_slices(signal: Array, random: np.random.Generator) -> Array:
    kept = signal.copy()
    kept[len(signal) // 2 :] = signal.min()
    return kept


_DAMAGES: dict[str, Callable[..., Array]] = {
    "contrast inverted": _inverted,
    f"noise of {100 * NOISE:.0f} % of the range added": _noisy,
    "noise alone": _noise,
    "half of the columns blank": _half,
    "half of the slices blank": _half_of_slices,
}


def _middle(signal: Array, spacing_zyx_mm: Sequence[float]) -> Array:
    """Cut the middle out of a volume, as large as a crop around a hippocampus."""
    sizes = [max(2, round(mm / step)) for mm, step in zip(CROP_MM, spacing_zyx_mm, strict=True)]
    begins = [max(0, (have - size) // 2) for have, size in zip(signal.shape, sizes, strict=True)]
    inside = tuple(slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True))
    return np.ascontiguousarray(signal[inside])


def _enlarged(signal: Array, side: int) -> Array:
    return np.asarray(scaled(torch.from_numpy(signal)[None], (len(signal), side, side))[0].numpy())


def _first(outlined: OutlinedVolume, *names: str) -> Array:
    """Return the first of these sequences that is there."""
    there = dict(zip(outlined.sequences, outlined.signals, strict=True))
    return next(signal for name in names if (signal := there.get(name)) is not None)


def _crop(subject: Volumes, signal: Array, spacing_zyx_mm: tuple[float, float, float]) -> Volumes:
    one = replace(
        subject[0], part="", sequences=("t1",), signals=(_middle(signal, spacing_zyx_mm),)
    )
    return [replace(one, spacing_zyx_mm=spacing_zyx_mm)]


def _head(subject: Volumes, signal: Array) -> Volumes:
    flair = _enlarged(signal, HEAD_PX)
    return [
        replace(
            subject[0],
            part="",
            sequences=("pre", "flair", "post"),
            signals=(None, flair, None),
            spacing_zyx_mm=None,
        )
    ]


def _heart(subject: Volumes, signal: Array) -> Volumes:
    """Take a volume for end-diastole, and the same, smaller in its slices, for end-systole."""
    small = _enlarged(signal, round(SMALLER * signal.shape[1]))
    margins = [
        ((have - got) // 2, -(-(have - got) // 2))
        for have, got in zip(signal.shape[1:], small.shape[1:], strict=True)
    ]
    systole = np.pad(small, [(0, 0), *margins], constant_values=float(signal.min()))
    return [
        replace(subject[0], part=part, sequences=("cine",), signals=(one,), spacing_zyx_mm=HEART_MM)
        for part, one in (("ed", signal), ("es", systole))
    ]


_FOREIGN: Mapping[str, Mapping[str, tuple[str, Callable[[Volumes], Volumes]]]] = {
    "hippocampus": {
        "cardiac": (
            "middle of hearts (ACDC)",
            lambda s: _crop(s, _first(s[0], "cine"), s[0].spacing_zyx_mm or HEART_MM),
        ),
        "brain-lesion": (
            "middle of heads with a glioma (T1)",
            lambda s: _crop(s, _first(s[0], "pre", "flair"), HEAD_MM),
        ),
    },
    "brain-lesion": {
        "hippocampus": ("hippocampus crops, enlarged", lambda s: _head(s, _first(s[0], "t1"))),
        "cardiac": ("hearts (ACDC)", lambda s: _head(s, _first(s[0], "cine"))),
    },
    "cardiac": {
        "hippocampus": (
            "hippocampus crops, enlarged",
            lambda s: _heart(s, _enlarged(_first(s[0], "t1")[::3], 96)),
        ),
        "brain-lesion": ("heads with a glioma (FLAIR)", lambda s: _heart(s, _first(s[0], "flair"))),
    },
}
