"""Brain lesions: what is said of planted probabilities, with and without geometry, mirrored, thin, uneven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medmm.domain.draft import Case, Outcome
from medmm.domain.errors import StateError
from medmm.domain.reading import ImageHalf, Reading, Side
from medmm.domain.reading_model import read_by
from medmm.domain.study import ChosenSequence, SequenceRole, Study, Volume
from medmm.domain.vocabulary import finding_term
from medmm.drafting import RuleWriter
from medmm.grounding import check
from medmm.models.mr.brain_lesion import (
    BrainLesionModel,
    lesions_of,
    share_of_head,
    slice_features,
    volume_score,
)
from medmm.models.mr.resampling import head_of
from medmm.models.mr.volume_segmenter import Labelled
from medmm.models.weights.catalogue import WeightsFolder, row_named
from tests.factories import make_mr_study
from tests.mr_phantoms import head, unspaced
from tests.volume_models import SPREAD, Planted, mirrored, reordered

CALIBRATION = {
    "voxel_threshold": 0.5,
    "smallest_voxels": 3,
    "smallest_share": 0.0,
    "slice": {"weights": [1.0, 0.5, 0.0], "intercept": 0.0},
    "volume": {"slope": 1.0, "intercept": 0.0, "threshold": 0.5},
    "lesion share of head": SPREAD,
    "lesion volume": SPREAD,
}
ROLES = (SequenceRole.T1, SequenceRole.FLAIR, SequenceRole.T1_CONTRAST)


def bright(flair: Any) -> Any:
    return (flair > 850).astype(np.uint8)  # the phantom's lesion alone


def model(rule: Callable[[Any], Any] = bright, **changes: Any) -> BrainLesionModel:
    return BrainLesionModel(
        weights=WeightsFolder(row=row_named("brain-lesion"), folder=Path()),
        segmenter=Planted(rule, of=1),  # type: ignore[arg-type]
        sequences=ROLES,
        calibration={**CALIBRATION, **changes},
    )


def study(change: Callable[[Volume], Volume], *, oriented: bool = True) -> Study:
    made = make_mr_study(oriented=oriented)
    return replace(made, volumes=tuple(change(volume) for volume in made.volumes))


def checked(made: Study, reading: Reading) -> list[str]:
    """Statements of the rule writer, every one of which must pass its checks."""
    case = Case(id="case-1", study=made, context=None)
    draft = check(RuleWriter().write(case, reading), case, reading)
    failed = [(v.check, v.reason) for v in draft.verdicts if v.outcome is Outcome.FAILED]
    assert not failed
    return [statement.text for statement in draft.draft.statements]


def test_a_lesion_is_found_outlined_and_measured() -> None:
    made, truth = make_mr_study(), head()[1]
    reading = model().read(made)
    (finding,) = reading.findings
    assert (finding.name, finding.model, finding.threshold) == ("brain lesion", "brain-lesion", 0.5)
    assert finding.suspected
    assert finding.codings == finding_term("brain lesion").codings
    (label_map,) = reading.label_maps
    assert (label_map.name, label_map.volume_sha256) == ("brain-lesion", made.volumes[0].sha256)
    assert np.array_equal(label_map.array(), truth)
    extent = finding.extent
    assert extent is not None
    there = np.flatnonzero(truth.any((1, 2)))
    assert (extent.slices, extent.slice_count) == ((there[0], there[-1]), len(there))
    assert (extent.image_half, extent.side) == (ImageHalf.HIGH_COLUMNS, Side.LEFT)
    share, volume = reading.measurements
    inside = head_of(made.volumes[0].signal()).sum()
    assert share.value == pytest.approx(100 * truth.sum() / inside, abs=1e-3)
    assert volume.value == pytest.approx(truth.sum() * 8 * 4.5 * 4.5 / 1000, abs=1e-3)
    assert (share.unit, volume.unit) == ("%", "ml")
    assert share.extents == volume.extents == (extent,)
    assert [n.code for n in reading.warnings] == ["sequences-used"]
    texts = checked(made, reading)
    assert any("ml" in text for text in texts)
    assert any("left" in text for text in texts)


@pytest.mark.parametrize("with_affine", [True, False])
def test_sides_follow_the_affine_and_halves_the_array(with_affine: bool) -> None:
    made = study(lambda volume: mirrored(volume, with_affine=with_affine))
    reading = model().read(made)
    extent = reading.findings[0].extent
    assert extent is not None
    assert extent.image_half is ImageHalf.LOW_COLUMNS
    assert extent.side is (Side.LEFT if with_affine else Side.RIGHT)
    same = model().read(make_mr_study())
    assert [m.value for m in reading.measurements] == pytest.approx(
        [m.value for m in same.measurements]
    )
    checked(made, reading)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize("reversed_axes", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_the_network_sees_its_own_axes_however_the_array_runs(
    order: tuple[int, ...], reversed_axes: tuple[int, ...]
) -> None:
    plain, planted = model(), model()
    made = study(lambda volume: reordered(volume, order, reversed_axes))
    same, reading = plain.read(make_mr_study()), planted.read(made)
    for ours, theirs in zip(
        planted.segmenter.asked[0][0], plain.segmenter.asked[0][0], strict=True
    ):  # type: ignore[attr-defined]
        assert np.array_equal(ours, theirs)
    turned = np.flip(same.label_maps[0].array().transpose(order), reversed_axes)
    assert np.array_equal(reading.label_maps[0].array(), turned)
    one, other = reading.findings[0].extent, same.findings[0].extent
    assert one is not None
    assert other is not None
    assert (one.side, one.centroid_lps_mm) == (
        other.side,
        pytest.approx(other.centroid_lps_mm, abs=1e-3),
    )


def test_measurements_name_the_network() -> None:
    measured = model().read(make_mr_study()).measurements
    assert {m.model for m in measured} == {"brain-lesion"}


def test_without_geometry_a_half_and_a_share_are_said_and_no_side_or_millilitres() -> None:
    made = make_mr_study(oriented=False)
    reading = model().read(made)
    extent = reading.findings[0].extent
    assert extent is not None
    assert (extent.image_half, extent.side, extent.centroid_lps_mm) == (
        ImageHalf.HIGH_COLUMNS,
        None,
        None,
    )
    assert [m.name for m in reading.measurements] == ["lesion share of head"]
    assert "axes-assumed" in {n.code for n in reading.warnings}
    assert not any(" ml" in text or "left" in text.lower() for text in checked(made, reading))


def test_a_whole_stack_is_not_said_to_lack_slices() -> None:
    for made in (study(lambda volume: volume), study(unspaced)):
        assert "not-whole" not in [n.code for n in model().read(made).warnings]


def test_geometry_without_the_distance_of_slices_gives_no_millilitres() -> None:
    made = study(unspaced)
    reading = model().read(made)
    assert [m.name for m in reading.measurements] == ["lesion share of head"]
    checked(made, reading)


@pytest.mark.parametrize(
    "stack",
    [
        {"file_sha256s": tuple("abcdefghijkl")},
        {"file_sha256s": ("a",), "sop_uids": ("1.2",), "frame_numbers": tuple(range(1, 13))},
    ],
)
def test_nothing_is_measured_on_an_uneven_stack(stack: dict[str, Any]) -> None:
    made = study(lambda volume: replace(unspaced(volume), **stack))
    reading = model().read(made)
    assert reading.findings[0].suspected
    assert reading.measurements == ()
    assert [n.code for n in reading.warnings] == ["sequences-used", "not-whole", "not-measured"]
    assert reading.label_maps[0].array().any()
    checked(made, reading)


def test_nothing_is_measured_on_one_slice() -> None:
    def one_slice(volume: Volume) -> Volume:
        signal = volume.signal()[6:7]
        uids = volume.sop_uids[:1]
        return replace(volume, shape_zyx=signal.shape, sop_uids=uids, signal_loader=lambda: signal)

    made = study(one_slice)
    reading = model().read(made)
    assert reading.findings[0].suspected
    assert reading.measurements == ()
    assert {"not-whole", "not-measured"} <= {n.code for n in reading.warnings}
    checked(made, reading)


def test_one_slice_of_a_series_that_fell_apart_stands_for_no_brain() -> None:
    made = make_mr_study(oriented=False)
    flair, rest = made.volumes[0], made.volumes[1:]
    signal = flair.signal()
    slices = tuple(
        replace(
            flair,
            sha256=f"{z:064x}",
            shape_zyx=(1, *flair.shape_zyx[1:]),
            sop_uids=(flair.sop_uids[z],),
            spacing_z_mm=None,
            signal_loader=lambda z=z: signal[z : z + 1],
        )
        for z in range(len(signal))
    )
    chosen = replace(made.sequences[0], volume_sha256=slices[4].sha256)
    apart = replace(made, volumes=(*slices, *rest), sequences=(chosen, *made.sequences[1:]))
    reading = read_by([model()], apart)
    assert [n.code for n in reading.warnings] == ["slices-apart"]
    assert (reading.findings, reading.measurements, reading.label_maps) == ((), (), ())
    alone = model().read(replace(apart, volumes=(slices[4], *rest)))
    assert [f.name for f in alone.findings] == ["brain lesion"]
    assert not any("no finding" in text.lower() for text in checked(apart, reading))


def test_no_flair_no_reading() -> None:
    made = make_mr_study()
    made = replace(
        made, sequences=tuple(c for c in made.sequences if c.role is not SequenceRole.FLAIR)
    )
    reading = read_by([model()], made)
    assert (reading.findings, reading.measurements, reading.label_maps) == ((), (), ())
    assert [n.code for n in reading.warnings] == ["no-flair"]


def test_a_sequence_that_is_missing_is_flair_again_and_those_used_are_named() -> None:
    made = make_mr_study()
    one = model()
    reading = one.read(made)
    ((asked, spacing),) = one.segmenter.asked  # type: ignore[attr-defined]
    flair, t1 = (volume.signal() for volume in made.volumes)
    assert spacing is None
    for found, wanted in zip(asked, (t1, flair, flair), strict=True):
        assert np.array_equal(found, wanted)
    assert reading.warnings[0].text == "Brain lesions were looked for on: T1, FLAIR."


def turned_to(study: Study, rows: tuple[int, int, int]) -> Study:
    """The study with the patient axes of its geometry in another order: (2, 0, 1) puts the left-right axis along the slices' normal."""
    volumes = [
        replace(
            v,
            affine_lps_mm=None
            if v.affine_lps_mm is None
            else (*(v.affine_lps_mm[i] for i in rows), v.affine_lps_mm[3]),
        )
        for v in study.volumes
    ]
    return replace(study, volumes=tuple(volumes))


