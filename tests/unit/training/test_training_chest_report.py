"""The recipe of chest-report from a folder of reports to an opinion: what it writes, goes on from and learns of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from medmm.domain.draft import Assertion
from medmm.domain.errors import ConfigError, InputError
from medmm.domain.record import ClinicalContext
from medmm.models.report_model.chest_report import ChestReportModel, Job
from medmm.models.report_model.finding_heads import ReportHeads
from medmm.models.report_model.multimodal import MedMMImageProcessor
from medmm.models.report_model.record_tokens import record_tokens
from medmm.models.weights.catalogue import WeightsFolder, open_weights, row_named
from medmm.training.loop.fitting import FitResult
from medmm.training.recipes import LayoutFolder
from medmm.training.reports import chest_report
from medmm.training.reports.chest_report import (
    UNITS,
    Corpus,
    Maps,
    School,
    save,
    sequences,
)
from medmm.training.reports.examples import record_codes, spoken
from medmm.training.reports.sources import ReportSource, report_source
from medmm.training.reports.statements import phrase_book
from medmm.training.reports.warm_start import Start
from tests.layout_folders import open_i_reports
from tests.model_folders import decoder_folder
from tests.report_recipe import FINDINGS, LANGUAGE, begun, recipe, stage

CPU = torch.device("cpu")
NOBODY = ClinicalContext(patient_key="", as_of=None, facts=())
SMALL_PX = 96  # whole films are trained on in test_training_film_encoder.py
ALL = frozenset({Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT})


@pytest.fixture(scope="module", autouse=True)
def small_films() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chest_report, "SIZE_PX", SMALL_PX)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_i_reports(tmp_path_factory.mktemp("open-i"))


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights folder after all stages; the data folder holds nothing."""
    out = tmp_path_factory.mktemp("runs") / "chest-report"
    return chest_report.train(recipe(folder), out.parent / "no-shared-data", out, quiet=True)


@pytest.fixture
def source(folder: Path, tmp_path: Path) -> ReportSource:
    return report_source([LayoutFolder(layout="open-i", folder=folder)], tmp_path)


def opened(weights: Path) -> WeightsFolder:
    return WeightsFolder(row=row_named("chest-report"), folder=weights)


