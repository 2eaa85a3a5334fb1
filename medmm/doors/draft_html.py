"""A draft as one self-contained HTML page: picture, heat-maps and statements side by side. No script, all escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medmm.domain.certainty import certainty_of
from medmm.domain.display import (
    ALSO_NOTE,
    grey_bytes,
    heat_overlay,
    mark_words,
    measurement_rows,
    quantity_words,
    unstated_words,
)
from medmm.domain.draft import CheckedDraft, Outcome, Section, Statement
from medmm.domain.errors import needed
from medmm.domain.images import image_lines
from medmm.domain.notices import FOR_THE_RECORD_TITLE, sorted_notices
from medmm.domain.packaged_films import packaged_note
from medmm.domain.reading import Finding, Region
from medmm.domain.record import ClinicalContext, Fact, FactStatus, Quantity
from medmm.domain.report import CaseFile
from medmm.domain.study import Notice
from medmm.domain.suspicion import Standing
from medmm.domain.vocabulary import finding_term, most_urgent_first
from medmm.presentation.draft_words import (
    LEGEND,
    banner,
    check_words,
    decided_words,
    made_by,
    own_rows,
)
from medmm.presentation.evidence_words import evidence_lines
from medmm.presentation.slice_picture import marked_slices, png_bytes, slice_picture

LONGEST_PX = 900
SMALL_PX = 420
STYLE = files("medmm.doors").joinpath("draft.css").read_text(encoding="utf-8")


def draft_html(file: CaseFile) -> str:
    """The page of a case that has a draft; it says on top that it is one."""
    study = file.case.study
    when = study.image_time.moment.isoformat() if study.image_time else "unknown"
    title = f"{study.modality.value} {study.body_part}, case {file.case.id}"
    matters, recorded = sorted_notices(file.draft.draft.warnings if file.draft else study.warnings)
    note = None if file.blind else packaged_note(study)
    nothing = "Nothing else is shown." if file.blind else "No draft yet."
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Draft: {escape(title)}</title><style>{STYLE}</style></head><body>
<header>{escape(banner(file))}</header><main><section>{_pictures(file)}</section><section class="statements">
<h1>{escape(title)}</h1><div class="meta">acquired {escape(when)} · study {escape(study.uid)}</div>
{_images(file.draft) if file.draft else ""}
{f'<div class="note">{escape(note)}</div>' if note else ""}
{"".join(f'<div class="warning">⚠ {escape(w.text)}</div>' for w in matters)}
{_statements(file, file.draft) if file.draft else f"<p>{nothing}</p>"}
</section><section class="rest">
{_limits(file.draft) if file.draft else ""}
{_recorded(recorded)}
{_record(file.case.context) if file.case.context else ""}
</section></main></body></html>
"""


def _recorded(notices: Sequence[Notice]) -> str:
    """Warnings that change nothing of what a reader does."""
    rows = "".join(f"<li>{escape(notice.text)}</li>" for notice in notices)
    return f'<h2>{FOR_THE_RECORD_TITLE.lower()}</h2><ul class="limits">{rows}</ul>' if rows else ""


def _images(draft: CheckedDraft) -> str:
    lines = image_lines(draft.draft.images_read, draft.draft.images_unread)
    return "".join(f'<div class="meta">{escape(line)}</div>' for line in lines)


def _statements(file: CaseFile, draft: CheckedDraft) -> str:
    parts = []
    for section in Section:
        statements = [_statement(file, s) for s in draft.statements if s.section is section]
        statements += [
            _own(file, number, text, mark)
            for of, number, text, mark in own_rows(file)
            if of is section
        ]
        if statements:
            parts.append(f"<h2>{escape(section.value)}</h2>" + "".join(statements))
        if section is Section.FINDINGS:
            parts.append(_also_suspected(file))
    return "".join(parts)


def _also_suspected(file: CaseFile) -> str:
    """What is suspected and not stated, beside the findings and as they look, with why."""
    shown = [
        _statement(
            file,
            also.statement,
            "" if file.decision_on(also.statement) else f"not stated: {also.why}",
        )
        for also in file.also_suspected
    ]
    shown += [
        f'<div class="statement"><p>{escape(unstated_words(one))}</p></div>'
        for one in file.unstated
    ]
    if not shown:
        return ""
    title = f"<h2>{escape(Standing.NOT_STATED.value)}</h2>"
    return f'<div class="also">{title}<div class="meta">{escape(ALSO_NOTE)}</div>{"".join(shown)}</div>'


def _own(file: CaseFile, number: str, text: str, mark: str) -> str:
    urgent = '<span class="critical">critical</span>' if file.critical(number) else ""
    words = f'<p><span class="number">{escape(number)}</span>{urgent}{escape(text)}</p>'
    return f'<div class="statement">{words}<div class="decided">→ {escape(mark)}</div>{_marks(file, number)}</div>'


def _marks(file: CaseFile, statement_id: str) -> str:
    return "".join(
        f'<div class="warning">{escape(mark_words(v))}</div>' for v in file.marks(statement_id)
    )


def _limits(draft: CheckedDraft) -> str:
    limits = "".join(f"<li>{escape(item)}</li>" for item in draft.draft.limits)
    maker = f'<div class="meta">{escape(made_by(draft))}<br>{LEGEND}</div>'
    return f'<h2>not evaluated</h2><ul class="limits">{limits}</ul>{maker}'


