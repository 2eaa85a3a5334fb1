"""The reading model for frontal chest films: findings, regions, outlines, ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medmm.domain.calibration import below_alarm_point, unfamiliar_image
from medmm.domain.errors import needed
from medmm.domain.frame_reference import FrameReference, frame_of
from medmm.domain.reading import Finding, Mask, Measurement, ModelIdentity, Reading, Region
from medmm.domain.reading_model import Declaration, no_reading_model
from medmm.domain.study import NotEvaluable, Notice, Study, View
from medmm.domain.vocabulary import finding_term
from medmm.models.calibration import Alarm, calibrated_finding
from medmm.models.coverage import coverage_notice, lungs_coverage
from medmm.models.film.cardiothoracic_ratio import cardiothoracic_ratio, columns_of
from medmm.models.film.chest_anatomy import STRUCTURES, for_outlines, outlined
from medmm.models.film.compiled import run_by
from medmm.models.film.familiarity import Familiarity
from medmm.models.film.preprocessing import FilmToPrepare, prepare_film
from medmm.models.film.ratio_uncertainty import DoubtRule, Outlines
from medmm.models.film.regions import chest_cells, region_of
from medmm.models.film_backends import TORCH
from medmm.models.image_encoder import for_reading
from medmm.models.installed_models import Adopted, report_weights
from medmm.models.reading_models import of_films
from medmm.models.report_model.encoded_films import EncodedFilms
from medmm.models.report_model.finding_heads import ReportHeads
from medmm.models.weights.catalogue import (
    DEFAULT_REPORT,
    WeightsFolder,
    declared_by,
    open_weights,
    row_named,
)
from medmm.models.weights.loading import load_network, reading_device

Grey = NDArray[np.float32]
RATIO = "cardiothoracic ratio"
OF_THE_HEART = frozenset({"Cardiomegaly"})
HEART_SHARE = 0.25  # of a region's box: a box with less heart in it shows something else
NO_FINDINGS = Notice(code="no-reading-model", text="No reading model for findings is installed.")
REST_NOT_SEEN = "What lies outside was not looked at."
NO_ANATOMY = Notice(code="no-anatomy-model", text="No model for lungs and heart is installed.")
RATIO_NOT_PA = Notice(
    code="ratio-not-pa",
    text="The film is not known to be PA: an AP projection enlarges the heart and the "
    "cardiothoracic ratio.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chest:
    """What the outlines of a film say to the rest of the reading."""

    masks: tuple[Mask, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    warnings: tuple[Notice, ...] = ()
    midline: float = 0.5  # column between the lungs, as a fraction of the film's width
    # Lung or heart, on the film's grid; None if the outlines are not trusted
    cells: NDArray[np.bool_] | None = None
    heart: NDArray[np.bool_] | None = None  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the findings network gives for a film: means over the film and its mirror image.

    Attributes:
        logits: (findings,).
        maps: (findings, rows, columns).
        features: the trunk's, averaged over the film, (features,).
    """

    logits: Grey
    maps: Grey
    features: Grey


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsModel:
    """The findings network with its calibration."""

    weights: WeightsFolder
    network: Any
    device: torch.device
    names: tuple[str, ...]
    calibration: dict[str, dict[str, Any]]
    size_px: int
    alarm: Alarm | None = None
    familiarity: Familiarity | None = None

    @classmethod
    def open(
        cls, weights: WeightsFolder, device: torch.device, backend: str = TORCH
    ) -> FindingsModel:
        """Load a weights folder; `backend` is the setting `film_backend`.

        Raises: IntegrityError if one of its files was altered, ConfigError as `run_by`.
        """
        names = tuple(weights.json("config.json")["findings"])
        calibration = weights.json("calibration.json")
        return cls(
            weights=weights,
            network=run_by(backend, for_reading(load_network(weights, device)), "trunk", device),
            device=device,
            names=names,
            calibration=calibration,
            alarm=Alarm.of(weights.row.name, names, calibration),
            familiarity=Familiarity.of(weights, calibration),
            size_px=weights.json("preprocessing.json")["size_px"],
        )

    def look(self, grey: Grey) -> Look:
        """Look at a film and its mirror image; see `Look`."""
        return self._seen(prepare_film(grey, self.size_px))

    @torch.inference_mode()
    def _seen(self, prepared: Grey) -> Look:
        film = torch.from_numpy(prepared)[None]
        pair = (
            torch.cat([film, film.flip(3)])
            .to(self.device)
            .contiguous(memory_format=torch.channels_last)
        )
        encoded = self.network.encode(pair)
        maps = self.network.head(encoded)
        heat = (maps[0] + maps[1].flip(2)) / 2
        features = encoded.float().mean((0, 2, 3)).cpu().numpy()
        logits = maps.mean((2, 3)).float().mean(0).cpu().numpy()
        return Look(logits=logits, maps=heat.float().cpu().numpy(), features=features)

    def logits_and_maps(self, grey: Grey) -> tuple[Grey, Grey]:
        """Compute logits (findings,) and maps (findings, rows, columns) of a film."""
        look = self.look(grey)
        return look.logits, look.maps

    def read(
        self, film: FilmToPrepare, patient_left_on: str | None, chest: Chest
    ) -> tuple[Finding, ...]:
        """Read all findings of a film, each with the region that speaks for it.

        Nothing is said of any on a film unlike those that the network learned from.
        """
        look = self._seen(film.at(self.size_px))
        logits, maps = look.logits, look.maps
        cells = chest_cells(chest.cells, (maps.shape[1], maps.shape[2]))
        unfamiliar = self.familiarity is not None and self.familiarity.unfamiliar(look.features)
        found = tuple(
            calibrated_finding(
                name,
                self.calibration[name],
                float(logit),
                self.region(name, heat, patient_left_on, chest, cells),
            )
            for name, logit, heat in zip(self.names, logits, maps, strict=True)
        )
        return unfamiliar_image(found) if unfamiliar else found

    def region(
        self,
        name: str,
        heat: Grey,
        patient_left_on: str | None,
        chest: Chest,
        cells: NDArray[np.bool_] | None = None,
    ) -> Region | None:
        """Find where a map speaks for a finding.

        It has a side only if the finding's sides held on boxes of training films.
        """
        region = region_of(heat, patient_left_on, chest.midline, cells)
        if region is None or (name in OF_THE_HEART and not on_the_heart(region, chest.heart)):
            return None
        named = self.calibration[name]["side"] and finding_term(name).sided
        return region if named else replace(region, side=None)


