"""Many drafts by the language model, eight at a time: what live use writes one by one."""

from __future__ import annotations

from collections.abc import Sequence

from medmm.domain.draft import Case, Draft, Opinion
from medmm.domain.reading import Reading
from medmm.drafting.language_writer import LanguageWriter, Permitted, permitted
from medmm.models.chest_report import ChestReportModel, Job

AT_ONCE = 8


class Remembered:
    """A language model that has already said what it says of one case."""

    def __init__(self, name: str, opinion: Opinion) -> None:
        self.name, self.opinion = name, opinion

    def opinions(self, cases: Sequence[Case], permitted: Permitted) -> list[Opinion]:
        """What was said, of one case."""
        assert len(cases) == 1
        return [self.opinion]

    def facts_read(self, case: Case) -> frozenset[str]:
        """No fact is read again."""
        return frozenset()


def drafts(model: ChestReportModel, cases: Sequence[tuple[Case, Reading]]) -> list[Draft]:
    """The drafts of cases that each have a frontal film, in their order."""
    jobs = []
    for case, reading in cases:
        film = case.study.frontal
        assert film is not None
        jobs.append(Job(grey=film.pixels()[0], context=case.context, permitted=permitted(reading)))
    said: list[Opinion] = []
    for start in range(0, len(jobs), AT_ONCE):
        said += model.opinions_on(jobs[start : start + AT_ONCE])
    return [
        LanguageWriter(Remembered(model.name, opinion)).write(case, reading)
        for (case, reading), opinion in zip(cases, said, strict=True)
    ]
