"""Pictures of the test subjects that a volume network read worst: the slice with most of the truth, both outlines on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from medmm.training.mr_sets import Outlined

SIDE_PX = 320
DRAWN, FOUND = (90, 200, 250), (255, 150, 60)


def write(path: Path, subjects: Sequence[tuple[Outlined, Any]]) -> None:
    """Write one row of pictures, a subject each: blue what was drawn, orange what was found."""
    sheet = Image.new("RGB", (SIDE_PX * len(subjects), SIDE_PX + 20), "black")
    for place, (outlined, found) in enumerate(subjects):
        sheet.paste(_picture(outlined, found), (place * SIDE_PX, 20))
        ImageDraw.Draw(sheet).text((place * SIDE_PX + 4, 4), f"{outlined.subject} {outlined.part}", fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _picture(outlined: Outlined, found: Any) -> Image.Image:
    z = int((outlined.labels > 0).sum((1, 2)).argmax())
    signals = dict(zip(outlined.sequences, outlined.signals, strict=True))
    signal = signals.get("flair", outlined.signals[0])
    assert signal is not None
    low, high = np.percentile(signal, (0.5, 99.5))
    grey = (np.clip((signal[z] - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    scale = max(1, SIDE_PX // max(grey.shape))
    colour = np.repeat(np.kron(grey, np.ones((scale, scale), np.uint8))[..., None], 3, axis=2)
    for labels, tint in ((outlined.labels[z], DRAWN), (found[z], FOUND)):
        for label in range(1, int(labels.max()) + 1):
            mask = np.kron(labels == label, np.ones((scale, scale), bool))
            colour[mask & ~ndimage.binary_erosion(mask)] = tint
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX))
    picture.paste(Image.fromarray(colour), ((SIDE_PX - colour.shape[1]) // 2, (SIDE_PX - colour.shape[0]) // 2))
    return picture