def on_the_heart(region: Region, heart: NDArray[np.bool_] | None) -> bool:
    """Tell whether enough of a region's box is heart; False if no outline is trusted."""
    if heart is None:
        return False
    rows, columns = heart.shape
    x0, y0, x1, y1 = region.box_xyxy
    box = heart[
        int(y0 * rows) : int(np.ceil(y1 * rows)), int(x0 * columns) : int(np.ceil(x1 * columns))
    ]
    return bool(box.mean() >= HEART_SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyModel:
    """The lung and heart segmenter with the rule that says when its ratio is stated."""

    weights: WeightsFolder
    network: Any
    size_px: int
    rule: DoubtRule

    @classmethod
    def open(
        cls, weights: WeightsFolder, device: torch.device, backend: str = TORCH
    ) -> AnatomyModel:
        """Load a weights folder; `backend` is the setting `film_backend`.

        Raises: IntegrityError if one of its files was altered, ConfigError as `run_by`.
        """
        return cls(
            weights=weights,
            network=run_by(backend, for_outlines(load_network(weights, device)), "model", device),
            size_px=weights.json("preprocessing.json")["size_px"],
            rule=DoubtRule.of(weights.json("calibration.json")),
        )

    def read(self, film: FilmToPrepare) -> Chest:
        """Outline a film and measure its ratio.

        Outlines that do not look like a chest are kept, but nothing rests on them.
        """
        seen = outlined(self.network, film.at(self.size_px), film.shape)
        masks = tuple(
            Mask.from_array(n, m) for n, m in zip(STRUCTURES, (seen.lungs, seen.heart), strict=True)
        )
        ratio = self.ratio(seen)
        stated = () if isinstance(ratio, str) else (ratio,)
        text = f"The cardiothoracic ratio was not measured, because {ratio}."
        warnings = () if stated else (Notice(code="ratio-not-measured", text=text),)
        if self.rule.implausible(seen.shapes):
            return Chest(masks=masks, warnings=warnings)
        midline = (sum(columns_of(seen.lungs)) + 1) / 2 / seen.lungs.shape[1]
        return Chest(
            masks=masks,
            measurements=stated,
            warnings=warnings,
            midline=midline,
            cells=seen.lungs | seen.heart,
            heart=seen.heart,
        )

    def ratio(self, seen: Outlines) -> Measurement | str:
        """Compute the cardiothoracic ratio with this film's 95 % interval, or say why not."""
        if why := self.rule.objection(seen):
            return why
        value = round(cardiothoracic_ratio(seen.lungs, seen.heart), 2)
        spread = self.rule.half_width(needed(seen.looks, "what the further looks at the film gave"))
        interval = (round(value - spread, 3), round(value + spread, 3))
        return Measurement(
            name=RATIO, value=value, unit="1", interval=interval, model=self.weights.row.name
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestReader:
    """Reads a study with whatever networks are installed; thread-safe once opened."""

    findings: FindingsModel | None
    anatomy: AnatomyModel | None
    report_heads: ReportHeads | None = None

    @classmethod
    def open(
        cls,
        weights_dir: Path | None,
        *,
        device: str = "auto",
        threads: int | None = None,
        adopted: Adopted | None = None,
        report: str = DEFAULT_REPORT,
        films: EncodedFilms | None = None,
        backend: str = TORCH,
    ) -> ChestReader:
        """Load what is installed; `report`'s heads read what no other network does.

        `report` is the multimodal model.

        `films` is what the language model shares with these heads, `backend` the setting
        `film_backend`.

        Raises: IntegrityError if a file of the weights was altered, ConfigError as `run_by`.
        """
        where = reading_device(device, threads)
        findings = open_weights(row_named("chest-findings"), weights_dir)
        anatomy = open_weights(row_named("chest-anatomy"), weights_dir)
        heads = report_weights(report, weights_dir, adopted)
        return cls(
            findings=FindingsModel.open(findings, where, backend) if findings else None,
            anatomy=AnatomyModel.open(anatomy, where, backend) if anatomy else None,
            report_heads=ReportHeads.open(heads, where, films, backend) if heads else None,
        )

    @property
    def weights(self) -> tuple[WeightsFolder, ...]:
        """The folders of the networks that are installed."""
        there = (self.findings, self.anatomy, self.report_heads)
        return tuple(network.weights for network in there if network is not None)

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """The networks that it reads with."""
        return tuple(weights.identity for weights in self.weights)

    @property
    def declares(self) -> Declaration:
        """What these networks read and state together."""
        declared = (declared_by(weights.row, weights.folder) for weights in self.weights)
        return of_films(filter(None, declared))

    def read(self, study: Study) -> Reading | NotEvaluable:
        """Read the frontal film that the study names; see `ReadingModel.read`."""
        film = study.frontal
        if film is None or not self.weights:
            return no_reading_model(study)
        shown = FilmToPrepare(film.pixels()[0])
        chest = self.anatomy.read(shown) if self.anatomy else Chest(warnings=(NO_ANATOMY,))
        found = self.findings.read(shown, film.patient_left_on, chest) if self.findings else ()
        if self.report_heads:
            others = frozenset(f.name for f in found)
            found += tuple(self.report_heads.read(shown, chest.midline, chest.cells, others))
        alarm = self.findings.alarm.rule(found) if self.findings and self.findings.alarm else None
        if any(finding.withheld for finding in found):
            found = unfamiliar_image(found)
        elif alarm is not None and not alarm.reached:
            found = below_alarm_point(found)
        image = frame_of(film)
        not_pa = (RATIO_NOT_PA,) if chest.measurements and film.view is not View.PA else ()
        no_findings = () if self.findings else (NO_FINDINGS,)
        coverage = tuple(lungs_coverage(m.array(), film) for m in chest.masks if m.name == "lungs")
        cut = tuple(notice for one in coverage for notice in coverage_notice(one, REST_NOT_SEEN))
        return Reading(
            study_uid=study.uid,
            models=self.identities,
            findings=tuple(_seen_on(image, finding) for finding in found),
            measurements=chest.measurements,
            masks=tuple(replace(mask, image=image) for mask in chest.masks),
            warnings=chest.warnings + cut + not_pa + no_findings,
            volumes_read=(film.sha256,),
            coverage=coverage,
            alarm=alarm,
        )


def _seen_on(image: FrameReference, finding: Finding) -> Finding:
    if finding.region is None:
        return finding
    return replace(finding, region=replace(finding.region, image=image))
