"""The MR sets of the shared data as training reads them, and made-up subjects as studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medmm.domain.errors import InputError
from medmm.domain.measurement_formulas import ejection_fraction_percent
from medmm.domain.study import SequenceRole
from medmm.training.data.mr_sets import (
    OutlinedVolume,
    present,
    read_outlined_volumes,
    study_of,
    subjects,
)
from tests.volume_sets import block, hearts, outlined


def first(shared_data: Path, task: str, count: int = 1) -> list[OutlinedVolume]:
    """The first volumes of the test split."""
    if not (shared_data / "mri" / "subjects.csv").exists():
        pytest.skip("the shared data hold no MR sets")
    rows = read_outlined_volumes(shared_data, task, "test")
    return [next(rows) for _ in range(count)]


def test_a_hippocampus_has_the_volume_that_its_publisher_s_labels_have(shared_data: Path) -> None:
    (one,) = first(shared_data, "hippocampus")
    for label in (1, 2):
        assert (one.labels == label).sum() / 1000 == pytest.approx(
            float(one.row[f"vol_{label}_ml"]), abs=1e-3
        )
    rows = [np.argwhere(one.labels == label)[:, 1].mean() for label in (1, 2)]
    assert rows[0] > rows[1]  # the anterior part lies farther to +y
    assert one.signals[0] is not None
    assert one.signals[0].shape == one.labels.shape
    assert one.split == "test"


def test_a_brain_has_its_lesion_bright_on_flair(shared_data: Path) -> None:
    (one,) = first(shared_data, "brain-lesion")
    assert one.sequences == ("pre", "flair", "post")
    flair = one.signals[1]
    assert flair is not None
    assert flair.shape[1:] == (128, 128)
    assert flair[one.labels > 0].mean() > flair[(flair > 20) & (one.labels == 0)].mean()
    assert (one.labels > 0).any((1, 2)).sum() == int(one.row["slices_with_1"])
    study = study_of("brain-lesion", [one])
    assert study.chosen(SequenceRole.FLAIR) is not None
    assert all(v.spacing_z_mm is None and v.affine_lps_mm is None for v in study.volumes)


def test_a_heart_has_the_fraction_that_its_publisher_s_labels_have(shared_data: Path) -> None:
    ed, es = first(shared_data, "cardiac", 2)
    assert (ed.part, es.part, ed.subject) == ("ed", "es", es.subject)
    assert ed.spacing_zyx_mm is not None
    voxel_ml = np.prod(ed.spacing_zyx_mm) / 1000
    edv, esv = ((one.labels == 3).sum() * voxel_ml for one in (ed, es))
    assert edv == pytest.approx(float(ed.row["lv_edv_ml"]), rel=0.01)
    assert ejection_fraction_percent(edv, esv) == pytest.approx(float(ed.row["lvef_pct"]), abs=0.5)


def test_a_missing_set_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        list(read_outlined_volumes(tmp_path, "cardiac", "test"))
    assert "acdc" in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_member_that_is_missing_is_told(shared_data: Path, tmp_path: Path) -> None:
    import zipfile

    first(shared_data, "cardiac")
    (tmp_path / "mri").mkdir()
    table = (shared_data / "mri" / "subjects.csv").read_text(encoding="utf-8")
    (tmp_path / "mri" / "subjects.csv").write_text(table, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "mri" / "acdc.zip", "w") as archive:
        archive.writestr("nothing", "")
    with pytest.raises(InputError, match="KeyError"):
        next(read_outlined_volumes(tmp_path, "cardiac", "test"))


def test_a_sequence_that_a_subject_lacks_is_flair_again_and_not_in_the_study() -> None:
    values = block((2, 4, 4), (slice(0, 1), slice(1, 3), slice(1, 3)))
    flair, pre = np.full((2, 4, 4), 2.0, np.float32), np.full((2, 4, 4), 1.0, np.float32)
    one = outlined(
        values, sequences=("pre", "flair", "post"), signals=(pre, flair, None), spacing_zyx_mm=None
    )
    assert [float(signal.max()) for signal in present(one)] == [1, 2, 2]
    study = study_of("brain-lesion", [one])
    assert study.body_part == "BRAIN"
    assert study.chosen(SequenceRole.T1_CONTRAST) is None
    volume = study.chosen(SequenceRole.T1)
    assert volume is not None
    assert np.array_equal(volume.signal(), pre)
    assert len({v.sha256 for v in study.volumes}) == 2


def test_both_phases_of_a_heart_are_one_subject_with_its_spacing() -> None:
    rows = [*hearts("a", "NOR", (1, 1, 1), (1, 1, 1)), *hearts("b", "NOR", (2, 2, 2), (1, 1, 1))]
    both = subjects(rows)
    assert [[one.subject for one in subject] for subject in both] == [["a", "a"], ["b", "b"]]
    study = study_of("cardiac", both[0])
    for role in (SequenceRole.CINE_ED, SequenceRole.CINE_ES):
        volume = study.chosen(role)
        assert volume is not None
        assert (volume.spacing_z_mm, volume.spacing_yx_mm) == (10.0, (10.0, 10.0))
