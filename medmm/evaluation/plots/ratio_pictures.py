"""Small pictures of NIH test films with an extreme stated ratio, and its outlines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from medmm.models.film.chest_anatomy import outlines
from medmm.models.film.reading_model import AnatomyModel
from medmm.models.weights.catalogue import WeightsFolder, row_named
from medmm.training.data.films import NIH_TABLE, greys, read_table

CELL_PX, LINE_PX, ACROSS = 220, 16, 4
LUNGS, HEART = (86, 180, 233), (230, 159, 0)  # apart for the colour-blind too (Okabe and Ito)
CREDIT = "Films: ChestX-ray14, NIH Clinical Center (Wang et al., CVPR 2017)"


def write(path: Path, weights_dir: Path, data_dir: Path, extremes: list[dict[str, Any]]) -> None:
    """Write one picture with a cell a film; nothing if no extreme ratio is stated."""
    if not extremes:
        path.unlink(missing_ok=True)
        return
    model = AnatomyModel.open(
        WeightsFolder(row=row_named("chest-anatomy"), folder=weights_dir), torch.device("cpu")
    )
    films = {film.file: film for film in read_table(data_dir, NIH_TABLE)}
    chosen = [films[row["file"]] for row in extremes]
    lines = -(-len(chosen) // ACROSS)
    size = (CELL_PX * min(ACROSS, len(chosen)), (CELL_PX + LINE_PX) * lines + LINE_PX)
    sheet = Image.new("RGB", size, "black")
    pen = ImageDraw.Draw(sheet)
    for place, (row, grey) in enumerate(zip(extremes, greys(data_dir, chosen), strict=True)):
        left, top = place % ACROSS * CELL_PX, place // ACROSS * (CELL_PX + LINE_PX)
        pen.text(
            (left + 3, top + 2),
            f"{row['file'][:-5]} {row['view']} {row['ratio']:.2f}",
            fill="white",
        )
        sheet.paste(_cell(model, grey), (left, top + LINE_PX))
    pen.text((3, size[1] - LINE_PX + 2), CREDIT[: size[0] // 6], fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _cell(model: AnatomyModel, grey: NDArray[np.float32]) -> Image.Image:
    seen = outlines(model.network, grey, model.size_px)
    low, high = np.percentile(grey, (1, 99))
    tone = (np.clip((grey - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    side = CELL_PX - 2
    picture = np.repeat(
        np.asarray(Image.fromarray(tone).resize((side, side)))[..., None], 3, axis=2
    ).copy()
    for mask, tint in ((seen.lungs, LUNGS), (seen.heart, HEART)):
        small = np.asarray(Image.fromarray(mask).resize((side, side)))
        picture[small & ~ndimage.binary_erosion(small)] = tint
    return Image.fromarray(picture)
