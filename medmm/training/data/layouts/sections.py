"""The sections of a report in one text, by headings in capitals at the start of a line."""

from __future__ import annotations

import re

from medmm.training.data.layouts.reported_film import ReportText

# Headings of MIMIC-CXR (Johnson et al., Scientific Data 2019); any other heading ends a section and
# is left out.
_SECTION = {
    "FINDINGS": "findings",
    "FINDINGS AND IMPRESSION": "findings",
    "FINDINGS/IMPRESSION": "findings",
    "IMPRESSION": "impression",
    "CONCLUSION": "impression",
    "INDICATION": "indication",
    "HISTORY": "indication",
    "CLINICAL HISTORY": "indication",
    "CLINICAL INFORMATION": "indication",
    "REASON FOR EXAM": "indication",
    "REASON FOR EXAMINATION": "indication",
}
_HEADING = re.compile(r"^[ \t]*([A-Z][A-Z ,/&()]{2,50}?)[ \t]*:", re.MULTILINE)


def report_of(text: str) -> ReportText:
    """Split a report into sections, each on one line.

    Of two with one name the second follows the first.
    """
    words: dict[str, list[str]] = {"findings": [], "impression": [], "indication": []}
    headings = list(_HEADING.finditer(text))
    for number, heading in enumerate(headings, start=1):
        end = headings[number].start() if number < len(headings) else len(text)
        if section := _SECTION.get(" ".join(heading[1].split())):
            words[section] += text[heading.end() : end].split()
    return ReportText(
        findings=" ".join(words["findings"]),
        impression=" ".join(words["impression"]),
        indication=" ".join(words["indication"]) or None,
    )
