"""A declared model of somebody else as a `ReadingModel`: prepared, run apart, mapped back.

Whatever fails in it costs its own part of the reading alone, and the reading says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from medmm.domain.errors import InputError
from medmm.domain.reading import Finding, ModelIdentity, Reading
from medmm.domain.reading_model import Declaration, not_read
from medmm.domain.study import NotEvaluable, Notice, Study
from medmm.models.calibration import calibrated_finding
from medmm.models.outside.declaration import OutsideDeclaration, read_declaration
from medmm.models.outside.masks import Marked, masks_of
from medmm.models.outside.preparation import NotPrepared, Prepared, prepared
from medmm.models.outside.worker import logit
from medmm.models.outside.worker_process import Answer, WorkerFailed, worker
from medmm.models.weights.catalogue import WeightsFolder

CONFIG = "config.json"
FILES = ("model", "weights")  # keys of a recipe that name files of the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideModel:
    """A model of others in its adopted folder; thread-safe, since each reading has its worker."""

    weights: WeightsFolder
    declared: OutsideDeclaration
    recipe: Mapping[str, Any]
    threads: int | None = None

    @classmethod
    def open(cls, weights: WeightsFolder, threads: int | None = None) -> OutsideModel:
        """Read a checked folder; its network is opened by the worker of each reading."""
        config = weights.json(CONFIG)
        return cls(
            weights=weights,
            declared=read_declaration(weights.folder),
            recipe=config["recipe"],
            threads=threads,
        )

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """The network that it reads with."""
        return (self.weights.identity,)

    @property
    def declares(self) -> Declaration:
        """What its `reading-model.yaml` says."""
        return self.declared.declares

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Read a study in a process of its own; see `ReadingModel.read`."""
        try:
            warnings = tuple(self._doubts(study))
            given = prepared(self.declared, study, self.recipe["input"])
            answer = self.run(given)
            return self.reading(study, given, answer, warnings)
        except NotPrepared as error:
            return not_read(study, self._notice(error.code, error.text))
        except InputError as error:
            return not_read(study, self._notice("outside-input", error.problem))
        except WorkerFailed as error:
            return not_read(study, self._notice("outside-failed", error.why))

    def run(self, given: Prepared) -> Answer:
        """Run the network on a prepared study. Raises: WorkerFailed."""
        limits = self.declared.limits
        with worker(
            seconds=limits.seconds, memory_gb=limits.memory_gb, threads=self.threads
        ) as running:
            paths = {
                key: str(self.weights.folder / self.recipe[key])
                for key in FILES
                if key in self.recipe
            }
            running.ask({**self.recipe, **paths})
            return running.ask({"batch": 1, "reduce": wish_of(self.declared)}, given.arrays)

    def reading(
        self, study: Study, given: Prepared, answer: Answer, warnings: tuple[Notice, ...] = ()
    ) -> Reading:
        """Build the reading of what the worker answered."""
        read = tuple(dict.fromkeys(volume.sha256 for volume in given.volumes))
        if given.cropped:
            text = "a part of the images lies beyond what it looks at, and was not read"
            warnings = (*warnings, self._notice("outside-cropped", text, says="read a part"))
        if self.declared.task == "classification":
            values = answer.arrays["out"].reshape(-1)
            found = dict(enumerate(values.tolist()))
            findings, marked = self._findings(found, None), Marked()
        else:
            marked = masks_of(self.declared, given, answer.arrays["out"], self.weights.row.name)
            if marked.contradiction:
                return Reading(
                    study_uid=study.uid,
                    warnings=(self._notice("outside-side", marked.contradiction),),
                )
            peaks = dict(zip(finding_channels(self.declared), answer.line["peaks"], strict=True))
            findings = self._findings(peaks, marked)
        unmeasured = tuple(
            self._notice("outside-not-measured", text, says="did not measure")
            for text in marked.unmeasured
        )
        return Reading(
            study_uid=study.uid,
            models=self.identities,
            findings=findings,
            measurements=marked.measurements,
            label_maps=marked.label_maps,
            warnings=(*warnings, *unmeasured),
            volumes_read=read,
        )

    def _findings(self, values: Mapping[int, float], marked: Marked | None) -> tuple[Finding, ...]:
        return tuple(self._each_finding(values, marked))

    def _each_finding(
        self, values: Mapping[int, float], marked: Marked | None
    ) -> Iterator[Finding]:
        for number, value in values.items():
            channel = self.declared.output.channels[number]
            if not channel.is_finding:
                continue
            activated = self.declared.output.activated and marked is None
            row = {
                "slope": channel.slope,
                "intercept": channel.intercept,
                "threshold": channel.threshold,
                "rule_out": channel.rule_out,
            }
            finding = calibrated_finding(
                channel.name,
                row,
                logit(value) if activated else value,
                None,
                model=self.weights.row.name,
            )
            yield finding if marked is None else replace(finding, extent=marked.extents.get(number))

    def _doubts(self, study: Study) -> Iterator[Notice]:
        """Yield what a reader must know of the patient beside the model's declaration.

        Raises: NotPrepared if every age that is stated lies outside the model's range.
        """
        youngest, oldest = self.declared.age_years
        outside = [
            age.least_years > oldest or (age.most_years is not None and age.most_years < youngest)
            for age in study.ages
        ]
        range_words = f"{youngest:g} to {oldest:g} years"
        if outside and all(outside):
            raise NotPrepared("outside-age", f"it was made for patients of {range_words}")
        if not outside or any(outside):
            yield self._notice(
                "outside-age", f"it was made for {range_words}, and the age is not sure",
                says="may not fit",
            )  # fmt: skip
        if self.declared.sex != "any":
            yield self._notice(
                "outside-sex", f"it was made for {self.declared.sex} patients alone",
                says="may not fit",
            )  # fmt: skip

    def _notice(self, code: str, text: str, *, says: str = "read nothing of this study") -> Notice:
        return Notice(code=code, text=f"The model {self.weights.row.name} {says}: {text}.")


def finding_channels(declared: OutsideDeclaration) -> tuple[int, ...]:
    """List the channels that are findings of the vocabulary."""
    return tuple(number for number, one in declared.output.channels.items() if one.is_finding)


def wish_of(declared: OutsideDeclaration) -> dict[str, Any]:
    """Say what the worker makes of the output; see `worker.reduced`."""
    output, masks = declared.output, declared.task == "segmentation"
    forms = {"exclusive": "labels", "overlapping": "masks"}
    last = masks and declared.input.layout == "channels-last"
    return {
        "form": forms[output.classes] if masks else "values",
        "axis": -1 if last else 1,
        "rank": len(declared.grid.size) + 2 if masks else 2,
        "channels": len(output.channels),
        "activated": output.activated,
        "threshold": output.mask_threshold,
        "peaks": list(finding_channels(declared)) if masks else [],
    }
