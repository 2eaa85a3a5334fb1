"""What stands in a network's place of input: foreign and damaged volumes, and the count of what became of their numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.reading import Measurement, Reading
from medmm.domain.study import Modality, Notice, Study
from medmm.evaluation.mr import unmeasured_rates, unsuitable_inputs, volume_networks
from medmm.evaluation.mr.unsuitable_inputs import damaged, foreign
from medmm.models.mr.preprocessing import Grid
from medmm.training.data.mr_sets import OutlinedVolume, study_of
from tests.quick_assistant import OfEveryStudy
from tests.volume_sets import block, outlined

SETS = {
    "hippocampus": [outlined(block((36, 50, 34), (slice(9, 20), slice(9, 40), slice(9, 20))), subject="h1", row={"person": "p"})],
    "brain-lesion": [
        outlined(np.ones((20, 128, 128)), subject="b1", sequences=("pre", "flair", "post"), spacing_zyx_mm=None,
                 signals=(None, np.arange(20 * 128 * 128, dtype=np.float32).reshape(20, 128, 128), None)),
    ],
    "cardiac": [
        outlined(np.ones((9, 176, 176)), subject="c1", part=part, sequences=("cine",), spacing_zyx_mm=(10.0, 1.5, 1.5))
        for part in ("ed", "es")
    ],
}  # fmt: skip


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: Path, task: str, *splits: str) -> Any:
        assert splits in (("val",), ("test",))
        return iter(SETS[task])

    monkeypatch.setattr(unsuitable_inputs, "read_outlined_volumes", read)
    monkeypatch.setattr(unmeasured_rates, "read_outlined_volumes", read)


@pytest.mark.parametrize("task", sorted(SETS))
def test_images_of_the_other_sets_make_a_study_of_the_task(task: str, sets: None) -> None:
    found = list(foreign(task, Path(), "test"))
    assert len(found) == 2
    assert len({name for name, _ in found}) == 2
    for _, subject in found:
        study = study_of(task, subject)
        own = study_of(task, SETS[task])
        roles = {one.role for one in study.sequences}
        assert roles <= {one.role for one in own.sequences}
        assert len(study.volumes) == (2 if task == "cardiac" else 1)
        assert all(np.ptp(v.signal()) > 0 for v in study.volumes)
        if task != "brain-lesion":
            assert all(
                v.spacing_z_mm for v in study.volumes
            )  # else nothing would be measured whatever the doubt
        else:
            assert study.volumes[0].shape_zyx[1:] == (128, 128)


def test_what_stands_for_end_systole_is_smaller_and_of_one_grid(sets: None) -> None:
    for _, (ed, es) in foreign("cardiac", Path(), "test"):
        assert ed.signals[0].shape == es.signals[0].shape  # type: ignore[union-attr]
        assert not np.array_equal(ed.signals[0], es.signals[0])  # type: ignore[arg-type]


def test_damages_leave_the_source_alone_and_are_the_same_each_time() -> None:
    subject = SETS["hippocampus"]
    before = subject[0].signals[0].copy()  # type: ignore[union-attr]
    once, again = dict(damaged(subject)), dict(damaged(subject))
    assert np.array_equal(before, subject[0].signals[0])  # type: ignore[arg-type]
    assert len(once) == 7
    for name, (one,) in once.items():
        assert np.array_equal(one.signals[0], again[name][0].signals[0])  # type: ignore[arg-type]
        assert not np.array_equal(one.signals[0], before)  # type: ignore[arg-type]
    (turned,) = once["slices and columns exchanged"]
    assert turned.signals[0].shape == turned.labels.shape == (34, 50, 36)  # type: ignore[union-attr]
    (half,) = once["half of the slices blank"]
    assert np.ptp(half.signals[0][18:]) == 0  # type: ignore[index]


class Segmenter:
    grid = Grid(spacing_zyx_mm=(None, None, None), side_px=None)


class Doubting:
    """States a number for what is bright in the mean, doubts the rest, and can't prepare what has no contrast."""

    calibration: Mapping[str, Any] = MappingProxyType({})
    segmenter = Segmenter()
    declares = OfEveryStudy(modality=Modality.MR, body_parts=())

    @classmethod
    def open(cls, *_: Any) -> Doubting:
        return cls()

    def read(self, study: Study) -> Reading:
        signal = study.volumes[0].signal()
        if signal.mean() < 80:
            raise InputError("too dark", remedy="more light")
        if signal.std() > 40:
            return Reading(study_uid="1", warnings=(Notice(code="unsure", text="Not measured."),))
        made = Measurement(name="hippocampus volume", value=3.0, unit="ml", interval=(2.0, 4.0))
        return Reading(study_uid="1", measurements=(made,))


def test_rows_count_what_was_stated_and_what_was_doubted(
    sets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(unmeasured_rates.MODELS, "hippocampus", Doubting)
    rows = unmeasured_rates.unmeasured("hippocampus", Path(), Path(), at_most=1, quiet=True)
    kinds = [row["kind"] for row in rows]
    assert kinds == ["own"] * 2 + ["another set's"] * 2 + ["own, damaged"] * 7
    for row in rows:
        assert row["stated"]["count"] == 1
        assert row["unlike"]["hits"] == 0  # no bounds
    assert json.loads(json.dumps(rows)) == rows
    test = next(row for row in rows if row["name"] == "test")
    assert test["stated"]["hits"] == _by_hand(SETS["hippocampus"])


def test_what_looks_unlike_the_set_needs_no_network(
    sets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unasked(Doubting):
        calibration = MappingProxyType({"doubt": {"grain": [-2, -1]}})

        def read(self, study: Study) -> Reading:
            raise AssertionError("asked")

    monkeypatch.setitem(unmeasured_rates.MODELS, "hippocampus", Unasked)  # type: ignore[arg-type]
    for row in unmeasured_rates.unmeasured("hippocampus", Path(), Path(), at_most=1, quiet=True):
        assert (row["stated"]["hits"], row["unlike"]["hits"]) == (0, 1)


def test_by_looks_alone_no_network_is_asked(sets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Unasked(Doubting):
        def read(self, study: Study) -> Reading:
            raise AssertionError("asked")

    monkeypatch.setitem(unmeasured_rates.MODELS, "hippocampus", Unasked)  # type: ignore[arg-type]
    for row in unmeasured_rates.unmeasured(
        "hippocampus", Path(), Path(), looks_alone=True, at_most=1, quiet=True
    ):
        assert (row["stated"], row["unlike"]["hits"]) == (None, 0)


def _by_hand(subject: list[OutlinedVolume]) -> int:
    signal = subject[0].signals[0]
    assert signal is not None
    return int(signal.mean() >= 80 and signal.std() <= 40)


def test_the_count_alone_keeps_every_other_figure(
    sets: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(unmeasured_rates.MODELS, "hippocampus", Doubting)
    with pytest.raises(InputError, match="keeps no figures"):
        volume_networks.with_unmeasured("hippocampus", tmp_path, tmp_path, quiet=True)
    (tmp_path / "evaluation.json").write_text(
        '{"task": "hippocampus", "subjects": 61, "unmeasured": []}'
    )
    found = volume_networks.with_unmeasured(
        "hippocampus", tmp_path, tmp_path, at_most=1, quiet=True
    )
    assert (found["task"], found["subjects"], len(found["unmeasured"])) == ("hippocampus", 61, 11)
