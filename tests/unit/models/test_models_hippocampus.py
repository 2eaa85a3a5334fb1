"""The hippocampus: outline and volume of planted labels, and when there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmm.domain.draft import Case, Outcome
from medmm.domain.reading import Reading
from medmm.domain.reading_model import read_by
from medmm.domain.study import SequenceRole, Study
from medmm.drafting import RuleWriter
from medmm.grounding import check
from medmm.models.mr.hippocampus import HippocampusModel, hippocampus_of
from medmm.models.mr.out_of_distribution import entropy
from medmm.models.mr.volume_segmenter import Labelled
from medmm.models.weights.catalogue import WeightsFolder, row_named
from tests.factories import make_mr_study
from tests.mr_phantoms import hippocampi, unspaced
from tests.volume_models import Planted, reordered

ROW = {"kind": "absolute", "half_width": 0.3}


def parts(signal: Any) -> Any:
    """Anterior in the last rows: there the crops that the network learned from have it."""
    rows = np.linspace(-1, 1, signal.shape[1])[None, :, None]
    return np.where(signal > 480, np.where(rows > 0, 1, 2), 0)


def model(
    rule: Callable[[Any], Any] = parts, plausible: tuple[float, float] = (1.0, 7.0)
) -> HippocampusModel:
    return HippocampusModel(
        weights=WeightsFolder(row=row_named("hippocampus"), folder=Path()),
        segmenter=Planted(rule, labels=2),  # type: ignore[arg-type]
        labels=("anterior hippocampus", "posterior hippocampus"),
        calibration={"hippocampus volume": ROW, "plausible_ml": list(plausible)},
    )


def crop(**changes: Any) -> Study:
    """One crop, as the set gives them."""
    made = make_mr_study("HIPPOCAMPUS")
    volume = replace(made.volumes[0], **changes)
    chosen = replace(made.sequences[0], volume_sha256=volume.sha256)
    return replace(made, volumes=(volume,), sequences=(chosen,))


def checked(made: Study, reading: Reading) -> list[str]:
    case = Case(id="case-1", study=made, context=None)
    draft = check(RuleWriter().write(case, reading), case, reading)
    assert not [(v.check, v.reason) for v in draft.verdicts if v.outcome is Outcome.FAILED]
    return [statement.text for statement in draft.draft.statements]


def test_a_hippocampus_is_outlined_and_measured() -> None:
    made, truth = crop(), hippocampi()[1][0]
    reading = model().read(made)
    assert np.array_equal(reading.label_maps[0].array(), truth)
    assert reading.label_maps[0].name == "hippocampus"
    (volume,) = reading.measurements
    assert volume.value == pytest.approx((truth > 0).sum() / 1000)
    assert volume.interval == pytest.approx((volume.value - 0.3, volume.value + 0.3))
    assert (volume.unit, volume.side, volume.model) == ("ml", None, "hippocampus")
    assert [e.label for e in volume.extents] == ["anterior hippocampus", "posterior hippocampus"]
    assert [e.centroid_index_zyx[1] < 19.5 for e in volume.extents] == [True, False]
    assert reading.models[0].name == "hippocampus"
    (text,) = checked(made, reading)
    assert f"{volume.value:.2f} ml" in text


def test_the_voxel_size_counts() -> None:
    made = crop(spacing_yx_mm=(0.8, 0.8), spacing_z_mm=1.2, affine_lps_mm=None)
    one = model()
    (volume,) = one.read(made).measurements
    assert volume.value == pytest.approx(
        (hippocampi()[1][0] > 0).sum() * 0.8 * 0.8 * 1.2 / 1000, abs=1e-4
    )
    assert one.segmenter.asked[0][1] == (1.2, 0.8, 0.8)  # type: ignore[attr-defined]


def test_a_crop_of_unknown_voxel_size_is_outlined_and_not_measured() -> None:
    made = replace(crop(), volumes=(unspaced(crop().volumes[0]),))
    one = model()
    reading = one.read(made)
    assert one.segmenter.asked[0][1] == (1.0, 1.0, 1.0)  # type: ignore[attr-defined]
    assert reading.label_maps[0].array().any()
    assert reading.measurements == ()
    assert [n.code for n in reading.warnings] == ["not-measured"]
    assert not any(" ml" in text for text in checked(made, reading))


def test_one_slice_is_not_measured() -> None:
    signal = crop().volumes[0].signal()[15:16]
    made = crop(shape_zyx=signal.shape, signal_loader=lambda: signal, sop_uids=("1.2",))
    reading = model().read(made)
    assert reading.measurements == ()
    assert [n.code for n in reading.warnings] == ["not-measured"]


@pytest.mark.parametrize(
    ("plausible", "code"), [((5.0, 9.0), "implausible"), ((0.1, 1.0), "implausible")]
)
def test_a_volume_that_is_none_is_not_stated(plausible: tuple[float, float], code: str) -> None:
    reading = model(plausible=plausible).read(crop())
    assert reading.measurements == ()
    assert reading.label_maps[0].array().any()
    assert [n.code for n in reading.warnings] == [code]


@pytest.mark.parametrize(
    "earlier", [False, True], ids=["bounds", "calibrated by an earlier release"]
)
def test_an_outline_that_the_network_doubts_is_kept_and_not_measured(earlier: bool) -> None:
    made, sure = crop(), model()
    known = entropy(sure.segmenter.read([made.volumes[0].signal()], None).probabilities)
    bounds = {"most_doubt": known * 1.01} if earlier else {"doubt": {"entropy": [0, known * 1.01]}}
    narrow = {"most_doubt": known * 0.99} if earlier else {"doubt": {"entropy": [0, known * 0.99]}}
    within = replace(sure, calibration={**sure.calibration, **bounds})
    beyond = replace(sure, calibration={**sure.calibration, **narrow})
    assert within.read(made).measurements == sure.read(made).measurements != ()
    reading = beyond.read(made)
    assert reading.measurements == ()
    assert "unsure" in [n.code for n in reading.warnings]
    assert reading.label_maps == sure.read(made).label_maps
    checked(made, reading)


def test_nothing_found_is_said() -> None:
    reading = model(lambda signal: np.zeros(signal.shape, dtype=np.uint8)).read(crop())
    assert reading.measurements == ()
    assert [n.code for n in reading.warnings] == ["not-found"]


def test_no_t1_no_reading() -> None:
    made = crop()
    flair = replace(made.sequences[0], role=SequenceRole.FLAIR)
    reading = read_by([model()], replace(made, sequences=(flair,)))
    assert [n.code for n in reading.warnings] == ["no-t1"]
    assert (reading.models, reading.label_maps, reading.measurements) == ((), (), ())


def test_the_largest_part_is_kept_of_both_labels_together() -> None:
    values = np.zeros((3, 6, 6), dtype=np.uint8)
    values[1, 1:3, 1:3], values[1, 3, 1:3] = 1, 2  # touching: six voxels
    values[2, 5, 3:6] = 2  # three beside
    probabilities = np.stack([(values == n).astype(np.float32) for n in range(3)])
    found = hippocampus_of(Labelled(probabilities=probabilities, presence=None))
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.where(np.arange(3)[:, None, None] == 1, values, 0))


@settings(max_examples=30)
@given(order=st.permutations(range(3)), reversed_axes=st.sets(st.integers(0, 2)))
def test_the_order_of_axes_changes_no_measurement(
    order: list[int], reversed_axes: set[int]
) -> None:
    plain = crop()
    made = replace(plain, volumes=(reordered(plain.volumes[0], order, sorted(reversed_axes)),))
    reading, same = model().read(made), model().read(plain)
    assert reading.measurements[0].value == same.measurements[0].value
    for one, other in zip(
        reading.measurements[0].extents, same.measurements[0].extents, strict=True
    ):
        assert one.centroid_lps_mm == pytest.approx(other.centroid_lps_mm, abs=1e-3)
    turned = np.flip(same.label_maps[0].array().transpose(order), sorted(reversed_axes))
    assert np.array_equal(reading.label_maps[0].array(), turned)


def test_axes_that_nothing_names_are_said_to_be_assumed() -> None:
    assert [n.code for n in model().read(crop(affine_lps_mm=None)).warnings] == ["axes-assumed"]
    assert model().read(crop()).warnings == ()
