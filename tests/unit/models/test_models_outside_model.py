"""A declared model reads: prepared by its declaration, run apart, and mapped back with sides and millilitres."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.draft import Outcome
from medmm.domain.reading import Reading, Side
from medmm.domain.reading_model import read_by
from medmm.domain.study import NotEvaluable, SequenceRole, StatedAge, Study, View, Volume
from medmm.models import Adopted, Networks
from medmm.models.outside.declaration import OutsideDeclaration
from medmm.models.outside.preparation import placement_on, prepared
from tests.factories import make_mr_study, make_study, make_volume
from tests.mr_cases import drafted
from tests.outside_models import codes_of, film_folder, volume_declaration, volume_folder

ADULT = (StatedAge(source="PatientAge", least_years=40, most_years=41),)
FILM = make_study(ages=ADULT)


def networks_with(tmp_path: Path, folder: Path) -> Networks:
    adopted = Adopted(tmp_path / "models")
    with adopted.adding(folder, name=None, licence=None):
        pass
    return Networks(tmp_path / "none", device="cpu", adopted=adopted)


def read(networks: Networks, study: Study) -> Reading:
    return read_by(networks.outside_models, study)


def only_warning(reading: Reading) -> Any:
    (warning,) = reading.warnings
    assert not reading.findings
    assert not reading.label_maps
    return warning


def declared(**changes: Any) -> OutsideDeclaration:
    return OutsideDeclaration.model_validate(
        {**volume_declaration(**changes), "files": {"net.onnx": "0" * 64}}
    )


def head(shape: tuple[int, int, int] = (30, 34, 26), spacing: float = 2.0) -> Volume:
    """A T1 volume with two bright places of unlike size, the larger on the patient's left; axes L, P, S."""
    values = np.full(shape, 0.2, dtype=np.float32) + np.linspace(0, 0.1, shape[2], dtype=np.float32)
    values[10:16, 12:18, 17:22] = 1.0
    values[10:16, 12:16, 5:8] = 1.0
    affine = (
        (spacing, 0.0, 0.0, -spacing * (shape[2] - 1) / 2),
        (0.0, spacing, 0.0, -10.0),
        (0.0, 0.0, spacing, 5.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    return replace(
        make_mr_study().volumes[1],
        shape_zyx=shape,
        affine_lps_mm=affine,
        spacing_yx_mm=(spacing, spacing),
        spacing_z_mm=spacing,
        signal_loader=lambda: values,
    )


def turned(volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The same head stored in another order and direction of axes, with the affine of that."""
    values = volume.signal()
    affine = np.array(volume.affine_lps_mm)
    steps = affine[:3, 2::-1][:, list(order)]  # along the new slices, rows, columns
    first = affine[:3, 3].copy()
    shape = tuple(values.shape[axis] for axis in order)
    for axis, flipped in enumerate(flips):
        if flipped:
            first += steps[:, axis] * (shape[axis] - 1)
            steps[:, axis] *= -1
    stored = np.ascontiguousarray(
        np.flip(values.transpose(order), [n for n, f in enumerate(flips) if f])
    )
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = steps[:, ::-1], first
    spacing = np.linalg.norm(steps, axis=0)
    return replace(
        volume,
        shape_zyx=shape,
        affine_lps_mm=tuple(tuple(float(v) for v in row) for row in matrix),
        spacing_yx_mm=(float(spacing[1]), float(spacing[2])),
        spacing_z_mm=float(spacing[0]),
        signal_loader=lambda: stored,
    )


def study_of(volume: Volume) -> Study:
    study = make_mr_study(ages=ADULT)
    chosen = replace(study.sequences[1], volume_sha256=volume.sha256)
    assert chosen.role is SequenceRole.T1
    return replace(study, volumes=(volume,), sequences=(chosen,))


ORDERS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product([False, True], repeat=3)
]


@given(
    stored=st.sampled_from(ORDERS),
    codes=st.sampled_from(["RAS", "LPS", "LIA", "SPR"]),
    spacing=st.sampled_from([None, 1.5, 2.0, 3.1]),
    grid=st.sampled_from([([24, 24, 24], "pad-or-crop"), ([20, 18, 22], "stretch"), ([8, 8, 8], "multiple")]),
)  # fmt: skip
def test_one_head_in_any_order_of_axes_gives_the_same_bytes(
    stored: Any, codes: str, spacing: float | None, grid: Any
) -> None:
    own = {
        "orientation": codes,
        "spacing_mm": spacing and [spacing] * 3,
        "size": grid[0],
        "fit": grid[1],
    }
    one = declared(grid=own)
    volume = head()
    plain = prepared(one, study_of(volume), "volume").arrays["volume"]
    other = prepared(one, study_of(turned(volume, *stored)), "volume").arrays["volume"]
    assert plain.shape == other.shape
    assert plain.tobytes() == other.tobytes()


@given(stored=st.sampled_from(ORDERS), codes=st.sampled_from(["RAS", "LPS", "LIA"]))
def test_labels_come_back_to_the_voxels_that_they_mark(stored: Any, codes: str) -> None:
    grid = {
        "orientation": codes,
        "spacing_mm": [2.0] * 3,
        "size": [40, 40, 40],
        "fit": "pad-or-crop",
    }
    volume = turned(head(), *stored)
    placement = placement_on(volume, declared(grid=grid).grid)
    shown = prepared(
        declared(grid=grid, intensity=[{"rule": "min-max"}]), study_of(volume), "v"
    ).arrays["v"]
    back = placement.back((shown[0, 0] > 0.9).astype(np.uint8))
    assert not placement.cropped
    assert (back == (volume.signal() > 0.9)).all()


def test_a_film_is_read_with_the_calibration_that_is_declared(tmp_path: Path) -> None:
    output = {
        "classes": "overlapping",
        "activated": False,
        "channels": {
            0: {"name": "Effusion", "threshold": 0.5, "slope": 2.0, "intercept": -1.0},
            1: {"name": "outside: tube", },
        },
    }  # fmt: skip
    networks = networks_with(tmp_path, film_folder(tmp_path / "net", output=output))
    (finding,) = read(networks, FILM).findings
    film = FILM.volumes[0]
    assert networks.outside_models[0].declares.findings == ("Effusion",)
    (opened,) = [m.opened() for m in networks.outside_models]
    assert opened is not None
    shown = prepared(opened.declared, FILM, "film").arrays["film"]  # type: ignore[attr-defined]
    logit = 4.0 * float(shown.mean(dtype=np.float64))
    assert finding.probability == pytest.approx(1 / (1 + np.exp(-(2 * logit - 1))), abs=1e-4)
    assert (finding.model, finding.threshold, finding.rule_out) == ("film-net", 0.5, None)
    assert finding.codings
    assert read(networks, FILM).volumes_read == (film.sha256,)


@pytest.mark.parametrize(
    ("study", "code"),
    [
        (replace(FILM, volumes=(make_volume(view=View.UNKNOWN),)), "outside-view"),
        (replace(FILM, ages=(StatedAge(source="x", least_years=3, most_years=4),)), "outside-age"),
        (
            replace(FILM, volumes=(make_volume(loader=lambda: np.ones((1, 64, 48), np.float32)),)),
            "outside-input",
        ),
    ],
)
def test_what_the_declaration_does_not_fit_is_not_read_and_said(
    study: Study, code: str, tmp_path: Path
) -> None:
    networks = networks_with(tmp_path, film_folder(tmp_path / "net"))
    warning = only_warning(read(networks, study))
    assert warning.code == code
    assert warning.text.startswith("The model film-net read nothing of this study: ")


def test_an_age_that_is_not_sure_is_codes_of_the_findings(tmp_path: Path) -> None:
    networks = networks_with(tmp_path, film_folder(tmp_path / "net", sex="female"))
    reading = read(networks, replace(FILM, ages=()))
    assert codes_of(reading) == ["outside-age", "outside-sex"]
    assert len(reading.findings) == 2


@pytest.mark.parametrize(
    ("field", "code"),
    [("affine_lps_mm", "outside-orientation"), ("spacing_z_mm", "outside-spacing")],
)
def test_volumes_of_unknown_geometry_are_not_read(field: str, code: str, tmp_path: Path) -> None:
    networks = networks_with(tmp_path, volume_folder(tmp_path / "net"))
    study = study_of(replace(head(), **{field: None}))
    assert only_warning(read(networks, study)).code == code
    without = replace(study, sequences=())
    assert only_warning(read(networks, without)).code == "outside-sequence"


GRID = {"orientation": "LIA", "spacing_mm": [2.0] * 3, "size": [40, 40, 40], "fit": "pad-or-crop"}


def networks_of_volumes(tmp_path: Path, **changes: Any) -> Networks:
    from tests.outside_models import declare, volume_onnx

    folder = tmp_path / "net"
    volume_onnx(folder / "net.onnx", size=40)
    wanted = {"grid": GRID, "intensity": [{"rule": "min-max"}], **changes}
    return networks_with(tmp_path, declare(folder, volume_declaration(**wanted)))


@pytest.mark.parametrize("stored", [ORDERS[0], ORDERS[-1], ORDERS[13], ORDERS[30]])
def test_sides_and_millilitres_are_the_patients_in_any_order_of_axes(
    stored: Any, tmp_path: Path
) -> None:
    networks = networks_of_volumes(tmp_path)
    reading = read(networks, study_of(turned(head(), *stored)))
    ml = {m.side: m.value for m in reading.measurements}
    assert ml == {Side.LEFT: 1.44, Side.RIGHT: 0.576}  # 180 and 72 voxels of 0.008 ml
    (label_map,) = reading.label_maps
    assert label_map.labels == ("left hippocampus", "right hippocampus")
    assert {e.side for m in reading.measurements for e in m.extents} == {Side.LEFT, Side.RIGHT}
    assert networks.outside_models[0].declares.allows(reading)
    assert codes_of(reading) == []


def test_a_label_of_a_side_on_the_other_side_is_not_stated(tmp_path: Path) -> None:
    """Two labels, each one side of the head: right only where the affine says so."""
    from onnx import helper, numpy_helper

    from tests.outside_models import declare, save_onnx

    ramp = np.zeros((1, 1, 40, 1, 1), dtype=np.float32)
    ramp[:, :, 20:] = 8.0
    for swapped in (False, True):
        folder = tmp_path / f"net{swapped}"
        nodes = [
            helper.make_node("Mul", ["volume", "scale"], ["s"]),
            helper.make_node("Sub", ["four", "s"], ["dark"]),
            helper.make_node("Sub", ["s", "ramp"], ["low"]),
            helper.make_node("Add", ["low", "minus"], ["high0"]),
            helper.make_node("Add", ["high0", "twice"], ["high"]),
            helper.make_node("Concat", ["dark", "low", "high"], ["logits"], axis=1),
        ]
        constants = {
            "scale": np.float32(8),
            "four": np.float32(4),
            "ramp": ramp,
            "minus": np.float32(-8),
            "twice": 2 * ramp,
        }
        save_onnx(
            folder / "net.onnx", nodes,
            inputs={"volume": ("b", 1, 40, 40, 40)}, outputs={"logits": ("b", 3, 40, 40, 40)},
            initializers=[numpy_helper.from_array(np.asarray(v, dtype=np.float32), n) for n, v in constants.items()],
        )  # fmt: skip
        # LIA: the first axis runs to the left, so that its first half is the right one
        sides = ("left", "right") if swapped else ("right", "left")
        channels = {0: {"name": "background"}}
        channels |= {
            n: {"name": "outside: part", "side": side} for n, side in enumerate(sides, start=1)
        }
        output = {"classes": "exclusive", "activated": False, "channels": channels}
        changes = {
            "grid": GRID,
            "intensity": [{"rule": "min-max"}],
            "output": output,
            "laterality": "separate-labels",
            "id": f"sided-{swapped}",
        }
        networks = networks_with(tmp_path, declare(folder, volume_declaration(**changes)))
        reading = networks.outside_models[-1].read(study_of(head()))
        assert isinstance(reading, Reading)
        if swapped:
            assert only_warning(reading).code == "outside-side"
        else:
            assert reading.label_maps[0].labels == ("right outside: part", "left outside: part")


def test_overlapping_masks_become_maps_of_their_own_and_a_finding(tmp_path: Path) -> None:
    channels = {
        0: {"name": "outside: dark"},
        1: {"name": "brain lesion", "threshold": 0.5, "quantity": "lesion volume", "interval": {"kind": "relative", "half_width": 0.2}},
    }  # fmt: skip
    output = {
        "classes": "overlapping",
        "activated": False,
        "mask_threshold": 0.5,
        "channels": channels,
    }
    networks = networks_of_volumes(tmp_path, output=output, laterality="by-affine")
    reading = read(networks, study_of(head()))
    assert [m.name for m in reading.label_maps] == [
        "volume-net outside: dark",
        "volume-net brain lesion",
    ]
    (finding,) = reading.findings
    assert finding.probability == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-3)
    assert finding.extent is not None
    (measured,) = reading.measurements
    assert measured.value == pytest.approx((6 * 6 * 5 + 6 * 4 * 3) * 0.008)


def test_a_part_beyond_the_grid_is_said_to_be_unread(tmp_path: Path) -> None:
    networks = networks_with(tmp_path, volume_folder(tmp_path / "net"))
    reading = read(networks, study_of(head()))
    assert codes_of(reading) == ["outside-cropped"]


def test_a_part_of_a_film_beyond_the_grid_is_said_to_be_unread(tmp_path: Path) -> None:
    grid = {
        "orientation": "rows-columns",
        "spacing_mm": None,
        "size": [16, 16],
        "fit": "pad-or-crop",
    }
    networks = networks_with(tmp_path, film_folder(tmp_path / "net", grid=grid))
    assert codes_of(read(networks, FILM)) == ["outside-cropped"]
    grid["spacing_mm"] = [0.8, 0.8]  # 64 x 48 pixels of 0.2 mm are 16 x 12 of these
    networks = networks_with(tmp_path, film_folder(tmp_path / "b", grid=grid, id="coarse"))
    outcome = networks.outside_models[-1].read(FILM)
    assert isinstance(outcome, Reading)
    assert codes_of(outcome) == []


def test_a_draft_of_what_it_measured_passes_every_check(tmp_path: Path) -> None:
    networks = networks_of_volumes(tmp_path)
    study = study_of(head(spacing=6.0))
    reading = read(networks, study)
    _, _, draft = drafted(study, reading)
    left, right = [s.text for s in draft.statements if "hippocampus volume" in s.text]
    assert left.startswith("Left hippocampus volume")
    assert right.startswith("Right hippocampus volume")
    assert not [
        v for s in draft.statements for v in draft.verdicts_on(s.id) if v.outcome is Outcome.FAILED
    ]


def test_a_model_that_is_gone_or_altered_is_said(tmp_path: Path) -> None:
    from medmm.domain.errors import IntegrityError

    networks = networks_with(tmp_path, film_folder(tmp_path / "net"))
    (tmp_path / "models" / "film-net" / "net.onnx").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="altered"):
        read(networks, FILM)
    (row,) = networks.adopted.model_rows()
    assert row.state == "altered"


def test_an_added_model_reads_at_once_and_a_removed_one_no_more(tmp_path: Path) -> None:
    adopted = Adopted(tmp_path / "models")
    networks = Networks(tmp_path / "none", device="cpu", adopted=adopted)
    assert networks.outside_models == ()
    before = networks.manifests()
    with adopted.adding(film_folder(tmp_path / "net"), name=None, licence=None):
        pass
    assert len(networks.outside_models) == 1
    assert set(networks.manifests()) - set(before) == {"film-net"}
    with networks.removing("film-net"):
        pass
    assert networks.outside_models == ()
    assert isinstance(read_by([], FILM), Reading)
    assert not isinstance(read_by([], FILM), NotEvaluable)
