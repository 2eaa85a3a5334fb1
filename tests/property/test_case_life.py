"""Whatever two readers do: the log verifies, the worklist shows each case, reports stay."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from medmm.assistant import Assistant
from medmm.domain.codec import from_json, to_json
from medmm.domain.draft_version import DraftVersion
from medmm.domain.errors import InputError, StateError
from medmm.domain.priority import Order, Priority
from medmm.domain.report import (
    SIGNED_STATES,
    Accept,
    Add,
    CaseFile,
    CaseState,
    CaseSummary,
    Decision,
    Edit,
    Impression,
    Reject,
    SignedReport,
)
from tests.dicom_files import film_file, picture
from tests.e2e.test_e2e_grown_study import record_of
from tests.unit.assistant.test_assistant_claims import Clock, assistant_of

OPEN = {CaseState.OPENED, CaseState.DRAFTED, CaseState.IN_REVIEW}
WORDS = ["Heart not enlarged.", "Large left pleural effusion.", "No effusion.", "Told again."]
OFTEN = {"open": 2, "draft": 2, "decide": 2, "answer": 3, "sign": 3, "amend": 2, "addendum": 2}
SELDOM = ["admit", "redraft", "claim", "unclaim", "prioritise", "withdraw"]
VERBS = [*SELDOM, *(verb for verb, times in OFTEN.items() for _ in range(times)), "again", "again"]


class Life:
    """Two readers at work, and what must hold whatever they do."""

    def __init__(self, assistant: Assistant, folder: Path, clock: Clock, seed: int) -> None:
        self.assistant, self.folder, self.clock = assistant, folder, clock
        self.random = random.Random(seed)
        self.reports: dict[str, SignedReport] = {}
        self.drafts: dict[str, tuple[DraftVersion, ...]] = {}
        self.answers: list[tuple[Callable[[], object], object]] = []  # under a key each
        self.done: Counter[str] = Counter()
        self.records = [None, *(record_of(folder / f"{x}.json", x) for x in ("Asthma", "Cough"))]
        self.films = {
            (study, image): film_file(
                folder / f"{study}{image}",
                pixels=picture() // (image + 1),
                StudyInstanceUID=f"1.2.3.{study}",
                SOPInstanceUID=f"1.2.3.{study}.{image}",
                AcquisitionDate=f"202{study}0304",
            )
            for study in range(2)
            for image in range(3)
        }

    def act(self, number: int) -> None:
        """Let one reader do one thing; what is refused changes nothing."""
        pick = self.random.choice
        self.clock.after(minutes=pick([0, 1, 5, 40, -10]))
        cases = self.assistant.cases()
        live = [one for one in cases if one.state in OPEN | {CaseState.SIGNED, CaseState.AMENDED}]
        if not live:
            verb, case_id = pick(["admit", "open"]), ""
        else:
            verb, case_id = pick(VERBS), pick(live if self.random.random() < 0.9 else cases).case_id
        if verb == "again":
            self.ask_again()
            return
        key = pick([None, f"key-{number}"])
        call = self.call(verb, case_id, pick(["reader-1", "reader-2"]), key)
        before = self.assistant.case(case_id, pixels=False) if case_id else None
        try:
            answer = call()
        except (InputError, StateError):
            assert before is None or self.assistant.case(case_id, pixels=False) == before
            return
        self.done[verb] += 1
        if isinstance(answer, SignedReport):
            self.reports[answer.id] = answer
        if key is not None and verb != "open":  # what is opened goes by what the study holds then
            self.answers.append((call, answer))

    def ask_again(self) -> None:
        """Ask under a key that was answered: the answer is the first one, whatever came after."""
        if self.answers:
            call, answer = self.random.choice(self.answers)
            assert call() == answer
            self.done["again"] += 1

    def call(self, verb: str, case_id: str, by: str, key: str | None) -> Callable[[], object]:
        """What a reader asks for, ready to be asked for twice."""
        pick, of = self.random.choice, self.assistant
        how: dict[str, Any] = {"by": by, "key": key}
        study, why = self.random.randrange(2), "Seen again."
        if verb == "admit":
            paths = [self.films[study, image] for image in range(pick([1, 1, 2, 3]))]
            record = pick(self.records)
            return lambda: of.admit(paths, record=record, **how)
        if verb in ("decide", "amend", "answer"):
            decisions = self.answered(case_id) if verb == "answer" else self.decided(case_id)
            if verb == "amend":
                return lambda: of.amend(case_id, decisions, reason=why, **how)
            return lambda: of.decide(case_id, decisions, **how)
        level, text, minutes = pick(list(Priority)), pick(WORDS), pick([10, 120])
        calls: dict[str, Callable[[], object]] = {
            "open": lambda: of.open_case(f"1.2.3.{study}", **how),
            "draft": lambda: of.draft(case_id, again=False, **how),
            "redraft": lambda: of.draft(case_id, **how),
            "claim": lambda: of.claim(case_id, minutes=minutes, **how),
            "unclaim": lambda: of.unclaim(case_id, **how),
            "prioritise": lambda: of.prioritise(case_id, level, reason=why, **how),
            "sign": lambda: of.sign(case_id, **how),
            "addendum": lambda: of.addendum(case_id, text, reason=why, **how),
            "withdraw": lambda: of.withdraw(case_id, reason=why, **how),
        }
        return calls[verb]

    def decided(self, case_id: str) -> list[Decision]:
        """Anything, of which much is refused."""
        pick, file = self.random.choice, self.assistant.case(case_id, pixels=False)
        names = [s.id for s in file.draft.draft.decidable] if file.draft else ["s1"]
        names += [one.statement_id for one in file.decisions]
        kinds: list[Callable[[str], Decision]] = [
            Accept,
            Reject,
            lambda name: Edit(name, pick(WORDS)),
            lambda name: Add(pick(["Old rib fracture.", "Second remark."])),
            lambda name: Add.of("Mass"),
            lambda name: Impression("Nothing acute.\nOld fracture."),
        ]
        return [pick(kinds)(pick(names)) for _ in range(pick([1, 2, 3]))]

    def answered(self, case_id: str) -> list[Decision]:
        """All that a signature asks for."""
        file = self.assistant.case(case_id, pixels=False)
        failed = file.draft.failed if file.draft else lambda name: ()
        return [Edit(s.id, "My words.") if failed(s.id) else Accept(s.id) for s in file.asked]

    def holds(self) -> None:
        """What must hold at any time."""
        lines = self.assistant.cases()
        going = Counter(line.study_uid for line in lines if line.state in OPEN)
        assert set(going.values()) <= {1}, "one study has one open case"
        for line in lines:
            self.case_holds(line, self.assistant.case(line.case_id, pixels=False))
        for order in Order:
            whole = [line.case_id for line in self.assistant.cases(order=order)]
            assert list(self.paged(order)) == whole
        found = self.assistant.verify()
        assert found.ok, found.problems

    def case_holds(self, line: CaseSummary, file: CaseFile) -> None:
        waiting = file.state in (CaseState.DRAFTED, CaseState.IN_REVIEW)
        assert (line.state, line.suspicions) == (file.state, file.flagged)
        assert line.priority == (file.priority and file.priority.level.value)
        assert (line.waiting_since is not None) == waiting
        assert from_json(CaseFile, json.loads(json.dumps(to_json(file)))) == file
        assert (file.state in SIGNED_STATES) == bool(file.versions)
        assert [one.version for one in file.versions] == [*range(1, len(file.versions) + 1)]
        assert all(self.reports[one.id] == one for one in file.versions), "what was signed stays"
        drafts, known = self.assistant.drafts(line.case_id), self.drafts.get(line.case_id, ())
        assert drafts[: len(known)] == known
        assert [one.version for one in drafts] == [*range(1, len(drafts) + 1)]
        assert file.draft == (drafts[-1].checked if drafts else None)
        for before, after in pairwise(drafts):
            assert after.parent == before.version
            assert after.checked.draft.parent == before.checked.draft.id
        self.drafts[line.case_id] = drafts

    def paged(self, order: Order) -> Iterator[str]:
        last = None
        while page := self.assistant.cases(order=order, limit=2, after=last):
            yield from (line.case_id for line in page)
            last = page[-1].place if order is Order.URGENCY else page[-1].case_id


@pytest.mark.parametrize("seed", [1])
def test_whatever_two_readers_do_the_store_holds_what_they_did(tmp_path: Path, seed: int) -> None:
    clock = Clock(datetime(2026, 1, 2, 9, 0, tzinfo=UTC) + timedelta(days=seed))
    with assistant_of(tmp_path, clock, writer="rules") as assistant:
        life = Life(assistant, tmp_path, clock, seed)
        for number in range(300):
            life.act(number)
            if number % 30 == 0:
                life.holds()
        life.holds()
        assert {*VERBS} <= {*life.done}, "each was done at least once"
