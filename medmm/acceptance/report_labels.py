"""Labels of a site's own signed reports, by the rules that label the words of reports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from medmm.acceptance.labels import LabelledStudy, LabelTable
from medmm.domain.acceptance import LabelsFrom
from medmm.domain.errors import InputError
from medmm.domain.vocabulary import finding_terms
from medmm.language.report_labeller import ABSENT, LABELS, NO_FINDING, PRESENT, labeller
from medmm.language.report_parser import Polarity, findings_named


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedText:
    """The words of one signed report: of which study, of which patient."""

    study_uid: str
    patient: str
    text: str


def labels_of_reports(reports: Iterable[SignedText]) -> LabelTable:
    """Label signed reports of chest films.

    A finding that a report does not name, or is not sure of, has no label, but for reports that
    name no finding at all: there every finding that the rules know is absent.

    Raises: InputError for a study that two reports are of.
    """
    studies: list[LabelledStudy] = []
    first: dict[str, int] = {}
    for number, one in enumerate(reports, start=1):
        if first.setdefault(one.study_uid, number) != number:
            raise InputError(
                "two signed reports are of one study",
                remedy="give the newest report of each study alone",
                study=one.study_uid,
            )
        findings, bare = labelled_findings(one.text)
        studies.append(
            LabelledStudy(
                line=number,
                patient=one.patient,
                study_uid=one.study_uid,
                findings=findings,
                quantities={},
                bare=bare,
            )
        )
    rows = sorted([s.study_uid or "", s.patient, sorted(s.findings.items())] for s in studies)
    return LabelTable(
        studies=tuple(studies),
        sha256=hashlib.sha256(json.dumps(rows).encode()).hexdigest(),
        origin=LabelsFrom.SIGNED_REPORTS,
    )


def labelled_findings(text: str) -> tuple[dict[str, bool], bool]:
    """Label one report with findings of the vocabulary.

    Returns: the labels, and whether the report names no finding at all, be it in doubt, by the
        rules and by the words that drafts are checked with.
    """
    values, known = labeller().label(text), _vocabulary()
    found = {
        known[name]: value == PRESENT
        for name, value in values.items()
        if name in known and value in (PRESENT, ABSENT)
    }
    spoken = {name for name, said in findings_named(text).items() if said is not Polarity.DENIED}
    if values[NO_FINDING] != PRESENT or any(found.values()) or spoken:
        return found, False
    return dict.fromkeys(known.values(), False), True


@cache
def _vocabulary() -> dict[str, str]:
    """Map the names of the rules to findings of the vocabulary, where both mean the same.

    "Lung Lesion" and "Pleural Other" are several findings of the vocabulary in one, and are left.
    """
    forms = {
        form.replace("_", " ").casefold(): term.name
        for term in finding_terms().values()
        for form in (term.name, term.words)
    }
    return {name: forms[name.casefold()] for name in LABELS if name.casefold() in forms}
