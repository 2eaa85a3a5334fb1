"""From a case to what the page shows. Pure functions: no Streamlit, no I/O."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from datetime import UTC
from itertools import groupby

from medmm.config import Settings
from medmm.domain.audit_event import AuditEvent
from medmm.domain.draft import (
    Section,
)
from medmm.domain.draft_progress import DraftProgress, DraftStage
from medmm.domain.errors import MedmmError, StateError
from medmm.domain.identity import PatientIdentity
from medmm.domain.prior import Prior
from medmm.domain.record import ClinicalContext
from medmm.domain.report import (
    CaseFile,
    SignedStatement,
)
from medmm.domain.study import Volume
from medmm.domain.vocabulary import finding_term
from medmm.presentation.case_view import CaseView, StatementView
from medmm.presentation.orientation import STORED, film_side_words
from medmm.presentation.record_view import fact_view
from medmm.presentation.sentence_rows import SentenceRow, changes
from medmm.presentation.slice_picture import marked_slices

PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# What Streamlit still makes links, icons and arrows of after Markdown's escapes are gone:
# `http://`, `www.`, `a@b`, `:icon:`, `->`. An invisible word joiner (U+2060) at these places keeps
# them plain text.
REWRITTEN = re.compile(r"(?<=[:@])|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)
JOINER = "\u2060"
# Marks that turn the direction of text (Unicode bidirectional embeddings, overrides, isolates) can
# swap words.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")

NEVER_SENT = "Typed here and never sent."
NO_FIELD = "What they were typed for is not here any more, or says something else now."


def edit_key(case_id: str, statement: StatementView) -> str:
    """Name the field for new words.

    Another case or another text never meets words typed for this one.
    """
    return f"text {case_id} {statement.id} {zlib.crc32(statement.text.encode())}"


def side_line(volume: Volume) -> str:
    """Say which side of the patient is where, under the picture."""
    if volume.sequence is None:
        return film_side_words(volume.patient_left_on)
    return "Letters name the patient's directions." if volume.affine_lps_mm else STORED


def inert(text: str) -> str:
    """Escape text so that Streamlit's Markdown shows it as it is.

    No HTML, links, formulas, colours or icons come of it.
    """
    return PUNCTUATION.sub(r"\\\1", REWRITTEN.sub(JOINER, one_line(text)))


def one_line(text: str) -> str:
    """Put text on one line; marks that turn its direction are shown as U+FFFD."""
    return TURNING.sub("\ufffd", " ".join(text.split()))


def error_lines(error: MedmmError) -> tuple[str, ...]:
    """Say what went wrong, where, and what helps, as Markdown."""
    place = ", ".join(f"{name} {value}" for name, value in error.where.items())
    lines = (inert(error.problem), inert(place), f"**What helps:** {inert(error.remedy)}")
    return tuple(line for line in lines if line)


def identifier_settings_lacking(settings: Settings) -> str:
    """Say which identifier systems the FHIR download lacks, and what it can't find for that.

    "" if it lacks none. What it can't find is on a FHIR server.
    """
    systems = settings.identifiers
    lacking = {"mrn": systems.mrn, "accession": systems.accession}
    names = [f"`identifiers.{name}`" for name, system in lacking.items() if system is None]
    if not names:
        return ""
    searched = (
        " The patient is not searched for on a server unless the image names the system."
        if not systems.mrn
        else ""
    )
    return (
        f"FHIR R4 goes without the systems of {' and '.join(names)}, which the settings do not "
        f"name.{searched}"
    )


DIGESTS = re.compile(r"[0-9a-f]{64}( [0-9a-f]{64})+")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
DIGEST_SHOWN = 12


def pictures(file: CaseFile) -> tuple[Volume, ...]:
    """List the images of a case, the one that was read first.

    It is the frontal film, or the volumes that statements are marked on.
    """
    study = file.case.study
    read = file.reading.volumes_read if file.reading else ()
    first = [study.frontal, *(m.volume for m in marked_slices(study, file.reading, file.draft))]
    return tuple(
        sorted(study.volumes, key=lambda volume: (volume not in first, volume.sha256 not in read))
    )


def patient_line(identity: PatientIdentity) -> str:
    """Say who the patient is, as on the signing screen."""
    name = (
        ", ".join(part for part in (identity.family_name, identity.given_name) if part) or "no name"
    )
    born = f"born {identity.birth_date:%Y-%m-%d}" if identity.birth_date else "birth date unknown"
    return " · ".join(
        part
        for part in (name, identity.patient_id or "no ID", born, identity.sex or "sex unknown")
        if part
    )


def report_words(statements: tuple[SignedStatement, ...], not_evaluated: tuple[str, ...]) -> str:
    """Write what will stand in the report, section by section as there."""
    parts = {s.value: [one_line(t.text) for t in statements if t.section is s] for s in Section}
    parts["not evaluated by the models"] = (
        ["; ".join(map(one_line, not_evaluated)) + "."] if not_evaluated else []
    )
    return "\n\n".join("\n".join([name.upper(), *lines]) for name, lines in parts.items() if lines)


def fact_rows(context: ClinicalContext | None) -> list[dict[str, str]]:
    """List the record as a table."""
    facts = map(fact_view, context.facts if context else ())
    return [
        {
            "fact": fact.label,
            "value": fact.value,
            "status": fact.status,
            "when": fact.when,
            "doubt": "; ".join(fact.doubts),
            "source": fact.source,
        }
        for fact in facts
    ]


def rows_with(rows: list[dict[str, str]], sought: str) -> list[dict[str, str]]:
    """List the rows that hold every word that is sought, in any case of letters."""
    words = sought.casefold().split()
    return [row for row in rows if all(w in " ".join(row.values()).casefold() for w in words)]


def _short(detail: str) -> str:
    """Shorten a detail to fit a table.

    Of several digests it shows the first and how many there are, of each its beginning; the whole
    ones stand in the log (`medmm audit log --json`).
    """
    first, *more = detail.split(" ") if DIGESTS.fullmatch(detail) else [detail]
    first = DIGEST.sub(lambda found: f"{found[0][:DIGEST_SHOWN]}…", first)
    return f"{first} and {len(more)} more" if more else first


def history_rows(events: tuple[AuditEvent, ...]) -> list[dict[str, str]]:
    """List the audit log of a case as a table, newest first."""
    return [
        {
            "when (UTC)": f"{e.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "verb": e.verb,
            "outcome": e.outcome,
            "who": e.actor,
            "role": e.role,
            "details": details_words(e),
        }
        for e in reversed(events)
    ]


def details_words(event: AuditEvent) -> str:
    """Write the details of an entry on one line, digests shortened."""
    told = ((name, value) for name, value in event.details.items() if name != "request")
    return ", ".join(f"{name} {_short(value)}" for name, value in told)


MARK_OF = {"accepted": ":green[✓]", "edited": ":blue[✎]", "rejected": ":gray[✕]"}


def sentence_label(row: SentenceRow) -> str:
    """Write a sentence as the label of a button: its mark, urgency and words, as Markdown."""
    one = row.statement
    mark = MARK_OF.get(one.decision or "", "" if row.follows else ":gray[○]")
    urgent = ":red-badge[critical]" if one.critical else ""
    words = inert(one.text)
    if one.decision == "rejected":
        words = f"~~{words}~~"
    score = "".join(f":gray[{probability:.2f}]" for probability, _ in one.bars[:1])
    return " ".join(part for part in (mark, urgent, words, score) if part)


def changed_words(drafted: str, written: str) -> str:
    """Show as Markdown what a reader changed in a drafted sentence."""
    forms = {"kept": "{}", "dropped": ":gray[~~{}~~]", "new": "**{}**"}
    told = ((one.kind, inert(one.text)) for one in changes(drafted, written))
    return "Changed: " + " ".join(forms[kind].format(words) for kind, words in told if words)


def held_words(error: StateError, names: Mapping[str, str]) -> str:
    """Say why nothing can be decided here, and who can.

    Another reads the case or took it meanwhile, or it is to be read twice.
    """
    holder = str(error.where.get("holder", "nobody"))
    who = "" if holder == "nobody" else f" {names.get(holder, holder)} reads it."
    if third := error.where.get("adjudicator"):
        who = f" That is {names.get(str(third), str(third))}."
    return f"{error.problem[:1].upper()}{error.problem[1:]}.{who} You can look, and decide nothing."


def undecided_words(view: CaseView) -> str | None:
    """Say why a case can't be signed yet; None if it can."""
    if view.may_sign:
        return None
    left = view.total - view.decided
    return f"{left} sentence{' is' if left == 1 else 's are'} undecided."


