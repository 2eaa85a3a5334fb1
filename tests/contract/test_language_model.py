"""The shipped language model on real films: does it look at the picture, and does it stay within what it may say?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medmm.domain.draft import Assertion, Case
from medmm.domain.errors import InputError
from medmm.domain.record import ClinicalContext, Fact, FactKind
from medmm.domain.vocabulary import finding_terms
from medmm.drafting import LanguageWriter, influence
from medmm.drafting.record_influence import said_of_image
from medmm.drafting.writers.language_model import permitted
from medmm.drafting.writers.proposals import objection
from medmm.evaluation.reports.drafters import case_of
from medmm.grounding import check
from medmm.models import language_model
from medmm.models.film.film_kind import FilmKindModel
from medmm.models.film.reading_model import ChestReader
from medmm.models.report_model.chest_report import ChestReportModel, Job
from medmm.models.report_model.multimodal import MedMMForConditionalGeneration
from medmm.models.weights.catalogue import open_weights, row_named
from medmm.training.data.films import NIH_TABLE, chosen, greys, read_table
from medmm.training.reports.corpus import FilmReport

ANYTHING = dict.fromkeys(finding_terms(), frozenset(Assertion))


def case(grey: np.ndarray, name: str) -> Case:
    return case_of(
        FilmReport(
            uid=name, split="", split_source="", findings="", impression="", exam="", film=("", "")
        ),
        grey,
    )


@pytest.fixture(scope="module")
def model() -> ChestReportModel:
    found = language_model(None, device="cpu")
    if found is None:
        pytest.skip("chest-report is not installed")
    assert isinstance(found, ChestReportModel)
    return found


@pytest.fixture(scope="module")
def reader() -> ChestReader:
    return ChestReader.open(None, device="cpu")


@pytest.fixture(scope="module")
def films(shared_data: Path) -> list[np.ndarray]:
    """Six train films of six labels: nothing is measured here."""
    table = chosen(read_table(shared_data, NIH_TABLE), lambda f: f.split == "train")
    wanted = ("Effusion", "Cardiomegaly", "Edema", "Pneumothorax", "Atelectasis")
    some = [next(f for f in table if name in f.findings) for name in wanted]
    return list(greys(shared_data, [*some, next(f for f in table if not f.findings)]))


def test_drafts_pass_every_check_and_carry_their_tokens(
    model: ChestReportModel, reader: ChestReader, films: list[np.ndarray]
) -> None:
    worded = 0
    for place, grey in enumerate(films):
        one = case(grey, str(place))
        reading = reader.read(one.study)
        draft = LanguageWriter(model).write(one, reading)
        checked = check(draft, one, reading)
        assert not [v for s in checked.statements for v in checked.failed(s.id)]
        assert LanguageWriter(model).write(one, reading) == draft
        for statement in draft.statements:
            if statement.generation is not None:
                worded += 1
                assert (
                    len(statement.generation.tokens)
                    == len(statement.generation.log_probabilities)
                    > 0
                )
                assert max(statement.generation.log_probabilities) <= 0
                assert statement.finding in permitted(reading)
    assert worded >= len(films) / 2


def test_different_films_are_told_apart(model: ChestReportModel, films: list[np.ndarray]) -> None:
    opinions = model.opinions_on(
        [Job(grey=grey, context=None, permitted=ANYTHING) for grey in films]
    )
    texts = {tuple(w.text for w in o.proposals) for o in opinions}
    assert len(texts) > len(films) / 2


def test_a_batch_says_what_one_by_one_says(
    model: ChestReportModel, films: list[np.ndarray]
) -> None:
    jobs = [Job(grey=grey, context=None, permitted=ANYTHING) for grey in films[:3]]
    together = model.opinions_on(jobs)
    for job, opinion in zip(jobs, together, strict=True):
        (alone,) = model.opinions_on([job])
        assert [(w.finding, w.assertion, w.text) for w in alone.proposals] == [
            (w.finding, w.assertion, w.text) for w in opinion.proposals
        ]
    (uncached,) = model.opinions_on(jobs[:1], use_cache=False)
    assert [w.text for w in uncached.proposals] == [w.text for w in together[0].proposals]


def test_sentences_are_handed_on_as_they_are_written(
    model: ChestReportModel, films: list[np.ndarray]
) -> None:
    heard = []
    (opinion,) = model.opinions_on(
        [Job(grey=films[0], context=None, permitted=ANYTHING)],
        on_sentence=lambda row, one: heard.append(one),
    )
    assert tuple(heard) == opinion.proposals
    assert sum(objection(one, None, ()) is None for one in heard) >= len(heard) / 2


def test_a_record_that_names_a_disease_makes_nothing_seen(
    model: ChestReportModel, reader: ChestReader, films: list[np.ndarray]
) -> None:
    """Each film with records that name each disease: claims of the image stay within what the reading bears out."""
    one = case(films[-1], "no finding")
    reading = reader.read(one.study)
    for term in finding_terms().values():
        if term.codings:
            fact = Fact(
                id="f", kind=FactKind.CONDITION, label=term.words, codings=term.codings, source="s"
            )
            swapped = replace(
                one, context=ClinicalContext(patient_key="", as_of=None, facts=(fact,))
            )
            for name, assertion in said_of_image(
                LanguageWriter(model).write(swapped, reading)
            ).items():
                assert assertion in permitted(reading)[name]


def test_influence_names_each_fact(
    model: ChestReportModel, reader: ChestReader, films: list[np.ndarray]
) -> None:
    facts = tuple(
        Fact(
            id=name,
            kind=FactKind.CONDITION,
            label=name,
            codings=finding_terms()[name].codings,
            source="s",
        )
        for name in ("Pneumonia", "Edema")
    )
    one = replace(
        case(films[0], "i"), context=ClinicalContext(patient_key="", as_of=None, facts=facts)
    )
    found = influence(one, reader.read(one.study), model)
    assert {fact.fact_id for fact in found.facts} == {"Pneumonia", "Edema"}
    assert all(fact.shift is not None for fact in found.facts)


def test_a_black_film_is_refused_and_noise_is_no_film(
    model: ChestReportModel, reader: ChestReader
) -> None:
    black = case(np.zeros((288, 288), np.float32), "black")
    with pytest.raises(InputError, match="single tone"):
        reader.read(black.study)
    with pytest.raises(InputError, match="single tone"):
        model.opinions([black], ANYTHING)
    weights = open_weights(row_named("film-kind"))
    assert weights is not None
    kinds = FilmKindModel.open(weights, torch.device("cpu"))
    noise = np.random.default_rng(0).random((288, 288), dtype=np.float32)
    assert kinds.kind_of(noise) not in ("frontal", "mirrored")


def test_the_weights_saved_again_give_identical_logits(tmp_path: Path) -> None:
    weights = open_weights(row_named("chest-report"))
    if weights is None:
        pytest.skip("chest-report is not installed")
    network = MedMMForConditionalGeneration.from_pretrained(
        weights.folder, dtype=torch.float32
    ).eval()
    network.save_pretrained(tmp_path)
    again = MedMMForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = torch.tensor([[1, *[3] * network.config.image_tokens(2), 5, 11]])
    pixels = torch.randn(1, 1, 288, 288)
    with torch.inference_mode():
        assert torch.equal(
            network(ids, pixel_values=pixels).logits, again(ids, pixel_values=pixels).logits
        )


def test_all_shipped_weights_are_within_the_budget() -> None:
    from medmm.models.weights.catalogue import packaged_weights

    assert sum(p.stat().st_size for p in packaged_weights().rglob("*") if p.is_file()) < 100e6
