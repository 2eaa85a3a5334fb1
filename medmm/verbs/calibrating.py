"""A reading model measured on a site's own labelled studies, before anyone accepts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medmm import imaging
from medmm.acceptance import (
    LabelledStudy,
    LabelTable,
    ReadStudy,
    SignedText,
    labels_of_reports,
    measured,
    read_labels,
)
from medmm.domain.acceptance import Acceptance
from medmm.domain.codec import to_json
from medmm.domain.draft import Section
from medmm.domain.errors import InputError, needed
from medmm.domain.input_figures import input_figures
from medmm.domain.reading import ModelIdentity, Reading
from medmm.domain.reading_model import Declaration, ReadingModel
from medmm.domain.report import SignedReport
from medmm.domain.study import NotEvaluable, Study
from medmm.files import sha256_of
from medmm.presentation.acceptance_html import acceptance_html
from medmm.store import digest
from medmm.verbs.accepting import MEASURED, reading_network
from medmm.verbs.calls import VerbCall
from medmm.verbs.house import House
from medmm.verbs.incoming import intakes
from medmm.verbs.reading_models import OnDuty, digests_of
from medmm.verbs.trial_folder import Remembered, TrialFolder, trial_folder
from medmm.verbs.verb import kept, verb

Progress = Callable[[int, int], None]
IN_TEXT = (Section.FINDINGS, Section.IMPRESSION)  # what of a report speaks of its images


def _calibrating(
    house: House,
    name: str,
    labels: Path | None,
    burden: float,
    to: Path,
    progress: Progress | None,
) -> dict[str, object]:
    return {"model": name, "labels": _digest_of(labels), "burden": burden, "to": str(to)}


def _digest_of(labels: Path | None) -> str:
    try:
        return "signed reports" if labels is None else sha256_of(labels)
    except OSError as error:
        raise InputError(
            f"the label table can't be read: {type(error).__name__}",
            remedy="name a CSV file",
            path=str(labels),
        ) from error


@verb("calibrate_model", kept(Acceptance), request=_calibrating, reads=True)
def calibrate_model(
    house: House,
    call: VerbCall,
    name: str,
    labels: Path | None,
    burden: float,
    to: Path,
    progress: Progress | None,
) -> Acceptance:
    """Measure a model on labelled studies; see `Assistant.calibrate_model`."""
    _refuse_burden(burden)
    trial = _Trial.of(house, name)
    if labels is None:
        table = labels_of_reports(_signed_texts(house))
    else:
        table = read_labels(labels, trial.declares)
    with trial_folder(to) as folder:
        studies = list(trial.read(table, folder, progress))
        _refuse_none(studies, trial.unread, name)
        found = measured(
            trial.identity,
            trial.declares,
            table,
            studies,
            unread=trial.unread,
            burden=burden,
            at=house.clock(),
        )
        folder.finish(found, acceptance_html(found))
        with house.store.step() as step:
            said = {MEASURED: digest(to_json(found)), "table": table.sha256}
            said |= {"manifest": trial.identity.manifest_sha256}
            call.done(step, found, name, studies=found.measured.studies, **said)
    return found


def _refuse_none(studies: Sequence[ReadStudy], unread: Mapping[str, int], name: str) -> None:
    if not studies:
        reasons = "; ".join(f"{count}: {why}" for why, count in sorted(unread.items()))
        raise InputError(
            f"none of the labelled studies was read ({reasons or 'there is none'})",
            remedy="`medmm inspect` says of each what the gate has against it",
            model=name,
        )


def _refuse_burden(burden: float) -> None:
    if not 0 < burden < 1:
        raise InputError(
            f"an alarm burden of {burden:g}",
            remedy="choose the share of studies without any finding that may carry a claim, above "
            "0 and below 1",
        )


@dataclass(slots=True, kw_only=True)
class _Trial:
    """One model on trial: what it says of each labelled study, beside those in use.

    Attributes:
        declares: what the network itself states, of what its reading model states.
        duty: the models that speak in drafts now.
        unread: how many labelled studies were not read, by the reason.
    """

    house: House
    model: ReadingModel
    identity: ModelIdentity
    declares: Declaration
    duty: OnDuty
    unread: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, house: House, name: str) -> _Trial:
        """Find the model of this name. Raises: InputError if there is none."""
        identity, models = reading_network(house, name), house.networks.reading_models
        duty = house.on_duty()
        others = tuple(s for s in duty.speakers if identity not in s.model.identities)
        rows = house.networks.model_rows()
        declares = next((row.declares for row in rows if row.name == name), None)
        return cls(
            house=house,
            model=next(model for model in models if identity in model.identities),
            identity=identity,
            declares=needed(declares, "the declaration of the model", model=name),
            duty=replace(duty, speakers=others),
        )

    def read(
        self, table: LabelTable, folder: TrialFolder, progress: Progress | None
    ) -> Iterator[ReadStudy]:
        """Read every labelled study that the gate lets pass; count the others."""
        for number, labelled in enumerate(table.studies, start=1):
            study, sex = self._study(labelled)
            if study is not None:
                read = self._remembered(study, sex, folder)
                if read.reading is None or read.input_figures is None:
                    self.unread[read.why] += 1
                else:
                    yield ReadStudy(
                        labels=labelled,
                        reading=read.reading,
                        sha256s=study.image_sha256s,
                        inputs=read.input_figures,
                        in_use=read.in_use,
                    )
            if progress is not None:
                progress(number, len(table.studies))

    def _study(self, labelled: LabelledStudy) -> tuple[Study | None, str | None]:
        """Find the images of a line through the gate, and the sex that they state."""
        house = self.house
        if labelled.study_uid is not None:
            study = house.store.study(labelled.study_uid)
            sex = house.store.identity(study.patient_key).sex
            return imaging.attach_pixels(study, house.store.object_path), sex
        path = needed(labelled.path, "the path of a labelled study", line=str(labelled.line))
        try:
            intake = imaging.one_study(intakes(house, [path]), path)
        except InputError:
            self.unread["can't be read, or not one study"] += 1
            return None, None
        if isinstance(intake.outcome, Study):
            return intake.outcome, intake.identity.sex if intake.identity else None
        why = intake.outcome.reason_code if isinstance(intake.outcome, NotEvaluable) else "unread"
        self.unread[f"refused by the gate: {why}"] += 1
        return None, None

    def _remembered(self, study: Study, sex: str | None, folder: TrialFolder) -> Remembered:
        speakers = [digests_of(one.model) for one in self.duty.speakers]
        accepted = [digest(to_json(one)) for one in self.duty.accepted()]
        said = [study.image_sha256s, self.identity.manifest_sha256, speakers, accepted]
        key = digest(to_json(said))
        known = folder.recall(key)
        if known is None:
            known = self._read(study, sex)
            folder.remember(key, known)
        return known

    def _read(self, study: Study, sex: str | None) -> Remembered:
        if not self.model.declares.covers(study):
            return Remembered(why="of a kind that the model does not read")
        try:
            outcome, figures = self.model.read(study), input_figures(study, sex)
        except InputError:
            return Remembered(why="its pixels can't be read")
        if isinstance(outcome, NotEvaluable):
            return Remembered(why=f"not read by the model: {outcome.reason_code}")
        others = any(one.model.declares.covers(study) for one in self.duty.speakers)
        in_use = self.duty.read(study) if others else None
        own = _only_of(outcome, self.identity)
        return Remembered(reading=own, input_figures=figures, in_use=_slim(in_use))


def _only_of(reading: Reading, identity: ModelIdentity) -> Reading:
    """Keep of a reading what one of its networks says."""
    own = tuple(f for f in reading.findings if reading.model_of(f) == identity.name)
    measured = tuple(m for m in reading.measurements if m.model in (None, identity.name))
    return needed(_slim(replace(reading, findings=own, measurements=measured)), "a reading")


def _slim(reading: Reading | None) -> Reading | None:
    """Leave out masks and places, which nothing is measured on here."""
    if reading is None:
        return None
    findings, others = (
        tuple(replace(finding, region=None, extent=None) for finding in some)
        for some in (reading.findings, reading.other_findings)
    )
    return replace(reading, findings=findings, other_findings=others, masks=(), label_maps=())


def _signed_texts(house: House) -> Iterator[SignedText]:
    """Give the words that signed reports say of images, of each study the newest report's."""
    newest: dict[str, SignedReport] = {}
    for summary in house.store.cases():
        file = house.store.case_file(summary.case_id)
        if file.report is not None and not file.report.withdrawn:
            before = newest.get(file.case.study.uid)
            if before is None or before.signed_at < file.report.signed_at:
                newest[file.case.study.uid] = file.report
    for uid, report in sorted(newest.items()):
        words = " ".join(s.text for s in report.statements if s.section in IN_TEXT)
        yield SignedText(study_uid=uid, patient=report.patient_key, text=words)
