"""Records and identities that went wrong in public reports, row by row: the right value of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.errors import InputError
from medmm.domain.record import ClinicalContext, Fact, FactStatus, Quantity
from medmm.domain.study import Study
from medmm.domain.study_inspection import Inspection
from medmm.presentation.value_words import quantity_words
from tests.dicom_files import SAYS_FRONTAL
from tests.quick_assistant import GivenNetworks
from tests.shared_faults import generated

GENERATORS = ("records_status", "records_ids", "film_and_record")
READERS = (ReaderEntry(id="reader-1", name="ZZREADER One", role="reader"),)
Look = Callable[..., Inspection]


@pytest.fixture(scope="module")
def made(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the generators write, one folder each."""
    folder = tmp_path_factory.mktemp("faults")
    for name in GENERATORS:
        generated(shared_data, name, folder / f"gen_{name}")
    return folder


@pytest.fixture(scope="module")
def assistants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str | None, Assistant]]:
    """An assistant without a zone of its site, and one whose site is Tokyo."""
    made = {}
    for zone in (None, "Asia/Tokyo"):
        folder = tmp_path_factory.mktemp("kept")
        settings = Settings(data_dir=folder, readers=READERS, threads=1, site_time_zone=zone)
        # the pixels are not what is asked here
        made[zone] = Assistant(
            settings, networks=GivenNetworks(settings, picture_kinds=SAYS_FRONTAL)
        )
    yield made
    for assistant in made.values():
        assistant.close()


@pytest.fixture
def rg1(demo_films: Path) -> Path:
    """The film RG1: 9RG1, female, born 1940-03-05, made 1995-09-26."""
    return next(demo_films.rglob("RG1_UNCR.dcm"))


@pytest.fixture
def look(assistants: dict[str | None, Assistant]) -> Look:
    """What a film and a record beside it are understood as."""

    def looked(film: Path, record: Path, zone: str | None = None) -> Inspection:
        (found,) = assistants[zone].inspect(film, record=record)
        assert found.context is not None
        return found

    return looked


@pytest.fixture
def context(made: Path, rg1: Path, look: Look) -> Callable[[str], ClinicalContext]:
    """The record of a row as of the film RG1."""

    def read(name: str) -> ClinicalContext:
        found = look(rg1, next(made.rglob(f"{name}.json"))).context
        assert found is not None
        return found

    return read


def statuses(context: ClinicalContext) -> dict[str, FactStatus]:
    return {
        f.id.partition("/")[2]: f.status for f in context.facts if not f.id.startswith("Patient")
    }


def marks(fact: Fact) -> str:
    return "; ".join(fact.marks)


def reasons(context: ClinicalContext) -> str:
    return " | ".join(f"{o.source}: {o.reason}" for o in context.left_out)


def test_of_a_history_the_newest_version_alone_counts(
    context: Callable[[str], ClinicalContext],
) -> None:
    found = context("history")
    assert statuses(found) == {"c3": FactStatus.REFUTED}
    assert "AllergyIntolerance/a1: deleted" in reasons(found)
    assert "Condition/c1: entered in error" in reasons(found)


def test_the_status_of_hl7_counts_and_words_confirm_nothing(
    context: Callable[[str], ClinicalContext],
) -> None:
    found = context("status_codings")
    assert statuses(found) == {
        "q1": FactStatus.REFUTED,
        "q3": FactStatus.UNCONFIRMED,
        "q4": FactStatus.UNCONFIRMED,
        "q5": FactStatus.INACTIVE,
    }
    assert "refuted" in marks(found.fact("Condition/q3"))
    assert "unknown verification status" in marks(found.fact("Condition/q4"))


def test_what_is_over_is_inactive_and_what_is_intended_unconfirmed(
    context: Callable[[str], ClinicalContext],
) -> None:
    found = context("medicines")
    assert statuses(found) == {
        "m1": FactStatus.INACTIVE,
        "m2": FactStatus.UNCONFIRMED,
        "m3": FactStatus.ACTIVE,
        "k2": FactStatus.INACTIVE,
    }
    assert "ended: 1994-02-01" in marks(found.fact("MedicationStatement/m1"))
    assert "ended: 1992-01-01" in marks(found.fact("Condition/k2"))
    assert found.fact("MedicationStatement/m3").details == (
        "dosage: 2400000 [iU], how often is not read",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("focus", ["Observation/o1: its focus is somebody"]),
        (
            "modifiers",
            [
                "Observation/o1 component[1]: an unknown modifierExtension",
                "Condition/c9: an unknown implicitRules",
            ],
        ),
    ],
)
def test_what_may_mean_something_else_is_left_out_and_said(
    name: str, said: list[str], context: Callable[[str], ClinicalContext]
) -> None:
    found = context(name)
    assert statuses(found) == {}
    assert all(words in reasons(found) for words in said)


def test_a_glucose_in_the_wrong_unit_is_marked(context: Callable[[str], ClinicalContext]) -> None:
    found = context("glucose_units")
    assert "likely in mmol/L" in marks(found.fact("Observation/g5"))
    assert "likely in mg/dL" in marks(found.fact("Observation/g6"))


def test_active_beside_resolved_is_marked_at_both(
    context: Callable[[str], ClinicalContext],
) -> None:
    found = context("two_systems")
    for name, other in (
        ("a1", "inactive in Condition/b2"),
        ("b1", "inactive in Condition/b2"),
        ("b2", "active in"),
    ):
        assert f"contradicts itself: {other}" in marks(found.fact(f"Condition/{name}"))


