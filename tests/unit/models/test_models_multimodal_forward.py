"""The multimodal model's forward and backward: every part reaches every part that it should, and no other."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from medmm.models.report_model.multimodal import MedMMForConditionalGeneration
from medmm.models.report_model.multimodal.modeling import masked_finding_loss
from tests.tiny_multimodal import (
    FINDINGS,
    TEXT_MODELS,
    fact,
    film,
    inputs,
    record,
    text_config,
    tiny_config,
    tiny_model,
    tiny_processor,
    volume,
)

CLOSE = {"atol": 2e-5, "rtol": 1e-4}


def labels_of(given: dict[str, Any]) -> torch.Tensor:
    """Every word is learned; placeholders and padding are not."""
    ids = given["input_ids"]
    return torch.where((ids > 5) & (given["attention_mask"] == 1), ids, -100)


@pytest.mark.parametrize("model_type", [*TEXT_MODELS, "gpt2"])
@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
@pytest.mark.parametrize("image", [film, volume])
def test_any_language_model_reads_films_and_volumes_through_either_connector(
    model_type: str, connector: str, image: Any
) -> None:
    config = tiny_config(model_type, connector=connector)
    if model_type == "gpt2":
        config = tiny_config(connector=connector, text_config=text_config("gpt2"))
    given = inputs(tiny_processor(config), images=[image(1), image(2), None])
    model = tiny_model(config)
    with torch.no_grad():
        out = model(**given, labels=labels_of(given), finding_labels=torch.ones(2, 3))
        other = model(**{**given, "pixel_values": given["pixel_values"].flip(0)})
    assert out.logits.shape == (*given["input_ids"].shape, 64)
    assert out.finding_logits.shape == (2, len(FINDINGS))
    assert torch.isfinite(out.logits).all()
    assert torch.allclose(out.loss, out.text_loss + out.finding_loss)
    assert not torch.allclose(out.logits[:2, -1], other.logits[:2, -1], **CLOSE)
    assert torch.allclose(out.logits[2, -1], other.logits[2, -1], **CLOSE)
    assert torch.allclose(out.finding_logits.flip(0), other.finding_logits, **CLOSE)


@pytest.mark.parametrize("with_image", [True, False])
@pytest.mark.parametrize("with_record", [True, False])
def test_image_and_record_may_each_be_absent(with_image: bool, with_record: bool) -> None:
    given = tiny_processor()(
        ["question : effusion"],
        [film()] if with_image else None,
        [record(fact(1))] if with_record else None,
    )
    assert ("pixel_values" in given) is with_image
    assert given["record_ids"].shape == (1, int(with_record), 3)
    out = tiny_model()(**given)
    assert torch.isfinite(out.logits).all()
    assert (out.finding_logits is not None) is with_image
    assert out.loss is None


@pytest.mark.parametrize("padding_side", ["left", "right"])
@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_a_batch_gives_what_its_cases_give_alone(model_type: str, padding_side: str) -> None:
    config = tiny_config(text_config=text_config(model_type))
    processor, model = tiny_processor(config, padding_side=padding_side), tiny_model(config)
    texts = ["question : effusion", "the heart", "no effusion : the heart is normal"]
    images, records = [film(1), None, film(3)], [record(fact(1), fact(2)), record(fact(4)), None]
    with torch.no_grad():
        batch = processor(texts, images, records)
        together = model(**batch)
        for row, case in enumerate(zip(texts, images, records, strict=True)):
            alone = model(**processor(*([part] for part in case)))
            kept = batch["attention_mask"][row] == 1
            assert torch.allclose(together.logits[row][kept], alone.logits[0], **CLOSE)
    first = model(**processor(texts[:1], images[:1], records[:1])).finding_logits
    assert torch.allclose(together.finding_logits[0], first[0], **CLOSE)


def test_the_heads_are_an_opinion_of_their_own() -> None:
    model = tiny_model()
    one = model(**tiny_processor()(["the heart"], [film()], [record(fact(1))]))
    other = model(**tiny_processor()(["no effusion :"], [film()], [None]))
    assert torch.equal(one.finding_logits, other.finding_logits)


def test_a_value_a_unit_a_code_a_status_and_a_time_each_change_the_answer() -> None:
    model, given = tiny_model(), dict(tiny_processor()(["effusion :"], None, [record(fact(3))]))
    plain = model(**given).logits[:, -1]
    for name, column, value in (
        ("ids", 0, 1),
        ("ids", 1, 1),
        ("ids", 2, 3),
        ("values", 0, 4.0),
        ("values", 2, 0.0),
    ):
        changed = given[f"record_{name}"].clone()
        changed[0, 0, column] = value
        assert not torch.allclose(
            model(**{**given, f"record_{name}": changed}).logits[:, -1], plain, **CLOSE
        )


def test_padding_rows_of_a_record_change_nothing() -> None:
    model, given = tiny_model(), dict(tiny_processor()(["effusion :"], None, [record(fact(3))]))
    padded = {k: functional.pad(given[k], (0, 0, 0, 2)) for k in ("record_ids", "record_values")}
    assert torch.allclose(model(**given).logits, model(**{**given, **padded}).logits, **CLOSE)


def test_the_text_loss_is_the_mean_over_the_learned_tokens() -> None:
    given, model = inputs(), tiny_model()
    labels = labels_of(given)
    out = model(**given, labels=labels)
    picked = [(r, n) for r, n in (labels != -100).nonzero().tolist() if n > 0]
    log = out.logits.log_softmax(-1)
    expected = -torch.stack([log[r, n - 1, labels[r, n]] for r, n in picked]).mean()
    assert torch.allclose(out.text_loss, expected)
    assert torch.equal(out.loss, out.text_loss)
    assert out.finding_loss is None


def test_where_nothing_is_learned_the_loss_is_zero_and_not_a_nan() -> None:
    given, model = inputs(), tiny_model()
    nothing = torch.full_like(given["input_ids"], -100)
    out = model(**given, labels=nothing, finding_labels=torch.full((2, 3), torch.nan))
    assert [part.item() for part in (out.loss, out.text_loss, out.finding_loss)] == [0.0, 0.0, 0.0]
    out.loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_a_masked_finding_neither_counts_nor_learns() -> None:
    logits = torch.tensor([[0.5, -1.0, 2.0]], requires_grad=True)
    loss = masked_finding_loss(logits, torch.tensor([[1.0, torch.nan, 0.0]]))
    loss.backward()
    expected = (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(2.0))) / 2
    assert loss.item() == pytest.approx(expected)
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[True, False, True]]


def test_the_heads_weigh_what_the_configuration_says() -> None:
    given, finding_labels = inputs(), torch.ones(2, 3)
    out = tiny_model(tiny_config(finding_loss_weight=0.25))(
        **given, labels=labels_of(given), finding_labels=finding_labels
    )
    assert torch.allclose(out.loss, out.text_loss + 0.25 * out.finding_loss)


def parts_with_gradients(model: MedMMForConditionalGeneration) -> set[str]:
    return {
        n.split(".")[0]
        for n, p in model.named_parameters()
        if p.grad is not None and bool(p.grad.abs().sum() > 0)
    }


@pytest.mark.parametrize("connector", ["pooled", "perceiver"])
def test_the_text_teaches_every_part(connector: str) -> None:
    config = tiny_config(connector=connector)
    given, model = inputs(tiny_processor(config)), tiny_model(config)
    model(**given, labels=labels_of(given)).loss.backward()
    assert parts_with_gradients(model) == {
        "language_model",
        "encoders",
        "connectors",
        "finding_tokens",
        "record",
    }
    silent = [n for n, p in model.named_parameters() if p.grad is None]
    assert all(".volume." in n for n in silent), silent  # no volume was shown
    assert model.encoders["film"].trunk.conv1.weight.grad.abs().sum() > 0


def test_findings_teach_the_encoder_alone() -> None:
    model = tiny_model()
    model(**inputs(), finding_labels=torch.ones(2, 3)).loss.backward()
    assert parts_with_gradients(model) == {"encoders"}


def test_checkpointed_gradients_are_the_same() -> None:
    given = inputs()
    labels, found = labels_of(given), []
    for checkpointed in (False, True):
        model = tiny_model().train()
        model.encoders.eval()  # batch norms would otherwise learn from the batch
        if checkpointed:
            model.activation_checkpointing_enable()
        loss = model(**given, labels=labels, finding_labels=torch.ones(2, 3), use_cache=False).loss
        loss.backward()
        found.append((loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]))
        assert model.is_activation_checkpointing is checkpointed
    (loss, gradients), (loss_again, gradients_again) = found
    assert torch.allclose(loss, loss_again)
    assert len(gradients) == len(gradients_again) > 20
    assert all(
        torch.allclose(a, b, atol=1e-6) for a, b in zip(gradients, gradients_again, strict=True)
    )


def test_a_few_steps_learn_one_batch() -> None:
    given, model = inputs(), tiny_model().train()
    labels, optimiser = labels_of(given), torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = model(
            **given, labels=labels, finding_labels=torch.tensor([[1, 0, 1], [0, 1, torch.nan]])
        ).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_the_same_seed_gives_the_same_model_and_another_gives_another() -> None:
    one, same, other = (tiny_model(seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(
        one["connectors.film.project.1.weight"], other["connectors.film.project.1.weight"]
    )


def test_a_model_without_findings_has_neither_heads_nor_their_tokens() -> None:
    config = tiny_config(findings=())
    assert config.image_tokens(2) == 5
    out = tiny_model(config)(**inputs(tiny_processor(config)))
    assert out.finding_logits.shape == (2, 0)
