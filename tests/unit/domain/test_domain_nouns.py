from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

import medmm.domain
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Draft, Statement
from medmm.domain.errors import InputError, StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.reading import Finding, Mask, Measurement, Reading, Region, Side
from medmm.domain.record import Fact, FactKind
from medmm.domain.report import CaseFile, CaseState, Edit, SignedReport
from medmm.domain.study import Study, View, Volume
from tests import factories


def nouns() -> list[type]:
    """Every dataclass that a module of the domain defines."""
    found = []
    for info in pkgutil.iter_modules(medmm.domain.__path__):
        module = importlib.import_module(f"medmm.domain.{info.name}")
        found += [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type)
            and dataclasses.is_dataclass(kind)
            and kind.__module__ == module.__name__
        ]
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("kind", nouns(), ids=lambda kind: kind.__name__)
def test_every_noun_is_frozen_and_slotted(kind: Any) -> None:
    parameters = kind.__dataclass_params__
    assert parameters.frozen
    assert parameters.eq
    assert "__slots__" in vars(kind)


def test_the_nouns_are_found() -> None:
    assert {Study, Fact, Reading, Statement, Draft, SignedReport, CaseFile} <= set(nouns())


@pytest.mark.parametrize("state", list(CaseState))
def test_a_whole_case_goes_to_json_and_back(state: CaseState) -> None:
    file = factories.make_case_file(state)
    assert from_json(CaseFile, to_json(file)) == file


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Finding, {"name": "Mass", "probability": "high", "threshold": 0.5}),
        (Finding, {"name": "Mass", "probability": 0.5}),
        (Finding, {"name": "Mass", "probability": 0.5, "threshold": 0.5, "colour": "red"}),
        (Finding, {"name": 7, "probability": 0.5, "threshold": 0.5}),
        (Finding, []),
        (Region, {"peak_xy": [0.1], "box_xyxy": [0, 0, 1, 1], "heat": [], "side": None}),
        (Region, {"peak_xy": [0.1, 0.1], "box_xyxy": [0, 0, 1, 1], "heat": [], "side": "up"}),
        (Fact, {"id": "x", "kind": "condition", "label": "x", "source": "s", "when": 5}),
        (Side, "top"),
    ],
)
def test_json_of_another_shape_is_refused(kind: type, data: Any) -> None:
    with pytest.raises(InputError):
        from_json(kind, data)


def test_dates_and_moments_stay_apart() -> None:
    for when in (date(2024, 1, 2), datetime(2024, 1, 2, 0, 0, tzinfo=UTC)):
        fact = factories.make_fact(FactKind.CONDITION, "Asthma", when=when)
        again = from_json(Fact, to_json(fact))
        assert type(again.when) is type(when)
        assert again == fact


WRONG = [
    lambda: factories.make_statements()[0].__class__(
        id="s",
        section=factories.Section.FINDINGS,
        text="x",
        assertion=factories.Assertion.ABSENT,
        evidence=(),
    ),
    lambda: dataclasses.replace(factories.make_statements()[0], text="  "),
    lambda: dataclasses.replace(
        factories.make_draft(), statements=(factories.make_statements()[0],) * 2
    ),
    lambda: factories.make_finding("Mass", 1.2),
    lambda: factories.make_finding("Mass", 0.2, 0.0),
    lambda: factories.make_finding("Mass", 0.2, 0.3, rule_out=0.31),
    lambda: factories.make_finding("Mass", 0.2, 0.3, rule_out=0.0),
    lambda: Measurement(name="r", value=2.0, unit="1", interval=(0.0, 1.0)),
    lambda: Region(peak_xy=(0.5, 0.5), box_xyxy=(0.6, 0.1, 0.5, 0.2), heat=(), side=None),
    lambda: Region(peak_xy=(1.5, 0.5), box_xyxy=(0.1, 0.1, 0.5, 0.2), heat=(), side=None),
    lambda: Mask(name="m", shape_yx=(2, 2), runs=(1, 2)),
    lambda: factories.make_volume(shape_zyx=(1, 0, 5)),
    lambda: factories.make_volume(spacing_yx_mm=(0.0, 0.1)),
    lambda: factories.make_volume(patient_left_on="top"),
    lambda: factories.make_study(volumes=()),
    lambda: factories.make_fact(FactKind.ORDER, "x", id=""),
    lambda: PatientIdentity(patient_id="1", sex="X"),
    lambda: Edit("s1", "  "),
    lambda: factories.make_signed_report(signed_at=datetime(2026, 1, 1)),
]


