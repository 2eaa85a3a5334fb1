"""Orders in HL7 v2 messages: what is read of them, and what a message at fault is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medmm.domain.errors import InputError
from medmm.domain.imaging_order import OrderIdentifier
from medmm.records import read_orders
from tests.orders import order_message

WORDS = st.text(alphabet=st.one_of(st.characters(exclude_categories=("Cs", "Cc", "Z")), st.sampled_from("|^&~\\ ")), min_size=1)  # fmt: skip
OMI = (
    "MSH|^~\\&|OE|HOSP|MEDMM|RAD|20200304080000||OMI^O23^OMI_O23|C2|P|2.5.1||||||8859/1\r"
    "PID|1||ZZ-1^^^HOSP&1.2.3&ISO^MR~4^^^HOSP^VN||Müller^Anna^^^^^L~Maier^Anna^^^^^M||1960|F\r"
    "ORC|NW|P1^OE|F1^RIS^1.2.4^ISO||||||20200304075500\r"
    "TQ1|1||||||||S^stat^HL70485\r"
    "OBR|1|P1^OE|F1^RIS^1.2.4^ISO|36643-5^XR Chest 2 Views^LN\r"
    "IPC|A1|RP1|1.2.3.1|SPS1\r"
    "IPC|A2|RP2|1.2.3.9|SPS2\r"
)


def only(message: str, **how: Any) -> Any:
    (order,) = read_orders(message.encode(), **how)
    return order


def test_an_order_is_read_field_by_field() -> None:
    order = only(
        order_message(
            filler="F1^RIS", note="Side: left", information="Fall\nyesterday", priority="S^stat"
        )
    )
    assert order.identity.patient_id == "ZZ-1"
    assert order.identity.issuer == "HOSP"
    assert (order.identity.family_name, order.identity.given_name) == ("ZZTEST", "FILM")
    assert (order.identity.birth_date, order.identity.sex) == (date(1960, 1, 2), "F")
    assert order.placer == OrderIdentifier(value="P1", kind="PLAC")
    assert order.filler == OrderIdentifier(value="F1", system="RIS", kind="FILL")
    assert (order.accession, order.study_uid, order.priority) == ("ACC1", None, "stat")
    assert order.procedure == "Chest, 2 views"
    assert order.codings == (), "a code of a local system is no code to anybody else"
    assert order.reasons == ("Cough, no fever", "Fall\nyesterday", "Side: left")
    assert order.said_at == datetime(2020, 3, 4, 6, 55, tzinfo=UTC)
    assert order.said_at.utcoffset() == timedelta(hours=1)


def test_each_study_of_an_omi_message_is_an_order() -> None:
    one, two = read_orders(OMI.encode("latin-1"), ZoneInfo("Europe/Vienna"))
    assert [(o.study_uid, o.accession, o.place) for o in (one, two)] == [
        ("1.2.3.1", "A1", 0),
        ("1.2.3.9", "A2", 1),
    ]
    assert one.filler is not None
    assert one.filler.system == "urn:oid:1.2.4"
    assert one.identity.identifiers == (("urn:oid:1.2.3", "ZZ-1"),), "a visit is no patient"
    assert (one.identity.family_name, one.identity.names[0].family) == ("Müller", "Maier")
    assert one.identity.names[0].former
    assert one.identity.birth_date_coarse == "1960"
    assert one.codings[0].system == "http://loinc.org"
    assert (one.priority, one.said_at) == ("stat", datetime(2020, 3, 4, 6, 55, tzinfo=UTC))


@given(WORDS)
@example("No effusion on the left; rule out pneumothorax right")
@example("not | no ^ without ~ left & right \\ ")
def test_words_are_kept_verbatim(words: str) -> None:
    order = only(order_message(reason=words, information=words + ".", note="- " + words))
    kept = [words.strip(), (words + ".").strip(), ("- " + words).strip()]
    assert order.reasons == tuple(dict.fromkeys(one for one in kept if one))


@given(WORDS)
def test_other_separators_are_read_as_the_message_states_them(words: str) -> None:
    plain = words.translate(str.maketrans("", "", "|^~\\&#*!$%")).strip() or "x"
    swapped = order_message(reason=plain).translate(str.maketrans("|^~\\&", "#*!$%"))
    assert only(swapped).reasons == (plain,)
    assert only(swapped).identity.family_name == "ZZTEST"


def test_escapes_lines_and_foreign_bytes_are_read() -> None:
    text = "a \\H\\b\\N\\\\.br\\c \\XC3A4\\ \\Zz\\ \\XFF\\"
    message = order_message().replace("^Cough, no fever", "^" + text)
    assert only(message).reasons == ("a b\nc ä \\Zz\\ \\XFF\\",)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/15", "iso-8859-15")],
)
def test_character_sets(name: str, encoding: str) -> None:
    message = order_message(name="Größe^ÄNNE").replace("UNICODE UTF-8", name)
    (order,) = read_orders(message.encode(encoding))
    assert (order.identity.family_name, order.identity.given_name) == ("Größe", "ÄNNE")


def test_a_message_that_states_no_character_set_is_in_that_of_the_settings() -> None:
    message = order_message(name="Größe^A").replace("|UNICODE UTF-8", "|").encode("latin-1")
    with pytest.raises(InputError, match="character set") as caught:
        read_orders(message)
    assert caught.value.where == {"fault": "102", "at": "MSH-18"}
    (order,) = read_orders(message, character_set="8859/1")
    assert order.identity.family_name == "Größe"


@pytest.mark.parametrize(
    ("change", "fault", "at"),
    [
        (("MSH|", "XSH|"), "100", "MSH"),
        (("|^~\\&|", "|^^\\&|"), "102", "MSH-2"),
        (("ORM^O01^ORM_O01", "SIU^S12"), "200", "MSH-9"),
        (("ORM^O01^ORM_O01", "ORM^O02"), "201", "MSH-9"),
        (("UNICODE UTF-8", "ISO IR87"), "103", "MSH-18"),
        (("UNICODE UTF-8", "ASCII~ISO IR87"), "103", "MSH-18"),
        (("|C1|", "||"), "101", "MSH-10"),
        (("20200304080000+0100", ""), "101", "MSH-7"),
        (("20200304080000+0100", "yesterday"), "102", "MSH-7"),
        (("PID|1", "PIX|1"), "100", "PID"),
        (("ZZ-1^^^HOSP^MR", ""), "101", "PID-3"),
        (("ZZ-1^^^HOSP^MR", '""'), "101", "PID-3"),
        (("19600102", "19601302"), "102", "PID-7"),
        (("|F\r", "|X\r"), "103", "PID-8"),
        (("ORC|NW", "ORC|"), "101", "ORC-1"),
        (("ORC|NW", "ORC|QQ"), "103", "ORC-1"),
        (("OBR|", "OBX|"), "100", "OBR"),
        (("71046^Chest, 2 views^L", ""), "101", "OBR-4"),
        (("ORC|NW|P1", "OBR|1\rORC|NW|P1"), "100", "OBR"),
        (("OBR|1", "ZDS|1.2.a\rOBR|1"), "102", "ZDS-1"),
        (("OBR|1", "ZDS|1.2.3\rZDS|1.2.4\rOBR|1"), "205", "ZDS-1"),
    ],
)
def test_a_message_at_fault_says_where(change: tuple[str, str], fault: str, at: str) -> None:
    message = order_message().replace(*change)
    assert message != order_message()
    with pytest.raises(InputError) as caught:
        read_orders(message.encode())
    assert caught.value.where == {"fault": fault, "at": at}
    for secret in ("ZZ-1", "ZZTEST", "ACC1", "1960"):
        assert secret not in str(caught.value)


def test_an_order_without_any_number_is_refused() -> None:
    with pytest.raises(InputError, match="no number"):
        read_orders(order_message(placer="", accession="").encode())


@given(st.binary(max_size=300))
@example(b"MSH")
@example(b"MSH|^~\\&")
@example(b"\xef\xbb\xbfMSH|^~\\&|\xff")
def test_any_bytes_are_an_order_or_an_input_error(content: bytes) -> None:
    for whole in (content, b"MSH|^~\\&|" + content, order_message().encode() + content):
        try:
            found: object = read_orders(whole)
        except InputError as error:
            found = error.where.get("fault")
        assert found


@pytest.mark.parametrize(
    ("control", "status", "cancelled"),
    [
        ("NW", "", False),
        ("XO", "", False),
        ("CA", "", True),
        ("DC", "", True),
        ("OC", "", True),
        ("SC", "IP", False),
        ("SC", "CA", True),
    ],
)
def test_what_ends_an_order(control: str, status: str, cancelled: bool) -> None:
    message = order_message(control=control).replace(
        f"ORC|{control}|P1|||", f"ORC|{control}|P1|||{status}"
    )
    assert only(message).cancelled is cancelled