@pytest.mark.parametrize("rows", [(2, 0, 1), (0, 2, 1)])
def test_a_sagittal_or_coronal_flair_is_not_read_and_says_so(rows: tuple[int, int, int]) -> None:
    reading = read_by([model()], turned_to(make_mr_study(), rows))
    assert (reading.findings, reading.label_maps) == ((), ())
    assert [warning.code for warning in reading.warnings] == ["not-axial"]


def test_a_sequence_of_another_place_is_left_out_and_named() -> None:
    made = make_mr_study()
    affine = made.volumes[1].affine_lps_mm
    assert affine is not None
    away = replace(
        made.volumes[1],
        affine_lps_mm=(*((*row[:3], row[3] + 500) for row in affine[:3]), affine[3]),
    )
    one = model()
    reading = one.read(replace(made, volumes=(made.volumes[0], away)))
    ((asked, _),) = one.segmenter.asked  # type: ignore[attr-defined]
    assert all(np.array_equal(signal, made.volumes[0].signal()) for signal in asked)
    used, left_out = reading.warnings
    assert used.text == "Brain lesions were looked for on: FLAIR."
    assert left_out.code == "sequence-not-used"
    assert left_out.text.startswith("T1 was not used: two sequences of the study hardly overlap.")


def test_t1_of_another_grid_is_brought_to_that_of_flair() -> None:
    made = make_mr_study()
    turned = mirrored(made.volumes[1], with_affine=True)
    one = model()
    one.read(replace(made, volumes=(made.volumes[0], turned)))
    ((asked, _),) = one.segmenter.asked  # type: ignore[attr-defined]
    np.testing.assert_allclose(asked[0], made.volumes[1].signal(), atol=1e-3)


