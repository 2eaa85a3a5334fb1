"""An assistant whose networks are the tests' own: it loads no torch, and what it reads is the same in every film."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from medmm.assistant import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.reading_model import Declaration
from medmm.domain.report import Accept, Edit, SignedReport
from medmm.domain.report import Reader as Person
from medmm.domain.study import Modality, NotEvaluable, Study
from medmm.models import Adopted, Networks
from tests.dicom_files import SAYS_FRONTAL
from tests.factories import make_reading_of

READERS = (ReaderEntry(id="reader-1", name="ZZREADER One", role="attending"),)


class Reads:
    """Sees the same in every study."""

    def read(self, study: Study) -> Reading:
        return make_reading_of(study)


READS = Reads()


class Reader(Protocol):
    """Reads a study, whatever it is of."""

    def read(self, study: Study) -> Reading | NotEvaluable: ...


class OfEveryStudy(Declaration):
    """What a model of the tests declares: it reads whatever comes."""

    def covers(self, study: Study) -> bool:
        return True


class ModelOf:
    """The reading model that a reader of the tests makes."""

    identities: tuple[ModelIdentity, ...] = ()
    declares: Declaration = OfEveryStudy(modality=Modality.RADIOGRAPH, body_parts=())

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def read(self, study: Study) -> Reading | NotEvaluable:
        return self.reader.read(study)


class GivenNetworks(Networks):
    """The networks that settings name, but for those that are given: `reader`, `picture_kinds`, `language_model`."""

    def __init__(self, settings: Settings, **given: Any) -> None:
        added = Adopted(settings.data_dir / "models")
        super().__init__(
            settings.weights_dir, device=settings.device, threads=settings.threads, adopted=added
        )
        self._given = given

    @property
    def reading_models(self) -> Any:
        given = self._given.get("reader")
        if given is None:
            return super().reading_models
        return (ModelOf(given), *self.outside_models)

    @property
    def picture_kinds(self) -> Any:
        return (
            self._given["picture_kinds"]
            if "picture_kinds" in self._given
            else super().picture_kinds
        )

    @property
    def language_model(self) -> Any:
        return (
            self._given["language_model"]
            if "language_model" in self._given
            else super().language_model
        )


class QuickNetworks(Networks):
    """In the place of `medmm.models.Networks`: whatever settings name, it loads no torch."""

    reading_models, picture_kinds, language_model = (ModelOf(READS),), SAYS_FRONTAL, None  # type: ignore[assignment]


def quick_assistant(
    data: Path, *, reader: Any = READS, picture_kinds: Any = SAYS_FRONTAL, **settings: Any
) -> Assistant:
    """An assistant of a data folder of its own."""
    made = Settings(data_dir=data, **{"threads": 1, "readers": READERS, **settings})
    given = {"reader": reader, "picture_kinds": picture_kinds, "language_model": None}
    return Assistant(made, networks=GivenNetworks(made, **given))


def opened(assistant: Assistant, path: Any, **how: Any) -> str:
    """The case of what is admitted."""
    study = assistant.admit(path, **how)
    assert isinstance(study, Study), study
    return assistant.open_case(study.uid).id


def signed(assistant: Assistant, case_id: str, by: Person) -> SignedReport:
    """The report of a case that was drafted, decided on and signed."""
    draft = assistant.draft(case_id)
    asked = [s for s in draft.statements if s.summarises is None]
    words = "The reader's own words."
    assistant.decide(
        case_id, [Edit(s.id, words) if draft.failed(s.id) else Accept(s.id) for s in asked], by=by
    )
    return assistant.sign(case_id, by=by)
