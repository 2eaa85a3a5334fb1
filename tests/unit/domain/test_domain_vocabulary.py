from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from medmm.domain.errors import InputError
from medmm.domain.vocabulary import RADLEX, SNOMED_CT, finding_term, finding_terms, most_urgent_first
from tests.factories import make_finding


def test_rows_are_complete_and_a_code_comes_with_its_source() -> None:
    text = files("medmm.domain").joinpath("data/findings.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len({row["name"] for row in rows}) == len(finding_terms())
    for row in rows:
        assert row["words"]
        assert row["sided"] in ("yes", "no")
        assert row["critical"] in ("yes", "no")
        assert row["source"] or not (row["radlex"] or row["snomed_ct"])


def test_codes_are_never_invented() -> None:
    term = finding_term("Pleural_Thickening")
    assert [c.system for c in term.codings] == [RADLEX]  # no SNOMED CT code has a source
    thickening = finding_term("Pleural_Thickening")
    assert [(c.code, c.display) for c in thickening.codings] == [("RID28509", "thickening")]
    assert thickening.broader == ("RID28509",), "a broader code keeps its own display"
    assert finding_term("Nodule").broader == ("27925004",)
    assert finding_term("Cardiomegaly").code == "8186001"
    assert [c.system for c in finding_term("Cardiomegaly").codings] == [SNOMED_CT]


def test_what_must_be_told_at_once() -> None:
    assert {t.name for t in finding_terms().values() if t.critical} == {"Pneumothorax", "Edema"}


def test_an_unknown_name_is_refused_with_its_name() -> None:
    with pytest.raises(InputError, match="'Effusions'"):
        finding_term("Effusions")


def test_critical_findings_come_before_more_probable_ones() -> None:
    names = [("Nodule", 0.5), ("Pneumothorax", 0.2), ("Effusion", 0.9), ("Edema", 0.4), ("Mass", 0.5)]
    found = most_urgent_first(make_finding(name, probability) for name, probability in names)
    assert [f.name for f in found] == ["Edema", "Pneumothorax", "Effusion", "Mass", "Nodule"]
