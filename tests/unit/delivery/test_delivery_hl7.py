"""ORU^R01 of signed reports, read back by a parser of others (hl7apy) and by eye."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from medmm.connections.hl7_text import unescape
from medmm.delivery import Hl7Options, Joins, Retraction
from medmm.delivery.hl7.observations import UNREMARKABLE
from medmm.delivery.hl7.orders import notices
from medmm.delivery.hl7.result_message import control_id, result_message
from medmm.domain.draft import Assertion, Section
from medmm.domain.errors import InputError
from medmm.domain.identity import PatientIdentity
from medmm.domain.imaging_order import (
    IdentifierSystems,
    OrderIdentifier,
    OrderRequest,
    StudyOrder,
)
from medmm.domain.report import Reader, SignedReport, SignedStatement
from medmm.domain.vocabulary import finding_terms
from tests.factories import ATTENDING, make_amended_report, make_signed_report
from tests.signed_studies import KINDS, Signed, signed
from tests.unit.delivery.test_delivery_own_words import IMPRESSION, NODULE, SCAR
from tests.unit.delivery.test_delivery_own_words import report as own_report
from tests.unit.delivery.test_delivery_readers import read_by_many

ODD = "Possible ≤ 3 mm nodule: a|b^c&d~e\\f Ångström\x07"
IDENTITY = PatientIdentity(
    patient_id="ZZ-7",
    issuer="ZZHOSPITAL",
    family_name="O^Hara & Söhne",
    given_name="ΔΗΜΗΤΡΑ",
    sex="F",
    birth_date_coarse="1960-02",
)
SYSTEMS = IdentifierSystems(
    mrn="urn:oid:1.2.3.4", mrn_issuers=("ZZHOSPITAL",), accession="https://hospital.example/acc"
)
ORDER = StudyOrder(accession="ACC-1", placer_order="P-1")


def message_of(one: Signed, **options: Any) -> str:
    made = result_message(
        one.report, one.source.identity, None, one.versions, Hl7Options(**options)
    )
    return made.decode("utf-8")


def made(report: SignedReport, joins: Joins | None = None, **options: Any) -> str:
    return result_message(report, IDENTITY, joins, (), Hl7Options(**options)).decode("utf-8")


def segments(message: str, name: str) -> list[list[str]]:
    """Fields of all segments of a name, numbered as the standard does."""
    found = [line.split("|") for line in message.split("\r") if line.startswith(name + "|")]
    return [["MSH", "|", *fields[1:]] for fields in found] if name == "MSH" else found


def rows(message: str) -> dict[tuple[str, str], list[str]]:
    """OBX by code and sub-ID, each filled up to OBX-16."""
    found = [fields + [""] * (17 - len(fields)) for fields in segments(message, "OBX")]
    keyed = {(fields[3].split("^")[0], fields[4]): fields for fields in found}
    assert len(keyed) == len(found), "a receiver can tell them apart"
    return keyed


def versions(one: Signed) -> tuple[Signed, Signed, Signed]:
    amended = one.amended(ODD)
    return one, amended, amended.withdrawn()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("retraction", Retraction)
def test_another_parser_takes_every_version(kind: str, retraction: Retraction) -> None:
    for one in versions(signed(kind)):
        message = message_of(one, retraction=retraction, pdf=kind == "chest")
        parsed = parse_message(message)
        assert parsed.validate()
        assert parsed.msh.msh_10.value == control_id(one.report)
        result = parsed.oru_r01_patient_result.oru_r01_order_observation
        assert len(result.oru_r01_observation) == len(segments(message, "OBX"))
        # hl7apy's strict level measures OBX-5 as a line of 199 characters, whatever OBX-2 says
        short = "\r".join(
            "|".join(
                [*(f := line.split("|"))[:5], "x", *f[6:]]
                if line.split("|")[2:3] in (["FT"], ["ED"])
                else line.split("|")
            )
            for line in message.split("\r")
        )
        assert parse_message(short, validation_level=VALIDATION_LEVEL.STRICT).validate()


def test_the_header_declares_version_and_character_set_and_names_both_ends() -> None:
    names = {
        "sending_application": "MEDMM",
        "sending_facility": "RAD",
        "receiving_application": "EHR",
        "receiving_facility": "HOSPITAL",
    }
    (header,) = segments(made(make_signed_report(), **names), "MSH")
    assert header[1:7] == ["|", "^~\\&", "MEDMM", "RAD", "EHR", "HOSPITAL"]
    assert (header[9], header[11], header[12]) == ("ORU^R01^ORU_R01", "P", "2.5.1")
    assert header[18] == "UNICODE UTF-8"
    assert header[7] == make_signed_report().signed_at.strftime("%Y%m%d%H%M%S%z")


def test_a_version_has_one_control_id_and_one_message() -> None:
    first, amended, withdrawn = versions(signed("chest"))
    found = [message_of(one) for one in (first, amended, withdrawn)]
    assert found == [message_of(one) for one in (first, amended, withdrawn)], "sent again, the same"
    ids = {segments(message, "MSH")[0][10] for message in found}
    assert len(ids) == 3
    assert all(len(one) == 20 and one.isalnum() for one in ids)
    late = result_message(first.report, first.source.identity, None, withdrawn.versions)
    assert late.decode() == found[0], "what came after changes nothing in it"


def test_the_patient_is_as_resolved_with_the_authority_of_the_settings() -> None:
    (patient,) = segments(made(make_signed_report(), Joins(systems=SYSTEMS)), "PID")
    assert patient[3] == "ZZ-7^^^ZZHOSPITAL&1.2.3.4&ISO^MR"
    assert patient[5] == "O\\S\\Hara \\T\\ Söhne^ΔΗΜΗΤΡΑ^^^^^L"
    assert (patient[7], patient[8]) == ("196002", "F")


@pytest.mark.parametrize(
    ("issuer", "systems", "written", "said"),
    [
        ("https://h.example/mrn", IdentifierSystems(), "ZZ-7^^^&https://h.example/mrn&URI^MR", ""),
        (None, SYSTEMS, "ZZ-7^^^&1.2.3.4&ISO^MR", ""),
        ("OTHER", SYSTEMS, "ZZ-7^^^OTHER^MR", "no setting gives a system"),
        (None, IdentifierSystems(), "ZZ-7", "no assigning authority"),
        ("A NAME OF MORE THAN TWENTY", SYSTEMS, "ZZ-7", "no assigning authority"),
    ],
)
def test_an_authority_that_is_not_known_is_said_and_none_is_invented(
    issuer: str | None, systems: IdentifierSystems, written: str, said: str
) -> None:
    identity, joins = replace(IDENTITY, issuer=issuer), Joins(systems=systems, order=ORDER)
    message = result_message(make_signed_report(), identity, joins).decode()
    assert segments(message, "PID")[0][3] == written
    words = " ".join(notices(identity, joins))
    assert said in words
    assert bool(words) == bool(said)
    assert issuer is None or issuer not in words


def test_a_patient_without_id_or_name_is_said_to_have_none() -> None:
    nobody = PatientIdentity(patient_id=None)
    for identity in (nobody, None):
        message = result_message(make_signed_report(), identity).decode()
        (patient,) = segments(message, "PID")
        assert (patient[3], patient[5], patient[8]) == ("", "^^^^^^U", "U")
        assert "no patient ID" in " ".join(notices(identity, Joins()))


def test_the_order_has_its_numbers_procedure_times_and_interpreter() -> None:
    one = signed("chest")
    joins = Joins(systems=SYSTEMS, order=ORDER, procedure=one.source.procedure)
    message = made(one.report, joins)
    (order,), (result,) = segments(message, "ORC"), segments(message, "OBR")
    assert order[1:4] == ["RE", "P-1", "ACC-1^^https://hospital.example/acc^URI"]
    assert result[2:4] == order[2:4]
    assert one.source.procedure is not None
    assert result[4].split("^")[::2] == [one.source.procedure.code, "LN"]
    assert result[7] == "20260102081500+0000"
    assert (result[18], result[22]) == ("ACC-1", "20260102093015+0000")
    assert (result[24], result[25]) == ("RAD", "F")
    assert result[32] == f"{ATTENDING.id}&{ATTENDING.name}"


def test_numbers_of_the_records_request_stand_where_the_images_state_none() -> None:
    request = OrderRequest(
        reference=None,
        identifiers=(
            OrderIdentifier(value="PL-9", kind="PLAC"),
            OrderIdentifier(value="FI-9", kind="FILL"),
            OrderIdentifier(value="AC-9", kind="ACSN"),
        ),
    )
    joins = Joins(order=StudyOrder(request=request))
    (result,) = segments(made(make_signed_report(), joins), "OBR")
    assert (result[2], result[3], result[18]) == ("PL-9", "FI-9", "AC-9")
    assert not [words for words in notices(IDENTITY, joins) if "order number" in words]


def test_a_time_of_unknown_zone_is_a_date() -> None:
    report = make_signed_report()
    study = replace(report.study, exact=False)
    assert report.study.acquired is not None
    (result,) = segments(made(replace(report, study=study)), "OBR")
    assert result[7] == report.study.acquired.strftime("%Y%m%d")
    untimed = replace(report, study=replace(report.study, acquired=None))
    assert segments(made(untimed), "OBR")[0][7] == ""


def test_who_read_it_before_the_signature_is_the_assistant() -> None:
    report = read_by_many()
    assert report.preliminary is not None
    (result,) = segments(made(report), "OBR")
    assert result[32].startswith(f"{report.signed_by.id}&")
    assert result[33].startswith(f"{report.preliminary.by.id}&")


def test_rows_are_study_sections_findings_and_numbers() -> None:
    one = signed("chest")
    found = rows(message_of(one))
    assert found["113014", ""][2:6] == ["ST", "113014^DICOM Study^DCM", "", one.report.study.uid]
    assert found["113014", ""][11] == "O"
    said = [s.text for s in one.report.statements if s.section is Section.FINDINGS]
    assert unescape(found["59776-5", "findings"][5]) == "\n".join(said)
    assert "impression" in {sub for code, sub in found if code == "19005-8"}
    effusion = found["60046008", "s1"]
    assert (effusion[2], effusion[5], effusion[8]) == ("CE", "possible^Possible^99MEDMM", "A")
    assert effusion[16] == f"{ATTENDING.id}^{ATTENDING.name}"
    assert found["272741003", "s1"][5] == "7771000^Left^SCT"
    ratio = found["cardiothoracic ratio", "s3"]
    assert (ratio[2], ratio[5], ratio[6]) == ("NM", "0.54", "1^no units^UCUM")
    assert found["interval-95", "s3"][5] == "^0.51^-^0.57"
    assert {found[code, "network-1"][5] for code in ("111001", "111003")} == {
        one.report.models[0].name,
        one.report.models[0].manifest_sha256,
    }


def test_numbers_have_ucum_units_and_the_digits_that_were_signed() -> None:
    found = rows(message_of(signed("heart")))
    fraction, volume = found["8811-2", "s2"], found["8821-1", "s3"]
    assert (fraction[5], fraction[6].split("^")[::2]) == ("55", ["%", "UCUM"])
    assert (volume[5], volume[6].split("^")[::2]) == ("77", ["ml", "UCUM"])
    assert all(len(f[5]) <= 16 for f in found.values() if f[2] == "NM"), "NM has room for 16"


def statement(finding: str, assertion: Assertion, **changes: Any) -> SignedStatement:
    first = make_signed_report().statements[1]
    return replace(first, finding=finding, assertion=assertion, side=None, **changes)


@pytest.mark.parametrize(
    ("finding", "assertion", "changes", "flag"),
    [
        ("Pneumothorax", Assertion.POSSIBLE, {}, "AA"),
        ("Effusion", Assertion.PRESENT, {}, "A"),
        ("Effusion", Assertion.ABSENT, {"text": "No effusion.", "drafted_text": "x"}, "N"),
        ("Effusion", Assertion.ABSENT, {"text": "No effusion suspected."}, ""),
        (UNREMARKABLE[0], Assertion.PRESENT, {}, ""),
    ],
)
def test_flags_say_how_far_from_normal_a_finding_is(
    finding: str, assertion: Assertion, changes: dict[str, Any], flag: str
) -> None:
    report = replace(
        make_signed_report(), statements=(statement(finding, assertion, id="f1", **changes),)
    )
    (row,) = (f for (_, sub), f in rows(made(report)).items() if sub == "f1" and f[2] == "CE")
    assert row[8] == flag


def test_every_finding_of_the_vocabulary_has_a_row_with_a_code() -> None:
    said = tuple(
        statement(name, Assertion.PRESENT, id=f"f{n}") for n, name in enumerate(finding_terms())
    )
    report = replace(make_signed_report(), statements=said)
    found = rows(made(report))
    for one in said:
        (row,) = (f for (_, sub), f in found.items() if sub == one.id and f[2] == "CE")
        code, words, scheme = row[3].split("^")
        assert code
        assert words
        assert scheme in ("SCT", "RADLEX", "99MEDMM")


def test_a_readers_own_words_and_addenda_are_rows_of_their_author() -> None:
    report = own_report(NODULE, SCAR, IMPRESSION)
    own = [s for s in report.statements if s.author is not None and s.section is Section.FINDINGS]
    found = rows(made(report))
    for one in own:
        assert [f for (_, sub), f in found.items() if sub == one.id], one.id
    assert any(unescape(f[5]) in {s.text for s in own} for f in found.values() if f[2] == "ST")


def test_a_later_version_sends_all_again_and_retracts_what_it_makes_no_more() -> None:
    first, amended, _ = versions(signed("chest"))
    for retraction in Retraction:
        message = message_of(amended, retraction=retraction)
        found, before = rows(message), rows(message_of(first))
        assert segments(message, "OBR")[0][25] == "C"
        assert set(before) <= set(found), "nothing of the version before is left as it was"
        gone = {key: f for key, f in found.items() if f[11] == retraction.value}
        assert set(gone) == {("60046008", "s1"), ("272741003", "s1")}
        assert all(f[5] == "" for f in gone.values()), "no value can be read off it"
        others = [f[11] for key, f in found.items() if key not in gone and key[0] != "113014"]
        assert set(others) == {"C"}
        assert "≤ 3 mm" in unescape(found["59776-5", "findings"][5])
        assert "Seen again." in found["report-change", "change"][5]


def test_a_withdrawn_report_retracts_every_row_of_every_version() -> None:
    first, amended, withdrawn = versions(signed("chest"))
    message = message_of(withdrawn, retraction=Retraction.DELETE)
    found = rows(message)
    assert segments(message, "OBR")[0][25] == "C"
    kept = {key for key, f in found.items() if f[11] != "D"}
    assert kept == {("113014", ""), ("report-change", "change")}
    assert set(rows(message_of(first))) | set(rows(message_of(amended))) == set(found)
    assert "No finding of this report is valid." in found["report-change", "change"][5]
    words = [s.text for s in first.report.statements if s.section is Section.FINDINGS]
    assert not any(text in message for text in words)


def test_the_page_goes_along_as_base64_if_the_receiver_wants_it() -> None:
    one = signed("chest")
    page = rows(message_of(one, pdf=True))["report-page", "page"]
    assert page[2] == "ED"
    source, kind, subtype, encoding, data = page[5].split("^")
    assert (source, kind, subtype, encoding) == ("", "application", "pdf", "Base64")
    assert base64.b64decode(data).startswith(b"%PDF-")
    assert ("report-page", "page") not in rows(message_of(one))


def test_every_character_of_a_sentence_comes_back() -> None:
    message = message_of(signed("chest").amended(ODD))
    shown = ODD.replace("\x07", "").strip()
    assert unescape(rows(message)["59776-5", "findings"][5]).split("\n")[0] == shown
    assert "\n" not in message
    assert message.count("\r") == len(message.split("\r")) - 1
    assert all(line[:3] in ("MSH", "PID", "ORC", "OBR", "OBX") for line in message.split("\r")[:-1])


def test_long_text_is_split_and_nothing_of_it_lost() -> None:
    words = " ".join(f"word{n}&" for n in range(9_000))
    report = replace(
        make_signed_report(), statements=(statement("Effusion", Assertion.PRESENT, text=words),)
    )
    found = rows(made(report))
    texts = [f[5] for (code, _), f in found.items() if code == "59776-5"]
    assert len(texts) > 1
    assert all(len(text) <= 65_536 for text in texts)
    assert " ".join(map(unescape, texts)).split() == words.split()


@pytest.mark.parametrize(
    ("identity", "joins", "report", "field"),
    [
        (replace(IDENTITY, patient_id="9" * 251), None, {}, "PID-3"),
        (replace(IDENTITY, family_name="x" * 251), None, {}, "PID-5"),
        (IDENTITY, Joins(order=StudyOrder(placer_order="7" * 23)), {}, "ORC-2"),
        (IDENTITY, Joins(order=StudyOrder(accession="8" * 61, filler_order="1")), {}, "OBR-18"),
        (
            IDENTITY,
            None,
            {"signed_by": Reader(id="r", name="n" * 200, role="attending")},
            "OBR-32",
        ),
    ],
)
def test_what_is_too_long_is_refused_by_its_field_and_not_by_its_value(
    identity: PatientIdentity, joins: Joins | None, report: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError) as error:
        result_message(replace(make_signed_report(), **report), identity, joins)
    assert error.value.where["field"] == field
    assert not any(part in str(error.value) for part in ("999", "xxx", "777", "888", "nnn"))


def test_a_replaced_version_is_sent_as_it_was() -> None:
    first = make_signed_report()
    second = make_amended_report(first)
    alone = result_message(first, IDENTITY)
    assert result_message(first, IDENTITY, versions=(first, second)) == alone