def test_numbers_keep_all_their_digits(made: Path, look: Look) -> None:
    folder = made / "gen_film_and_record"
    found = look(folder / "film_no_zone.dcm", folder / "numbers.json").context
    assert found is not None
    values = {f.id: f.value if isinstance(f.value, str) else None for f in found.facts}
    assert values["Observation/n1"] == "1 : 1048576"
    assert values["Observation/n2"] == "1000000 to 1234567"
    assert quantity_words(Quantity(value=2400000, unit="[iU]")) == "2400000 IU"


def test_subjects_by_identifier_are_the_patients(made: Path, look: Look) -> None:
    folder = made / "gen_film_and_record"
    found = look(folder / "film_no_zone.dcm", folder / "subjects.json").context
    assert found is not None
    assert set(statuses(found)) == {"o1", "o2"}


def test_a_page_of_several_says_so_in_record_draft_and_json(
    made: Path, assistants: dict[str | None, Assistant]
) -> None:
    folder, assistant = made / "gen_film_and_record", assistants[None]
    looked = assistant.record(folder / "page_1.json")
    assert any("412" in reason for reason in looked.incomplete)
    study = assistant.admit(folder / "film_no_zone.dcm", record=folder / "page_1.json")
    assert isinstance(study, Study)
    draft = assistant.draft(assistant.open_case(study.uid).id).draft
    (said,) = [w.text for w in draft.warnings if w.code == "record-incomplete"]
    assert "link next" in said


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_what_came_after_a_film_of_unknown_zone_stays_out(
    zone: str | None, made: Path, look: Look
) -> None:
    folder = made / "gen_film_and_record"
    found = look(folder / "film_no_zone.dcm", folder / "later_in_tokyo.json", zone).context
    assert found is not None
    assert statuses(found) == {}
    assert len(found.left_out) >= 2


def test_the_zone_of_the_site_lets_in_what_came_shortly_before(
    made: Path, look: Look, tmp_path: Path
) -> None:
    folder = made / "gen_film_and_record"
    earlier = tmp_path / "earlier.json"
    text = (folder / "later_in_tokyo.json").read_text(encoding="utf-8")
    earlier.write_text(text.replace("T18:00:00+09:00", "T12:00:00+09:00"), encoding="utf-8")
    film = folder / "film_no_zone.dcm"
    unknown, known = look(film, earlier), look(film, earlier, "Asia/Tokyo")
    assert unknown.context is not None
    assert known.context is not None
    assert statuses(unknown.context) == {}
    assert "whose time zone is not known" in reasons(unknown.context)
    assert set(statuses(known.context)) == {"t1"}
    assert known.study is not None
    assert known.study.acquired is not None
    assert known.study.acquired.moment == datetime(1995, 9, 26, 3, 51, 30, tzinfo=UTC)
    assert known.study.acquired.moment.utcoffset() == timedelta(hours=9)
    assert unknown.study is not None
    assert "time-zone-unknown" in {warning.code for warning in unknown.study.warnings}
    assert "time-zone-of-site" in {warning.code for warning in known.study.warnings}


@pytest.mark.parametrize(
    ("film", "record", "verdict"),
    [
        ("film_kanji", "kanji", "match"),
        ("film_kanji", "married", "near"),
        ("RG1", "birth_year", "match"),
        ("RG1", "birth_month", "match"),
        ("RG1", "birth_year_other", "mismatch"),
        ("RG1", "birth_other", "mismatch"),
        ("RG1", "deceased_after", "match"),
        ("RG1", "id_other", "mismatch"),
        ("RG1", "id_zeros", "unconfirmed"),
        ("RG1", "id_lower", "unconfirmed"),
        ("RG1", "sex_trans", "unconfirmed"),
        ("RG1", "deceased_before", "unconfirmed"),
        ("RG1", "replaced", "unconfirmed"),
    ],
)
def test_who_is_who(
    film: str, record: str, verdict: str, made: Path, rg1: Path, look: Look
) -> None:
    path = rg1 if film == "RG1" else next(made.rglob(f"{film}.dcm"))
    match = look(path, next(made.rglob(f"{record}.json"))).match
    assert match is not None
    assert match.verdict.value == verdict
    assert bool(match.questions) is (verdict == "unconfirmed")


@pytest.mark.parametrize(
    "name", ["id_zeros", "id_lower", "sex_trans", "deceased_before", "replaced"]
)
def test_a_person_must_confirm_and_can(
    name: str, made: Path, rg1: Path, assistants: dict[str | None, Assistant]
) -> None:
    assistant, record = assistants["Asia/Tokyo"], next(made.rglob(f"{name}.json"))
    with pytest.raises(InputError, match="a person must confirm the join") as caught:
        assistant.admit(rg1, record=record)
    assert "--confirm-patient" in caught.value.remedy
    study = assistant.admit(
        rg1, record=record, confirmed=True, by=assistant.reader_named("reader-1")
    )
    assert isinstance(study, Study)
    (said,) = [w.text for w in study.warnings if w.code == "identity-confirmed"]
    assert "reader-1 (reader) confirmed" in said


@pytest.mark.parametrize("name", ["id_other", "birth_other", "birth_year_other"])
def test_another_patient_stays_one_whoever_confirms(
    name: str, made: Path, rg1: Path, assistants: dict[str | None, Assistant]
) -> None:
    assistant, record = assistants[None], next(made.rglob(f"{name}.json"))
    with pytest.raises(InputError, match="of another patient"):
        assistant.admit(rg1, record=record, confirmed=True, by=assistant.reader_named("reader-1"))
