"""The reading model for MR studies: labels, measurements, findings of the body part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from medmm.domain.reading import Reading
from medmm.domain.study import Notice, Study
from medmm.models.mr.brain_lesion import BrainLesionModel
from medmm.models.mr.cardiac import CardiacModel
from medmm.models.mr.hippocampus import HippocampusModel
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.models.weights.loading import torch_device


class VolumeModel(Protocol):
    """A network of the volume family with its measurements."""

    def read(self, study: Study) -> Reading:
        """Read what it sees in a study.

        Raises: InputError for volumes that can't be prepared.
        """
        ...


OF_BODY_PART: Mapping[str, tuple[str, Callable[..., VolumeModel]]] = {
    "BRAIN": ("brain-lesion", BrainLesionModel.open),
    "HIPPOCAMPUS": ("hippocampus", HippocampusModel.open),
    "HEART": ("cardiac", CardiacModel.open),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MrReader:
    """Reads an MR study with the network for its body part. Safe from several threads."""

    models: Mapping[str, VolumeModel]

    @classmethod
    def open(
        cls, weights_dir: Path | None, *, device: str = "auto", threads: int | None = None
    ) -> MrReader:
        """Load what is installed. Raises: IntegrityError if a file of the weights was altered."""
        where, models = torch_device(device), {}
        if threads is not None:
            torch.set_num_threads(threads)
        for body_part, (name, make) in OF_BODY_PART.items():
            weights = open_weights(row_named(name), weights_dir)
            if weights is not None:
                models[body_part] = make(weights, where)
        return cls(models=models)

    def read(self, study: Study) -> Reading:
        """Read a study.

        A study without a network for it, or without the sequences that it needs, gives a reading
        that says so.
        """
        model = self.models.get(study.body_part)
        if model is None:
            text = (
                f"No reading model is installed for MR of this body part ({study.body_part}); "
                "nothing was read."
            )
            return Reading(
                study_uid=study.uid, warnings=(Notice(code="no-reading-model", text=text),)
            )
        return model.read(study)
