"""Any text comes out of an HL7 message as it went in, and no text can end its field."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from medmm.delivery.hl7.encoding import escape, pieces, segment, unescape

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
