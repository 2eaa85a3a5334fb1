"""A signed report on pages of A4, by reportlab, with DejaVu Sans embedded.

The same report gives the same bytes. The font covers Latin, Greek, Cyrillic, Hebrew and Arabic; of
what it lacks a mark stands in each place, and the page says so.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from medmm.delivery.pdf.direction import seen
from medmm.delivery.text import Kind, Paragraph, report_paragraphs
from medmm.domain.identity import PatientIdentity
from medmm.domain.report import SignedReport

WIDTH_PT, HEIGHT_PT = A4
MARGIN_PT, FOOT_PT, LABEL_PT = 56.0, 44.0, 84.0
REGULAR, BOLD = "DejaVuSans", "DejaVuSans-Bold"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
LACKING = f"Characters that the font of this page lacks are shown as {UNKNOWN}."


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind of paragraph is set, in points."""

    font: str = REGULAR
    size_pt: float = 9.5
    before_pt: float = 0.0
    indent_pt: float = 0.0
    hanging_pt: float = 0.0


STYLES = {
    Kind.TITLE: Style(font=BOLD, size_pt=15),
    Kind.FIELD: Style(hanging_pt=LABEL_PT),
    Kind.HEADING: Style(font=BOLD, size_pt=10, before_pt=2),
    Kind.SENTENCE: Style(before_pt=2),
    Kind.PERSON: Style(before_pt=2, hanging_pt=12),
    Kind.NOTE: Style(size_pt=8.5, indent_pt=12, hanging_pt=12),
    Kind.LINE: Style(before_pt=2),
    Kind.GAP: Style(size_pt=5),
}


def report_pdf(
    report: SignedReport,
    identity: PatientIdentity | None,
    restated_entry: int | None = None,
    versions: Sequence[SignedReport] = (),
) -> bytes:
    """Set the report on pages; the arguments are those of `report_text`."""
    title, *rest = report_paragraphs(report, identity, restated_entry, versions)
    paragraphs = [title, Paragraph(Kind.GAP), *rest]
    if any(_known(one.text) != one.text for one in paragraphs):
        paragraphs += [Paragraph(Kind.GAP), Paragraph(Kind.NOTE, LACKING)]
    lines = [line for one in paragraphs for line in _lines(one)]
    pages = list(_pages(lines))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=1, initialFontName=REGULAR)
    canvas.setTitle("Radiology report")
    canvas.setProducer("medmm")
    for number, page in enumerate(pages, start=1):
        _draw(canvas, page, f"{report.id}, version {report.version}", number, len(pages))
    canvas.save()
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is drawn: its pieces with their distance from the margin."""

    pieces: tuple[tuple[float, str, str], ...]  # distance, font, text
    size_pt: float
    before_pt: float

    @property
    def height_pt(self) -> float:
        """What it takes of a page."""
        return self.before_pt + 1.35 * self.size_pt


@cache
def _fonts() -> dict[str, TTFont]:
    """Load the fonts once in a process."""
    found = {}
    for name in (REGULAR, BOLD):
        with as_file(files("medmm.delivery.pdf").joinpath(f"fonts/{name}.ttf")) as path:
            found[name] = TTFont(name, str(path), shapable=False)
        pdfmetrics.registerFont(found[name])
    return found


def _known(text: str) -> str:
    """Put a mark in the place of each character that the font lacks."""
    glyphs = _fonts()[REGULAR].face.charToGlyph
    return "".join(c if ord(c) in glyphs or c.isspace() else UNKNOWN for c in text)


def _lines(one: Paragraph) -> Iterator[Line]:
    style = STYLES[one.kind]
    for n, words in enumerate(_broken(_known(one.text), style)):
        hanging = n > 0 or one.kind is Kind.FIELD
        left = style.indent_pt + (style.hanging_pt if hanging else 0.0)
        pieces = [(left, style.font, _known(seen(words)))]
        if n == 0 and one.label:
            pieces.insert(0, (style.indent_pt, BOLD, one.label))
        yield Line(tuple(pieces), style.size_pt, style.before_pt if n == 0 else 0.0)


def _broken(text: str, style: Style) -> list[str]:
    """Break a text between words, and a word that fills more than a line within it."""
    room = WIDTH_PT - 2 * MARGIN_PT - style.indent_pt - style.hanging_pt
    lines, line = [], ""
    for word in (part for one in text.split(" ") for part in _parts(one, style, room)):
        longer = f"{line} {word}" if line else word
        if line and _width(longer, style) > room:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


def _parts(word: str, style: Style, room: float) -> Iterator[str]:
    """Cut a word that fills more than a line into such as fit."""
    while _width(word, style) > room:
        cut = next((n for n in range(len(word), 1, -1) if _width(word[:n], style) <= room), 1)
        yield word[:cut]
        word = word[cut:]
    yield word


def _width(text: str, style: Style) -> float:
    return float(pdfmetrics.stringWidth(text, style.font, style.size_pt))


def _pages(lines: Sequence[Line]) -> Iterator[list[Line]]:
    room = HEIGHT_PT - MARGIN_PT - FOOT_PT - 20
    page: list[Line] = []
    left = room
    for line in lines:
        if line.height_pt > left and page:
            yield page
            page, left = [], room
        page.append(line)
        left -= line.height_pt
    yield page


def _draw(canvas: Canvas, page: Sequence[Line], name: str, number: int, of: int) -> None:
    height = HEIGHT_PT - MARGIN_PT
    for line in page:
        height -= line.height_pt
        for left, font, text in line.pieces:
            canvas.setFont(font, line.size_pt)
            canvas.drawString(MARGIN_PT + left, height, text)
    canvas.setFont(REGULAR, 7.5)
    canvas.drawString(MARGIN_PT, FOOT_PT, name)
    canvas.drawRightString(WIDTH_PT - MARGIN_PT, FOOT_PT, f"page {number} of {of}")
    canvas.showPage()
