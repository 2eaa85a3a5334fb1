"""The whole way with fixed idempotency keys, and a reading model of the tests' own: `python crash_worker.py SETTINGS FILM`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from medmm.assistant import Assistant
from medmm.config import load_settings
from medmm.domain.critical_result import Route
from medmm.domain.priority import Priority
from medmm.domain.report import Accept, Add, Edit
from medmm.domain.study import Study
from medmm.domain.worklist import CaseFilter, SavedFilter
from tests.dicom_files import film_file
from tests.factories import make_reading_of
from tests.orders import order_message
from tests.quick_assistant import GivenNetworks


class SaysFrontal:
    """Takes every film for a frontal one; loads no torch."""

    def kind_of(self, grey: Any) -> str:
        return "frontal"

    def surely_frontal(self, grey: Any) -> bool:
        return False


class Reads:
    """Sees the same in every film; loads no torch."""

    def read(self, study: Study) -> Any:
        return make_reading_of(study)


def quick(path: Path) -> Assistant:
    """The assistant of a configuration, with networks that load no torch."""
    settings = load_settings(path)
    networks = GivenNetworks(
        settings, reader=Reads(), picture_kinds=SaysFrontal(), language_model=None
    )
    return Assistant(settings, networks=networks)


def whole_way(assistant: Assistant, film: Path, out: Path) -> dict[str, str]:
    """Every writing verb once. Returns: what each gave, as text."""
    reader = assistant.reader_named("reader-1")
    taken = assistant.take_order(order_message().encode(), key="take-order-1")
    held = film_file(out.parent, "held.dcm", AcquisitionDate="20990101", StudyDate="20990101")
    release = assistant.release(
        held, reason="the device's clock was wrong", by=reader, key="release-1"
    )
    study = assistant.admit(film, key="admit-1")
    assert isinstance(study, Study)
    case = assistant.open_case(study.uid, key="open-1")
    draft = assistant.draft(case.id, key="draft-1")
    priority = assistant.prioritise(
        case.id, Priority.URGENT, reason="asked for", by=reader, key="prioritise-1"
    )
    first = assistant.record_first_read(case.id, text="Clear.", by=reader, key="first-read-1")
    assistant.order_double_reading(case.id, by=reader, key="order-double-1")
    dropped = assistant.drop_double_reading(
        case.id, reason="One is enough.", by="administrator-1", key="drop-double-1"
    )
    claim = assistant.claim(case.id, by=reader, key="claim-1")
    assistant.accept_passing(case.id, by=reader, key="passing-1")
    assistant.undo(case.id, by=reader, key="undo-1")
    decided = assistant.decide(
        case.id,
        [*(Accept(s.id) for s in draft.statements), Add.of("Edema")],
        by=reader,
        key="decide-1",
    )
    assistant.unclaim(case.id, by=reader, key="unclaim-1")
    assistant.communicate(
        case.id, to="ward 3", how=Route.PHONE, read_back=True, by=reader, key="communicate-1"
    )
    assistant.propose(case.id, by=reader, key="propose-1")
    report = assistant.sign(case.id, by=reader, key="sign-1")
    paths = assistant.publish(report.id, to=out, key="publish-1")
    changes = [Edit(draft.statements[0].id, "The reader's own words.")]
    amended = assistant.amend(case.id, changes, reason="Seen again.", by=reader, key="amend-1")
    added = assistant.addendum(
        case.id, "Told to the ward.", reason="Asked for.", by=reader, key="addendum-1"
    )
    withdrawn = assistant.withdraw(
        case.id, reason="Another patient's film.", by=reader, key="withdraw-1"
    )
    saved = SavedFilter(name="urgent films", wanted=CaseFilter(priority=Priority.URGENT))
    assistant.save_filter(saved, by=reader, key="save-filter-1")
    assistant.drop_filter(saved.name, by=reader, key="drop-filter-1")
    results = {
        "take_order": taken,
        "release": release,
        "admit": study,
        "open_case": case,
        "draft": draft,
        "prioritise": priority,
        "record_first_read": first,
        "drop_double_reading": dropped,
        "claim": claim,
        "decide": decided,
        "sign": report,
        "publish": paths,
        "amend": amended,
        "addendum": added,
        "withdraw": withdrawn,
    }
    return {verb: repr(result) for verb, result in results.items()}


if __name__ == "__main__":
    settings, film_path = Path(sys.argv[1]), Path(sys.argv[2])
    with quick(settings) as opened:
        whole_way(opened, film_path, settings.parent / "out")