def test_pixels_that_are_not_attached_are_an_error_and_no_missing_sequence() -> None:
    made = make_mr_study()
    bare = replace(made.volumes[1], signal_loader=None)
    with pytest.raises(StateError):
        model().read(replace(made, volumes=(made.volumes[0], bare)))


def test_nothing_found_is_not_suspected_and_not_measured() -> None:
    made = make_mr_study()
    reading = model(lambda flair: np.zeros(flair.shape, dtype=np.uint8)).read(made)
    (finding,) = reading.findings
    assert not finding.suspected
    assert finding.extent is None
    assert reading.measurements == ()
    assert [n.code for n in reading.warnings] == ["sequences-used"]
    checked(made, reading)


def test_suspected_by_score_alone_says_that_nothing_was_outlined() -> None:
    reading = model(smallest_voxels=100_000).read(make_mr_study())
    assert reading.findings[0].suspected
    assert reading.findings[0].extent is None
    assert [n.code for n in reading.warnings] == ["sequences-used", "not-outlined"]
    checked(make_mr_study(), reading)


def labelled(probability: Any, presence: Any) -> Labelled:
    lesion = np.asarray(probability, dtype=np.float32)
    return Labelled(
        probabilities=np.stack([1 - lesion, lesion]),
        presence=np.asarray(presence, dtype=np.float32),
    )


