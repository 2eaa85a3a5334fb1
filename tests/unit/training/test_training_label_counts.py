"""Counts of labels are said, and a finding without films of both kinds is named, before anything is trained."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.training.data.label_counts import check_labels

LABELS = np.array([[1, 0, 1], [0, 0, 1], [np.nan, 0, 1]])


def test_every_finding_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        check_labels(["Edema"], LABELS[:, :1])
    assert caplog.messages == ["Edema: 1 present, 1 absent, 1 unknown"]


def test_findings_that_no_film_or_every_film_shows_are_named_with_their_counts() -> None:
    with pytest.raises(InputError) as error:
        check_labels(["Edema", "Effusion", "Mass"], LABELS)
    assert (
        "Effusion (0 present, 3 absent, 0 unknown), Mass (3 present, 0 absent, 0 unknown)"
        in error.value.problem
    )
    assert "Edema" not in error.value.problem