def weights_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    a, b = weights_of(one), weights_of(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def school_of(source: ReportSource, config: dict[str, Any], **more: Any) -> School:
    corpus = Corpus.read(source, "train", quiet=True)
    book = spoken(phrase_book(r.findings for r in source.reports("train")))
    return School(config=config, corpus=corpus, book=book, **more)


def started(weights: Path) -> Start:
    return Start.of(weights, FINDINGS, SMALL_PX, UNITS)


def test_the_recipe_runs_from_reports_to_an_opinion(trained: Path, source: ReportSource) -> None:
    for name in ("language", "alignment", "end_to_end"):
        rows = (trained.with_name("chest-report-run") / name / "log.jsonl").read_text().splitlines()
        assert [json.loads(row)["kind"] for row in rows] == ["epoch"]
        assert (trained.with_name("chest-report-run") / name / "curves.html").is_file()
    assert json.loads((trained / "training.json").read_text())["reports"] == 8

    model = ChestReportModel.open(opened(trained), CPU)
    assert model.rule != chest_report.claim_calibration.NEUTRAL
    grey = next(iter(source.greys(source.reports("test"))))
    permitted = dict.fromkeys(FINDINGS, ALL)
    (opinion,) = model.opinions_on([Job(grey=grey, context=NOBODY, permitted=permitted)])
    assert set(opinion.probability) == set(FINDINGS)
    assert all(0 < p < 1 for p in opinion.probability.values())
    assert {w.finding for w in opinion.proposals} <= set(FINDINGS)


def test_what_was_learned_is_the_end_of_every_stage(trained: Path) -> None:
    """The last stage taught the encoder's third stage and no other; batch norms keep their statistics."""
    findings = open_weights(row_named("chest-findings"))
    assert findings is not None
    shipped = weights_of(findings.folder).items()
    before = {f"encoders.film.{k}": v for k, v in shipped if k.startswith("trunk")}
    after = weights_of(trained)
    moved = {
        name for name, value in before.items() if not torch.equal(value.half(), after[name].half())
    }
    assert moved
    assert {name.split(".")[3] for name in moved} == {"layer3"}


def test_a_run_that_stopped_between_stages_goes_on_to_the_same_weights(
    folder: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = chest_report.fit
    out = tmp_path / "chest-report"
    first = recipe(folder)
    monkeypatch.setattr(chest_report, "fit", lambda *a, **k: _stopped(fit, *a, **k))
    with pytest.raises(InputError, match="stopped") as stop:
        chest_report.train(first, tmp_path, out, quiet=True)
    assert stop.value.where == {"stage": "alignment"}
    assert not out.exists()

    monkeypatch.setattr(chest_report, "fit", fit)
    chest_report.train(first, tmp_path, out, quiet=True)
    assert same(out, trained)
    assert (out / "calibration.json").read_bytes() == (trained / "calibration.json").read_bytes()


def _stopped(fit: Any, *arguments: Any, **named: Any) -> FitResult:
    """The first stage as it is; a signal at the beginning of the second."""
    return (
        FitResult(steps=0, stopped=True, log=[])
        if named["name"] == "alignment"
        else fit(*arguments, **named)
    )


def test_a_model_saved_and_loaded_again_gives_identical_logits(
    trained: Path, source: ReportSource, tmp_path: Path
) -> None:
    start = started(trained)
    model = start.model()
    torch.manual_seed(3)
    batch = school_of(source, begun(trained), start=start).collate(None)([0, 3, 5])
    save(model, start.processor, tmp_path / "again")
    with torch.inference_mode():
        first, again = model(**batch), started(tmp_path / "again").model()(**batch)
    assert torch.equal(first.logits, again.logits)
    assert torch.equal(first.finding_logits, again.finding_logits)
    assert same(trained, tmp_path / "again")


def test_calibrating_anew_gives_the_same(trained: Path, tmp_path: Path) -> None:
    before = (trained / "calibration.json").read_bytes()
    (trained / "calibration.json").write_text("{}")
    chest_report.calibrate(trained, tmp_path, quiet=True)
    assert (trained / "calibration.json").read_bytes() == before


def test_a_film_is_the_same_to_training_processor_and_heads_bit_for_bit(
    trained: Path, source: ReportSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = started(trained)
    school = school_of(source, begun(trained), start=start)
    monkeypatch.setattr(
        "medmm.training.reports.chest_report.random.Random.random", lambda self: 0.9
    )  # no mirror image
    learned = school.collate(None)(list(range(8)))["pixel_values"]
    greys = list(source.greys([e.report for e in school.corpus.examples]))
    live = MedMMImageProcessor(size_px=SMALL_PX)(greys)["pixel_values"]
    assert learned.dtype == live.dtype == torch.float32
    assert torch.equal(learned, live)

    seen: list[Tensor] = []
    heads, model = (
        ReportHeads.open(opened(trained), CPU),
        ChestReportModel.open(opened(trained), CPU),
    )
    for encoder in (heads.encoder, model.network.encoder(2)):
        encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    heads.logits_and_maps(greys[2])
    model.opinion(Job(grey=greys[2], context=NOBODY))
    assert len(seen) == 2
    assert all(torch.equal(film, learned[2:3]) for film in seen)


def test_kept_maps_are_the_live_maps_to_half_precision(
    trained: Path, source: ReportSource, tmp_path: Path
) -> None:
    model, corpus = started(trained).model(), Corpus.read(source, "train", quiet=True)
    maps = Maps.kept(model, corpus.films, quiet=True)
    on_disk = Maps.kept(model, corpus.films, quiet=True, folder=tmp_path)
    films = torch.from_numpy(corpus.films)[:, None]
    with torch.inference_mode():
        live = [model.encoder(2)(view) for view in (films, films.flip(3))]
    for kept, disk, exact in zip(maps.both, on_disk.both, live, strict=True):
        np.testing.assert_array_equal(kept, disk)
        assert isinstance(disk, np.memmap)
        assert (torch.from_numpy(kept).float() - exact).abs().max() <= exact.abs().max() * 2**-10
        with torch.inference_mode():
            heads = [
                model.encoder(2).finding_logits(m) for m in (torch.from_numpy(kept).float(), exact)
            ]
        torch.testing.assert_close(*heads, atol=5e-3, rtol=0)


def test_films_on_disk_are_those_in_memory(source: ReportSource, tmp_path: Path) -> None:
    memory = Corpus.read(source, "train", quiet=True).films
    disk = Corpus.read(source, "train", quiet=True, file=tmp_path / "films.npy").films
    np.testing.assert_array_equal(memory, disk)


def test_a_prompt_is_the_same_to_training_and_live_use(trained: Path, source: ReportSource) -> None:
    start = started(trained)
    school = school_of(source, begun(trained, facts={"drop": 0.0, "most_random": 0}), start=start)
    batch = school.collate(None)([0])
    example = school.corpus.examples[0]
    assert example.facts  # the cough of the indication
    context = ClinicalContext(patient_key="", as_of=None, facts=example.facts)
    (grey,) = source.greys([example.report])
    live = start.processor([""], images=[grey], records=[context])
    prompt = live["input_ids"].shape[1]
    assert torch.equal(batch["input_ids"][:, :prompt], live["input_ids"])
    assert torch.equal(batch["record_ids"], live["record_ids"])
    assert torch.equal(batch["record_values"], live["record_values"])
    assert len(record_tokens(context, record_codes(), UNITS).ids) == 1


def test_the_prompt_and_the_section_are_given_and_the_rest_is_learned() -> None:
    batch = sequences([[1, 3, 3], [1]], [[5, 11, 7], [5, 11, 8, 12, 6]], end=2, padding=0)
    assert batch["input_ids"].tolist() == [[1, 3, 3, 5, 11, 7, 2], [1, 5, 11, 8, 12, 6, 2]]
    assert batch["labels"].tolist() == [[-100] * 4 + [11, 7, 2], [-100] * 2 + [11, 8, 12, 6, 2]]
    assert batch["attention_mask"].tolist() == [[1] * 7] * 2
    short = sequences([[1], [1]], [[5, 11], [5, 11, 8]], end=9, padding=4)
    assert short["input_ids"].tolist() == [[4, 1, 5, 11, 9], [1, 5, 11, 8, 9]]
    assert short["labels"].tolist() == [[-100, -100, -100, 11, 9], [-100, -100, 11, 8, 9]]
    assert short["attention_mask"].tolist() == [[0, 1, 1, 1, 1], [1] * 5]


@pytest.mark.slow
def test_adapters_on_a_model_trained_before_are_saved_in_its_weights(
    folder: Path, trained: Path, tmp_path: Path
) -> None:
    lora = {"r": 2, "target_modules": ["q_proj", "v_proj"]}
    stages = {
        "language": stage(True, LANGUAGE),
        "alignment": stage(True, ["connectors", *LANGUAGE]),
    }
    config = begun(folder, start=str(trained), lora=lora, stages=stages)
    out = chest_report.train(config, tmp_path, tmp_path / "more", quiet=True)
    before, after = weights_of(trained), weights_of(out)
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {n for n in moved if n.startswith("language_model")} == {
        f"language_model.model.layers.0.self_attn.{kind}.weight" for kind in ("q_proj", "v_proj")
    }
    assert not any(name.startswith("encoders") for name in moved)
    assert (out / "tokenizer.json").read_bytes() == (trained / "tokenizer.json").read_bytes()
    ChestReportModel.open(opened(out), CPU)


@pytest.mark.slow
def test_a_decoder_of_a_folder_becomes_the_language_model(
    folder: Path, source: ReportSource, tmp_path: Path
) -> None:
    foreign = decoder_folder(tmp_path / "decoder")
    parts = {"penalty": 0.003, "connector": "pooled", "connector_size": 2}
    config = begun(
        folder, **parts, decoder=str(foreign), lora={"r": 2, "target_modules": ["q_proj"]}
    )
    out = chest_report.train(config, tmp_path, tmp_path / "out", quiet=True)
    before, after = weights_of(foreign), weights_of(out)
    name = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(before[name].half(), after[f"language_model.{name}"])
    model = ChestReportModel.open(opened(out), CPU)
    grey = next(iter(source.greys(source.reports("test"))))
    (opinion,) = model.opinions_on(
        [Job(grey=grey, context=NOBODY, permitted=dict.fromkeys(FINDINGS, ALL))]
    )
    assert set(opinion.probability) == set(FINDINGS)


def test_a_start_with_other_findings_is_refused(
    folder: Path, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="other findings"):
        chest_report.train(
            begun(folder, start=str(trained), findings=["Effusion"]),
            tmp_path,
            tmp_path / "o",
            quiet=True,
        )
    with pytest.raises(ConfigError, match="the start lacks"):
        chest_report.train(begun(folder, start=str(tmp_path)), tmp_path, tmp_path / "o", quiet=True)


def test_a_finding_that_no_report_has_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Hernia \\(0 present"):
        chest_report.train(
            recipe(folder, findings=[*FINDINGS, "Hernia"]), tmp_path, tmp_path / "o", quiet=True
        )