STEPS = (
    (DraftStage.READING, "Reading the images"),
    (DraftStage.WRITING, "Writing the sentences"),
    (DraftStage.CHECKING, "Checking each sentence"),
)


def progress_steps(progress: DraftProgress, names: Mapping[str, str]) -> tuple[str, ...]:
    """Write as Markdown who had a draft made, and what of it is done, being done, and to come."""
    who = inert(names.get(progress.by, progress.by))
    asked = f":gray[Asked for by {who} at {progress.began:%H:%M:%S} UTC.]"
    if progress.stage is DraftStage.ELSEWHERE:
        return ("**Another program of this installation drafts the case …**", asked)
    order = [stage for stage, _ in STEPS]
    at = order.index(progress.stage) if progress.stage in order else -1
    lines = [asked] if at >= 0 else ["**Waiting for other drafts …**", asked]
    for number, (_, words) in enumerate(STEPS):
        if number == at:
            lines.append(f"**◐ {words} …**")
        else:
            lines.append(f":green[✓ {words}]" if number < at else f":gray[○ {words}]")
    return tuple(lines)


def unchecked_lines(progress: DraftProgress) -> tuple[str, ...]:
    """Write the words of an unfinished draft as a list in Markdown, by section."""
    lines: list[str] = []
    for section, found in groupby(progress.sentences, key=lambda one: one.section):
        lines += ["", f"*{section.value.capitalize()}*", ""]
        lines += [f"- :gray[{inert(one.text)}]" for one in found]
    return tuple(lines)


def prior_lines(file: CaseFile) -> tuple[str, ...]:
    """Write a line for every earlier study, the newest first."""
    return tuple(map(_prior_line, file.case.priors))


def _prior_line(prior: Prior) -> str:
    seen = "nothing was read of it"
    if prior.reading is not None:
        words = ", ".join(finding_term(name).words for name in prior.reading.suspected)
        seen = f"read by models: {words or 'none flagged'}"
    report = "signed report" if prior.report_id else "no signed report"
    what = f"{prior.modality.value} {prior.body_part}"
    return f"{prior.acquired.moment:%Y-%m-%d} · {what} · {report} · {seen}"


def sign_in_words(*, kept: bool) -> str:
    """Say whether what a reader typed waits for them."""
    if not kept:
        return "What you typed was too much to be kept."
    return "What you typed is kept for you alone. It is in its place when you are back."