def test_what_speaks_for_a_lesion_in_a_slice() -> None:
    found = slice_features(labelled([[[0.5, 0.25]], [[0.0, 0.75]]], [0.5, 0.9]))
    np.testing.assert_allclose(found[0], [0, 0, np.log(1.75)], atol=1e-6)
    np.testing.assert_allclose(found[1], [np.log(3), np.log(9), np.log(1.75)], atol=1e-5)


def test_a_volume_is_as_sure_as_its_surest_pair_of_neighbours() -> None:
    assert volume_score(np.array([0.9])) == pytest.approx(np.log(9))
    assert volume_score(np.array([0.99, 0.01, 0.8, 0.75])) == pytest.approx(np.log(3))
    assert volume_score(np.array([1.0, 1.0])) == pytest.approx(np.log(0.9999 / 0.0001))


def test_the_calibration_decides() -> None:
    planted = labelled(np.full((2, 2, 2), 0.45), [0.5, 0.5])
    calibration = {**CALIBRATION, "slice": {"weights": [0, 1, 0], "intercept": 0}}
    assert lesions_of(planted, calibration).probability == pytest.approx(0.5)
    assert not lesions_of(planted, calibration).mask.any()
    assert lesions_of(planted, {**calibration, "voxel_threshold": 0.4}).mask.all()
    assert not lesions_of(
        planted, {**calibration, "voxel_threshold": 0.4, "smallest_voxels": 9}
    ).mask.any()
    sure = {**calibration, "volume": {"slope": 2.0, "intercept": np.log(3), "threshold": 0.5}}
    assert lesions_of(planted, sure).probability == pytest.approx(0.75)


def test_the_share_of_the_head_counts_a_lesion_at_its_edge() -> None:
    head_mask, lesion = np.zeros((1, 2, 10), dtype=bool), np.zeros((1, 2, 10), dtype=bool)
    head_mask[:, :, :8] = True
    lesion[:, :, 6:10] = True
    assert share_of_head(lesion, head_mask) == pytest.approx(40)
    assert share_of_head(np.zeros_like(lesion), head_mask) == 0
    assert share_of_head(np.zeros_like(lesion), np.zeros_like(lesion)) == 0
    assert share_of_head(lesion, lesion) == 100


def test_two_series_of_one_role_are_told_apart_by_the_choice() -> None:
    made = make_mr_study()
    other = replace(made.volumes[1], sha256="f" * 64)
    chosen = replace(
        made,
        volumes=(*made.volumes, other),
        sequences=(
            made.sequences[0],
            ChosenSequence(role=SequenceRole.T1, volume_sha256="f" * 64, reason="x"),
        ),
    )
    assert [v.sha256 for v in (chosen.chosen(SequenceRole.T1),) if v] == ["f" * 64]
    assert model().read(chosen).findings[0].suspected


def test_a_doubted_lesion_stays_suspected_and_outlined_and_is_not_measured() -> None:
    made = make_mr_study()
    plain = model().read(made)
    assert plain.measurements
    assert model(doubt={"entropy": [0, 1e6]}).read(made) == plain
    reading = model(doubt={"entropy": [0, 0]}).read(made)
    assert reading.measurements == ()
    assert reading.findings == plain.findings
    assert reading.findings[0].suspected
    assert reading.label_maps == plain.label_maps
    assert [n.code for n in reading.warnings] == [*(n.code for n in plain.warnings), "unsure"]
    assert "Possible" in " ".join(checked(made, reading))


def test_without_a_suspicion_nothing_is_said_of_doubt() -> None:
    nothing = model(lambda flair: np.zeros(flair.shape, dtype=np.uint8), doubt={"entropy": [0, 0]})
    assert "unsure" not in [n.code for n in nothing.read(make_mr_study()).warnings]
