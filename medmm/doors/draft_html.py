"""A draft as one self-contained HTML page: picture, heat-maps and statements side by side. No script, all escaped."""

from __future__ import annotations

import base64
import io
from html import escape
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medmm.domain.display import grey_bytes, heat_overlay
from medmm.domain.draft import CheckedDraft, Outcome, Section, Statement
from medmm.domain.reading import Finding
from medmm.domain.report import CaseFile
from medmm.domain.vocabulary import finding_term
from medmm.doors.draft_page import BANNER, evidence_line

LONGEST_PX = 900
SMALL_PX = 420
STYLE = files("medmm.doors").joinpath("draft.css").read_text(encoding="utf-8")


def draft_html(file: CaseFile) -> str:
    """The page of a case that has a draft; it says on top that it is one."""
    study = file.case.study
    when = study.acquired.moment.isoformat() if study.acquired else "unknown"
    title = f"{study.modality.value} {study.body_part}, case {file.case.id}"
    warnings = file.draft.draft.warnings if file.draft else study.warnings
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Draft: {escape(title)}</title><style>{STYLE}</style></head><body>
<header>{escape(BANNER)}</header><main><section>{_pictures(file)}</section><section>
<h1>{escape(title)}</h1><div class="meta">acquired {escape(when)} · study {escape(study.uid)}</div>
{"".join(f'<div class="warning">⚠ {escape(w.text)}</div>' for w in warnings)}
{_draft(file.draft) if file.draft else "<p>No draft yet.</p>"}
</section></main></body></html>
"""


def _draft(draft: CheckedDraft) -> str:
    parts = []
    for section in Section:
        statements = [s for s in draft.statements if s.section is section]
        if statements:
            parts.append(f"<h2>{escape(section.value)}</h2>" + "".join(_statement(draft, s) for s in statements))
    limits = "".join(f"<li>{escape(item)}</li>" for item in draft.draft.not_evaluated)
    models = ", ".join(f"{m.name} {m.manifest_sha256[:12]}" for m in draft.draft.models) or "none"
    parts.append(f'<h2>not evaluated</h2><ul class="limits">{limits}</ul>')
    parts.append(f'<div class="meta">writer {escape(draft.draft.writer)}; models {escape(models)}</div>')
    return "".join(parts)


def _statement(draft: CheckedDraft, statement: Statement) -> str:
    evidence = "".join(f'<div class="evidence">{escape(evidence_line(e))}</div>' for e in statement.evidence)
    checks = "".join(
        f'<span class="check {"passed" if v.outcome is Outcome.PASSED else "failed"}">'
        f"{escape(v.check)} {'✓' if v.outcome is Outcome.PASSED else '✗ ' + escape(v.reason)}</span>"
        for v in draft.verdicts_on(statement.id)
        if v.outcome is not Outcome.NOT_APPLICABLE
    )
    return f'<div class="statement"><p>{escape(statement.text)}</p>{evidence}{checks}</div>'


def _pictures(file: CaseFile) -> str:
    film = file.case.study.frontal
    if film is None:
        return "<p>No picture of this modality is shown yet.</p>"
    grey = film.pixels()[0]
    main = _figure(grey_bytes(grey, LONGEST_PX), _sides(film.patient_left_on))
    suspected = [f for f in (file.reading.findings if file.reading else ()) if f.suspected and f.region]
    small = grey_bytes(grey, SMALL_PX)
    heats = "".join(_heat(small, f) for f in sorted(suspected, key=lambda f: -f.probability))
    note = "Heat-maps show where a network's score comes from, not the outline of a lesion." if heats else ""
    return f'{main}<div class="heats">{heats}</div><p class="meta">{note}</p>'


def _sides(patient_left_on: str | None) -> str:
    if patient_left_on is None:
        return "Orientation unknown: no side is named."
    return f"The patient's left is on the {patient_left_on} of the picture."


def _heat(small: NDArray[np.uint8], finding: Finding) -> str:
    assert finding.region is not None
    picture = Image.fromarray(heat_overlay(small, finding.region, 0.6))
    rows, columns = small.shape
    x0, y0, x1, y1 = finding.region.box_xyxy
    ImageDraw.Draw(picture).rectangle(
        (x0 * columns, y0 * rows, x1 * columns - 1, y1 * rows - 1), outline=(120, 220, 255)
    )
    words = finding_term(finding.name).words
    return _figure(np.asarray(picture), f"{words} {finding.probability:.2f} (operating point {finding.threshold:.2f})")


def _figure(picture: NDArray[np.uint8], caption: str) -> str:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG", optimize=True)
    source = base64.b64encode(data.getvalue()).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{source}"><figcaption>{text}</figcaption></figure>'