@pytest.mark.parametrize("make", WRONG, ids=range(len(WRONG)))
def test_a_noun_that_makes_no_sense_cannot_be_built(make: Any) -> None:
    with pytest.raises(InputError):
        make()


def test_a_volume_without_its_pixels_says_so() -> None:
    with pytest.raises(StateError, match="pixels"):
        factories.make_volume(loader=None).pixels()
    assert factories.make_volume().pixels().shape == (1, 64, 48)


def test_the_frontal_film_is_pa_before_ap_and_never_lateral() -> None:
    pa, ap, lateral = (factories.make_volume(view=v) for v in (View.PA, View.AP, View.LATERAL))
    assert factories.make_study(volumes=(lateral, ap, pa)).frontal is pa
    assert factories.make_study(volumes=(lateral, ap)).frontal is ap
    assert factories.make_study(volumes=(lateral,)).frontal is None


def test_orientation_is_known_only_if_every_image_states_it() -> None:
    known, unknown = factories.make_volume(), factories.make_volume(patient_left_on=None)
    assert factories.make_study(volumes=(known,)).orientation_known
    assert not factories.make_study(volumes=(known, unknown)).orientation_known


def test_a_score_at_its_operating_point_is_suspected() -> None:
    assert factories.make_finding("Mass", 0.3, 0.3).suspected
    assert not factories.make_finding("Mass", 0.2999, 0.3).suspected


def test_a_finding_is_suspected_ruled_out_or_undecided() -> None:
    for probability, rule_out in ((0.0, None), (0.1, 0.1), (0.0999, 0.1), (0.3, 0.1), (0.3, 0.3)):
        found = factories.make_finding("Mass", probability, 0.3, rule_out=rule_out)
        assert [found.suspected, found.ruled_out, found.undecided].count(True) == 1
        assert found.ruled_out == (probability == 0.0999)


def test_a_finding_stored_before_there_were_rule_out_points_loads_and_is_never_denied() -> None:
    stored = {
        k: v for k, v in to_json(factories.make_finding("Mass", 0.0)).items() if k != "rule_out"
    }
    assert not from_json(Finding, stored).ruled_out


def test_patient_keys_are_keyed_and_tell_people_apart() -> None:
    one = PatientIdentity(patient_id="ZZ-1", issuer="A")
    assert one.key(b"s") == PatientIdentity(patient_id="ZZ-1", issuer="A", family_name="ZZX").key(
        b"s"
    )
    others = [
        one.key(b"t"),
        PatientIdentity(patient_id="ZZ-1", issuer="B").key(b"s"),
        PatientIdentity(patient_id=None, family_name="ZZA").key(b"s"),
        PatientIdentity(patient_id=None, family_name="ZZB").key(b"s"),
    ]
    assert len({one.key(b"s"), *others}) == 5
    assert "ZZ" not in one.key(b"s")


def test_mask_of_one_colour() -> None:
    for value in (True, False):
        mask = np.full((3, 4), value)
        assert np.array_equal(Mask.from_array("m", mask).array(), mask)


def test_volume_is_the_same_whatever_loads_it() -> None:
    assert factories.make_volume(loader=None) == factories.make_volume()
    assert isinstance(factories.make_volume(), Volume)


def test_a_side_is_said_as_the_patients_and_both_sides_as_both() -> None:
    assert [side.phrase for side in Side] == [
        "patient's left side",
        "patient's right side",
        "both sides",
    ]
    assert Side.LEFT.mirrored.phrase == Side.RIGHT.phrase
    assert Side.BILATERAL.mirrored.phrase == Side.BILATERAL.phrase
