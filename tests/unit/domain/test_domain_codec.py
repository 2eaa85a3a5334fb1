"""JSON of nouns: of this release, of earlier ones, and of none."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from medmm.domain import codec, noun_upgrades
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import Statement
from medmm.domain.errors import InputError
from medmm.domain.reading import Finding, LabelMap, Reading, Side
from medmm.domain.report import Accept, Decision
from tests import factories
from tests.unit.domain.test_domain_nouns import nouns


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A noun whose present form is its third: `weight` was renamed, `label` took its first value from `owner`."""

    owner: str
    label: str
    weight_g: float
    inner: Parcel | None = None


@pytest.fixture
def third_form(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def renamed(data: noun_upgrades.Json) -> noun_upgrades.Json:
        return {("weight_g" if key == "weight" else key): item for key, item in data.items()}

    def labelled(data: noun_upgrades.Json) -> noun_upgrades.Json:
        return {**data, "label": f"of {data['owner']}"}

    monkeypatch.setattr(noun_upgrades, "UPGRADES", {"Parcel": (renamed, labelled)})
    yield
    codec._encoder.cache_clear()
    codec._decoder.cache_clear()


@pytest.mark.usefixtures("third_form")
def test_earlier_forms_are_brought_to_this_one_at_any_depth() -> None:
    inner = Parcel(owner="b", label="of b", weight_g=2.0)
    parcel = Parcel(owner="a", label="of a", weight_g=1.0, inner=inner)
    first = {
        "type": "Parcel",
        "owner": "a",
        "weight": 1.0,
        "inner": {"type": "Parcel", "form": 2, "owner": "b", "weight_g": 2.0},
    }
    assert from_json(Parcel, first) == parcel
    assert (to_json(parcel)["form"], to_json(parcel)["inner"]["form"]) == (3, 3)
    assert from_json(Parcel, json.loads(json.dumps(to_json(parcel)))) == parcel


@pytest.mark.usefixtures("third_form")
@pytest.mark.parametrize("form", [0, 4, "2", None, 1.5])
def test_a_form_that_is_not_known_is_refused(form: Any) -> None:
    data = {"type": "Parcel", "form": form, "owner": "a", "weight_g": 1.0}
    with pytest.raises(InputError, match="same medmm release"):
        from_json(Parcel, data)


def test_no_noun_has_a_field_that_json_needs_for_itself() -> None:
    names = {field.name for kind in nouns() for field in dataclasses.fields(kind)}
    assert not {codec.TAG, codec.FORM} & names


@pytest.mark.parametrize(
    "data",
    [
        {"name": "Mass", "probability": 0.5, "threshold": 0.5, "colour": "red"},
        {"type": "Study", "name": "Mass", "probability": 0.5, "threshold": 0.5},
        {"name": "Mass", "probability": "0.5", "threshold": 0.5},
        {"name": "Mass", "probability": True, "threshold": 0.5},
        {"name": "Mass", "probability": 10**400, "threshold": 0.5},  # JSON knows no largest number
        {"name": "Mass", "probability": 0.5, "threshold": 0.5, "codings": {"type": "Coding"}},
        {"name": "Mass", "probability": 0.5, "threshold": 0.5, "codings": "none"},
    ],
)
def test_what_this_release_does_not_write_is_refused_with_the_remedy(data: Any) -> None:
    with pytest.raises(InputError) as refused:
        from_json(Finding, data)
    assert refused.value.remedy == "check that both sides run the same medmm release"


def test_an_unknown_field_is_named_and_the_text_of_a_wrong_value_is_not() -> None:
    finding = to_json(factories.make_finding("Mass", 0.5))
    with pytest.raises(InputError, match=r"\['colour'\]"):
        from_json(Finding, {**finding, "colour": "red"})
    for kind, text in ((Side, "ZZTEST"), (Reading, {"study_uid": "1", "models": "ZZTEST"})):
        with pytest.raises(InputError) as refused:
            from_json(kind, text)
        assert "ZZTEST" not in str(refused.value)


def test_evidence_of_no_known_kind_is_refused() -> None:
    statement = to_json(factories.make_statements()[1])
    statement["evidence"][0]["type"] = "Rumour"
    with pytest.raises(InputError, match="no alternative"):
        from_json(Statement, statement)
    with pytest.raises(InputError, match="no alternative"):
        from_json(tuple[Decision, ...], [{"statement_id": "s1"}])
    assert from_json(tuple[Decision, ...], [to_json(Accept("s1"))]) == (Accept("s1"),)


@pytest.mark.parametrize("runs", [[[0, 6], [1]], [[0, 6], "11"], [[0, 6], [1, 0.0]], [[0, True]]])
def test_a_row_of_numbers_is_of_whole_numbers_in_pairs(runs: Any) -> None:
    data = {"name": "m", "volume_sha256": "a", "shape_zyx": [1, 2, 3], "labels": ["x"]}
    assert from_json(LabelMap, {**data, "runs": [[0, 5], [1, 1]]}).runs == ((0, 5), (1, 1))
    with pytest.raises(InputError):
        from_json(LabelMap, {**data, "runs": runs})