def _statement(file: CaseFile, statement: Statement, why: str = "") -> str:
    draft = needed(file.draft, "the draft of a case", case=file.case.id)
    evidence = "".join(
        f'<div class="evidence">{escape(line)}</div>' for line in evidence_lines(statement)
    )
    checks = "".join(
        f'<span class="check {"passed" if v.outcome is Outcome.PASSED else "failed"}">{escape(check_words(v))}</span>'
        for v in draft.verdicts_on(statement.id)
        if v.outcome is not Outcome.NOT_APPLICABLE
    )
    decided = decided_words(file, statement)
    mark = f'<div class="decided">→ {escape(decided)}</div>' if decided else ""
    mark += f'<div class="why">{escape(why)}</div>' if why else ""
    mark += _marks(file, statement.id)
    number = f'<span class="number">{escape(statement.id)}</span>'
    urgent = '<span class="critical">critical</span>' if file.critical(statement.id) else ""
    return f'<div class="statement"><p>{number}{urgent}{escape(statement.text)}</p>{evidence}{checks}{mark}</div>'


def _record(context: ClinicalContext) -> str:
    """The whole record as of the film, so that what the draft does not state can be seen too."""
    rows = "".join(_fact_row(fact) for fact in context.facts)
    left_out = "".join(f"<li>{escape(o.source)}: {escape(o.reason)}</li>" for o in context.left_out)
    as_of = context.as_of.isoformat() if context.as_of else "an unknown moment"
    title = f"record as of {as_of}: {len(context.facts)} facts, {len(context.left_out)} left out"
    return f'<details><summary>{escape(title)}</summary><table>{rows}</table><ul class="limits">{left_out}</ul></details>'


def _fact_row(fact: Fact) -> str:
    value = fact.value
    if isinstance(value, Quantity):
        value = quantity_words(value)
    status = "" if fact.status is FactStatus.ACTIVE else fact.status.value
    words = ", ".join(filter(None, (value, status.upper(), *fact.marks)))
    when = fact.when.isoformat()[:10] if fact.when else ""
    cells = (fact.kind.value.replace("_", " "), fact.label, words, when, fact.source)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _pictures(file: CaseFile) -> str:
    film = file.case.study.frontal
    if film is None:
        return _slices(file)
    grey = film.frame(0)
    aspect, on = film.pixel_aspect, film.patient_left_on
    edges = {"left": ("L", "R"), "right": ("R", "L")}.get(on or "", ("", ""))
    main = figure(grey_bytes(grey, LONGEST_PX, aspect=aspect), _sides(on), letters(*edges))
    names = {one.finding for one in file.flagged}
    suspected = [f for f in (file.reading.findings if file.reading else ()) if f.name in names]
    small = grey_bytes(grey, SMALL_PX, aspect=aspect)
    heats = "".join(_heat(small, f, f.region) for f in most_urgent_first(suspected) if f.region)
    note = (
        "Heat-maps show where a network's score comes from, not the outline of a lesion."
        if heats
        else ""
    )
    return f'{main}<div class="heats">{heats}</div><p class="meta">{note}</p>'


def _slices(file: CaseFile) -> str:
    """The slice with the most of each label map that a statement rests on, else the middle slice of the first volume."""
    study = file.case.study
    marked = marked_slices(study, file.reading, file.draft)
    figures = [
        figure(slice_picture(m.volume, m.index_z, m.label_map, m.labels), m.caption(m.index_z))
        for m in marked
    ]
    if not figures:
        first = (study.volume(study.main_sha256) if study.main_sha256 else None) or study.volumes[0]
        middle = first.shape_zyx[0] // 2
        figures = [
            figure(
                slice_picture(first, middle),
                f"slice {middle + 1} of {first.shape_zyx[0]}, nothing marked",
            )
        ]
    note = (
        "Outlines are what a network marked. Slices are counted from 1 in the order of the volume."
    )
    shown = "".join(figures)
    shown = f'<div class="slices">{shown}</div>' if len(figures) > 1 else shown
    return f'{shown}<p class="meta">{note if marked else ""}</p>{_measured(file.draft)}'


def _measured(draft: CheckedDraft | None) -> str:
    rows = measurement_rows(draft.statements) if draft else ()
    if not rows:
        return ""
    head = "".join(
        f"<th>{name}</th>" for name in ("", "measured", "side", "value", "95 % interval")
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(c)}</td>" for c in (r.statement, r.name, r.side, r.value, r.interval)
        )
        + "</tr>"
        for r in rows
    )
    return f'<h2>measured</h2><table class="measured"><tr>{head}</tr>{body}</table>'


def _sides(patient_left_on: str | None) -> str:
    if patient_left_on is None:
        return "Orientation unknown: no side is named."
    return f"The patient's left is on the {patient_left_on} of the picture."


def letters(left: str, right: str) -> str:
    """The letters of the picture's left and right edge; nothing where they are unknown."""
    if not left:
        return ""
    return (
        f'<span class="letter">{escape(left)}</span><span class="letter far">{escape(right)}</span>'
    )


def _heat(small: NDArray[np.uint8], finding: Finding, region: Region) -> str:
    picture = Image.fromarray(heat_overlay(small, region, 0.6))
    rows, columns = small.shape
    x0, y0, x1, y1 = region.box_xyxy
    ImageDraw.Draw(picture).rectangle(
        (x0 * columns, y0 * rows, x1 * columns - 1, y1 * rows - 1), outline=(120, 220, 255)
    )
    words = finding_term(finding.name).words
    meaning = (
        f"operating point {finding.threshold:.2f}: {certainty_of(finding.probability).meaning}"
    )
    return figure(np.asarray(picture), f"{words} {finding.probability:.2f} ({meaning})")


def figure(picture: NDArray[np.uint8], caption: str, over: str = "") -> str:
    """A picture as PNG in the page, its caption, and what lies over it (HTML)."""
    source = base64.b64encode(png_bytes(picture)).decode()
    text = escape(caption)
    img = f'<img alt="{text}" src="data:image/png;base64,{source}">'
    return f"<figure>{img}{over}<figcaption>{text}</figcaption></figure>"
