"""Any text comes out of an HL7 message as it went in, and no text can end its field."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from medmm.connections.hl7_text import escape, pieces, segment, unescape
from medmm.delivery.hl7.result_message import result_message
from medmm.delivery.text import printable
from medmm.domain.identity import PatientIdentity
from tests.factories import make_signed_report

TEXT = st.text(alphabet=st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("|^&~\\\n\r\x0b\x1c\"≤")))  # fmt: skip


@given(TEXT)
@example("≤ 3 mm")
@example("\\.br\\")
@example("\\X0A\\")
@example('""')
@example("a\r\nb\rc\nd")
@example("\\F\\ | \\E\\ \\")
def test_text_comes_back_and_holds_no_separator(text: str) -> None:
    written = escape(text)
    assert unescape(written) == text
    assert not set(written) & set("|^&~\r\n\x0b\x1c")
    assert written != '""', "which would delete what the receiver has"
    written.encode("utf-8")


@given(TEXT, TEXT)
def test_a_segment_is_split_where_it_was_joined(first: str, second: str) -> None:
    written = segment("OBX", {1: (first, (second, first)), 2: [second, first], 3: "end"})
    name, components, repetitions, end = written.split("|")
    assert (name, end) == ("OBX", "end")
    parts = [unescape(sub) for part in components.split("^") for sub in part.split("&")]
    whole = [first, second, first]
    assert parts + [""] * (3 - len(parts)) == whole
    assert [unescape(part) for part in repetitions.split("~")] == [second, first]


@given(st.lists(TEXT.filter(lambda text: "\n" not in text and text.strip()), max_size=5), st.integers(30, 60))  # fmt: skip
def test_pieces_fit_and_lose_no_word(lines: list[str], most: int) -> None:
    found = list(pieces(lines, most))
    assert all(len(escape(text)) <= most for text in found)
    assert "".join("".join(found).split()) == "".join("".join(lines).split())


@given(st.text(alphabet="ab\\XEFSTR.br019C", max_size=40))
def test_what_somebody_else_wrote_is_read_without_a_fault(written: str) -> None:
    unescape(written)


@settings(max_examples=60)
@given(TEXT.filter(str.strip), st.text(alphabet=st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("|^&~\\\r\n")), max_size=30))  # fmt: skip
def test_no_sentence_and_no_name_adds_a_segment_or_a_field(text: str, name: str) -> None:
    report = make_signed_report()
    said = replace(report.statements[1], text=text)
    identity = PatientIdentity(patient_id="ZZ-7", family_name=name, given_name="A")
    plain = result_message(replace(report, statements=(replace(said, text="x"),)), identity)
    made = result_message(replace(report, statements=(said,)), identity)
    lines, expected = (one.decode("utf-8").split("\r") for one in (made, plain))
    words = printable(text)
    if words:
        assert [line.split("|")[0] for line in lines] == [line.split("|")[0] for line in expected]
        assert [line.count("|") for line in lines] == [line.count("|") for line in expected]
        (row,) = (line.split("|") for line in lines if "|59776-5^" in line)
        assert unescape(row[5]) == words
    family = lines[1].split("|")[5].split("^")[0]
    assert unescape(family) == " ".join(name.split())
