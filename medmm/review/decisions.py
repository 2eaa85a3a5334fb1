"""Decisions of a reader on the statements of a draft."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from medmm.domain.codec import from_json, to_json
from medmm.domain.draft import CheckedDraft
from medmm.domain.errors import InputError, StateError
from medmm.domain.plain_text import refuse_no_text
from medmm.domain.report import (
    OWN,
    OWN_IMPRESSION,
    Accept,
    Add,
    Addendum,
    CaseFile,
    Decision,
    Edit,
    Impression,
    Reader,
    Reject,
)
from medmm.review.lifecycle import Act, advance
from medmm.review.own_words import refuse_miscoded, reworded

OwnWords = Add | Impression | Addendum  # what readers write without a draft


def decide(
    file: CaseFile, decisions: Sequence[Decision], by: Reader | None = None
) -> tuple[Decision, ...]:
    """Add decisions to those so far, in the draft's order; the last on a statement counts.

    Who decides on a finding decides on its summary in the impression, whatever was decided on that
    earlier; a decision on the summary itself, in the same call or later, parts the two again. What
    readers add is numbered r1, r2, … and comes last; there an edit gives it other words and a
    rejection takes it away.

    Raises: InputError for a statement that the draft does not have; StateError if the case is not
    in review, or if a statement that failed a check is accepted as it stands, be it as an edit that
    changes no word.
    """
    advance(file.state, Act.DECIDE)
    return merged(file, decisions, by)


def merged(
    file: CaseFile, decisions: Sequence[Decision], by: Reader | None
) -> tuple[Decision, ...]:
    """Add decisions to those so far, in whatever state the case is; see `decide`."""
    draft = draft_of(file)
    for decision in decisions:
        _refuse_unkept(decision, file.case.id)
    order = [statement.id for statement in draft.draft.decidable]
    summary_of = {s.summarises: s.id for s in draft.statements if s.summarises}
    by_statement = {decision.statement_id: decision for decision in file.decisions}
    own = {key: one for key, one in by_statement.items() if isinstance(one, OwnWords)}
    used = {statement.id for report in file.versions for statement in report.statements}
    for decision in sorted(decisions, key=lambda d: d.statement_id in summary_of.values()):
        if isinstance(decision, OwnWords) or decision.statement_id in own:
            _keep_own(own, decision, by, file.case.id, used)
            continue
        if decision.statement_id not in order:
            raise InputError(
                "no such statement in the draft",
                remedy="decide on the statements of the case's current draft",
                case=file.case.id,
                statement=decision.statement_id,
            )
        refuse_failed(draft, decision, file.case.id)
        by_statement[decision.statement_id] = decision
        by_statement.pop(summary_of.get(decision.statement_id, ""), None)
    return tuple(
        by_statement[statement_id] for statement_id in order if statement_id in by_statement
    ) + tuple(own.values())


def _refuse_unkept(decision: Decision, case_id: str) -> None:
    """Refuse a decision that could not be kept and read again.

    One such would lock the whole worklist.

    Raises: InputError if there is one.
    """
    kept = to_json(decision)
    try:
        same = from_json(type(decision), kept) == decision
    except InputError:
        same = False
    if not same:
        raise InputError(
            f"a decision ({type(decision).__name__}) is not of the types of its fields",
            remedy="give its words as str, and what is a choice as its enum",
            case=case_id,
        )
    for words in kept.values():
        refuse_no_text(words if isinstance(words, str) else "", "a decision")


def _keep_own(
    own: dict[str, OwnWords],
    decision: Decision,
    by: Reader | None,
    case_id: str,
    used: Collection[str],
) -> None:
    """Keep, change or take away what readers wrote themselves; no number is `used` again.

    An addition that another one says already is not added again: who repeats a call after an error
    means one finding. It keeps its code if the new words still say what it says. Raises: InputError
    if its words and its code part, or if it is accepted.
    """
    key = decision.statement_id
    if isinstance(decision, Impression):
        own[OWN_IMPRESSION] = replace(decision, by=by)
    elif isinstance(decision, Addendum):
        raise InputError(
            "an addendum is no decision on a draft",
            remedy="sign the report, then call `addendum` with the text",
            case=case_id,
        )
    elif isinstance(decision, Add):
        refuse_miscoded(decision, case_id)
        if any(_says_the_same(one, decision) for one in own.values()):
            return
        taken = [int(name.removeprefix("r")) for name in {*own, *used} if OWN.fullmatch(name)]
        key = f"r{max(taken, default=0) + 1}"
        own[key] = replace(decision, statement_id=key, by=by)
    elif isinstance(decision, Reject):
        del own[key]
    elif isinstance(decision, Edit):
        own[key] = reworded(own[key], decision.text, by)
    else:
        raise InputError(
            "a reader's own words need no acceptance",
            remedy="edit or reject them",
            case=case_id,
            statement=key,
        )


def _says_the_same(one: OwnWords, added: Add) -> bool:
    if not isinstance(one, Add):
        return False
    return replace(one, statement_id=added.statement_id, by=added.by) == added


def passing(file: CaseFile) -> tuple[Accept, ...]:
    """Accept every statement that is undecided and passed all its checks.

    What is also suspected and not stated is not among them: a reader states it one by one.

    Raises: StateError if there is none.
    """
    draft = draft_of(file)
    found = tuple(
        Accept(statement.id)
        for statement in file.asked
        if file.decision_on(statement) is None and not draft.failed(statement.id)
    )
    if not found:
        raise StateError(
            "no undecided statement passed all its checks",
            remedy="decide on what is open one by one",
            case=file.case.id,
        )
    return found


def draft_of(file: CaseFile) -> CheckedDraft:
    """Take the draft of a case.

    Raises: StateError if it has none.
    """
    if file.draft is None:
        raise StateError("the case has no draft", remedy="draft it first", case=file.case.id)
    return file.draft


def refuse_failed(draft: CheckedDraft, decision: Decision, case_id: str) -> None:
    """Refuse to accept a statement that failed a check as it stands.

    Raises: StateError if it is accepted so, or edited without changing a word.
    """
    failed = draft.blocking(decision.statement_id)
    words = {statement.id: statement.text for statement in draft.draft.decidable}[
        decision.statement_id
    ]
    unchanged = isinstance(decision, Edit) and decision.text.split() == words.split()
    if failed and (isinstance(decision, Accept) or unchanged):
        raise StateError(
            f"the statement failed {', '.join(v.check for v in failed)} and can't be accepted "
            "as it stands",
            remedy="edit or reject it",
            case=case_id,
            statement=decision.statement_id,
        )
