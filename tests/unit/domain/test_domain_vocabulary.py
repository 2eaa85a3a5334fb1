from __future__ import annotations

import csv
from importlib.resources import files

import pytest
from pydicom.sr.codedict import codes

from medmm.domain.errors import InputError
from medmm.domain.vocabulary import (
    RADLEX,
    SNOMED_CT,
    finding_term,
    finding_terms,
    measurement_terms,
    most_urgent_first,
)
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
    names = [
        ("Nodule", 0.5),
        ("Pneumothorax", 0.2),
        ("Effusion", 0.9),
        ("Edema", 0.4),
        ("Mass", 0.5),
    ]
    found = most_urgent_first(make_finding(name, probability) for name, probability in names)
    assert [f.name for f in found] == ["Edema", "Pneumothorax", "Effusion", "Mass", "Nodule"]


def measurement_rows() -> list[dict[str, str]]:
    text = files("medmm.domain").joinpath("data/measurements.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("row", measurement_rows(), ids=lambda row: row["name"])
def test_a_measurement_has_words_a_unit_and_only_codes_of_the_standard(row: dict[str, str]) -> None:
    assert row["words"]
    assert row["unit"] in {"1", "%", "ml", "g", "g/ml"}
    assert row["source"] or not (row["code"] or row["site_code"])
    assert row["of_finding"] in {"", *finding_terms()}
    assert (row["match"] == "none") == (not row["code"])
    wanted = [(row["system"], row["code"], row["display"])] if row["code"] else []
    wanted += [("SCT", row["site_code"], row["site_display"])] if row["site_code"] else []
    for system, code, display in wanted:  # DICOM PS3.16 as pydicom carries it
        scheme = getattr(codes, system)
        known = [getattr(scheme, name) for name in scheme.dir()]
        assert (code, display) in {(concept.value, concept.meaning) for concept in known}


def test_measurements_are_named_once_and_keep_the_vocabulary_s_findings() -> None:
    assert len(measurement_terms()) == len(measurement_rows())
    assert measurement_terms()["LVEF"].codings[0].code == "8811-2"
    assert measurement_terms()["hippocampus volume"].broader
    assert not measurement_terms()["LV mass"].codings, "its LOINC code is of ultrasound"


def test_patterns_of_the_heart_carry_no_code_of_a_disease() -> None:
    patterns = [t for t in finding_terms().values() if t.body_part == "HEART"]
    assert len(patterns) == 4
    assert all(t.words.endswith("pattern") and not t.codings for t in patterns)
