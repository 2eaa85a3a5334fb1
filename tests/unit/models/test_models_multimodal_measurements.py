"""Measurement tokens in the multimodal model: each part of a row changes the answer, and none goes to another case."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.reading import Side
from medmm.models.report_model.measurement_tokens import measurement_tokens, stacked
from medmm.models.report_model.multimodal.processing import MEASUREMENT
from tests.tiny_multimodal import (
    MEASUREMENT_ID,
    TYPICAL,
    fact,
    film,
    inputs,
    measurement,
    record,
    tiny_config,
    tiny_model,
    tiny_processor,
)

CLOSE = {"atol": 2e-5, "rtol": 1e-4}
MEASURED = [
    [measurement(40.0)],
    None,
    [measurement(3.5, "hippocampus volume", side=Side.LEFT), measurement(70.0)],
]


def config(**changes: Any) -> Any:
    return tiny_config(
        **{"measurements": TYPICAL, "measurement_token_id": MEASUREMENT_ID, **changes}
    )


def given(**changes: Any) -> dict[str, Any]:
    """A film with a record and a measurement, a film alone, a record with two measurements."""
    return inputs(tiny_processor(config()), **{"measurements": MEASURED, **changes})


def test_rows_are_those_of_measurement_tokens_and_each_case_holds_its_own_placeholders() -> None:
    found = given()
    ids, values = stacked([measurement_tokens(rows or (), TYPICAL) for rows in MEASURED])
    assert found["measurement_ids"].tolist() == ids.tolist()
    assert found["measurement_values"].tolist() == values.tolist()
    assert (found["input_ids"] == MEASUREMENT_ID).sum(1).tolist() == [1, 0, 2]
    none = given(measurements=None)
    assert none["measurement_ids"].shape == (3, 0, 2)
    assert torch.isfinite(tiny_model(config())(**none).logits).all()


def test_a_film_with_its_ratio_its_record_and_text_is_read_together() -> None:
    model, processor = tiny_model(config()), tiny_processor(config())
    answers = []
    for ratio in (0.45, 0.6):
        case = processor(
            ["the heart"],
            [film()],
            [record(fact(1))],
            [[measurement(ratio, "cardiothoracic ratio")]],
        )
        answers.append(model(**case))
    assert not torch.allclose(answers[0].logits[:, -1], answers[1].logits[:, -1], **CLOSE)
    assert torch.equal(
        answers[0].finding_logits, answers[1].finding_logits
    )  # the heads see the image alone


@pytest.mark.parametrize(
    ("part", "column", "value"),
    [("ids", 0, 2), ("ids", 1, 2), ("values", 0, 1.0), ("values", 1, 1.0)],
)
def test_quantity_side_value_and_interval_each_change_the_answer_of_their_case_alone(
    part: str, column: int, value: float
) -> None:
    model, plain = tiny_model(config()), given()
    changed = plain[f"measurement_{part}"].clone()
    changed[0, 0, column] = value
    one, other = model(**plain).logits, model(**{**plain, f"measurement_{part}": changed}).logits
    assert not torch.allclose(one[0, -1], other[0, -1], **CLOSE)
    assert torch.allclose(one[1:, -1], other[1:, -1], **CLOSE)


def test_padding_rows_change_nothing() -> None:
    model, plain = tiny_model(config()), given()
    padded = {
        k: functional.pad(plain[k], (0, 0, 0, 2)) for k in ("measurement_ids", "measurement_values")
    }
    assert torch.allclose(model(**plain).logits, model(**{**plain, **padded}).logits, **CLOSE)


def test_a_model_without_measurements_is_the_model_that_it_was() -> None:
    plain, known = tiny_model(tiny_config()), tiny_model(config())
    assert plain.measurement is None
    names = set(plain.state_dict())
    assert set(known.state_dict()) - names == {
        n for n in known.state_dict() if n.startswith("measurement.")
    }
    assert set(inputs()) == {
        "input_ids",
        "attention_mask",
        "record_ids",
        "record_values",
        "pixel_values",
    }
    with pytest.raises(ConfigError, match="takes no measurements"):
        tiny_processor()(["the heart"], None, None, [[measurement()]])
    with pytest.raises(ConfigError, match="knows no measurements"):
        plain(**tiny_processor(config())(["the heart"], None, None, [[measurement()]]))


def test_the_measurement_placeholder_is_never_written() -> None:
    model = tiny_model(config())
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
    found = model.generate(
        **given(), max_new_tokens=8, do_sample=True, num_return_sequences=8, pad_token_id=0
    )
    assert not torch.isin(found[:, -8:], torch.tensor([3, 4, MEASUREMENT_ID])).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measurement_token_id": None}, "without their placeholder"),
        ({"measurements": None}, "without their placeholder"),
        ({"measurement_token_id": 4}, "another's token"),
        ({"measurements": {"height": 1.7}}, "no measurement 'height'"),
    ],
)
def test_a_configuration_that_no_model_can_have_is_refused(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        config(**change)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measurement_ids": lambda v: None}, "measurement placeholders"),
        ({"measurement_ids": lambda v: v.flip(0)}, "measurement placeholders"),
        ({"measurement_ids": lambda v: v + 9}, "does not embed"),
        ({"measurement_ids": lambda v: v[:2]}, "for 3 sequences"),
        ({"measurement_values": lambda v: v[..., :1]}, "measurements of shape"),
        (
            {"input_ids": lambda v: torch.where(v == MEASUREMENT_ID, 6, v)},
            "measurement placeholders",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(change: dict[str, Any], words: str) -> None:
    plain = given()
    with pytest.raises(InputError, match=words) as caught:
        tiny_model(config())(
            **{**plain, **{name: alter(plain[name]) for name, alter in change.items()}}
        )
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "measurements"),
    [(["the"], [None, None]), ([f"the {MEASUREMENT}"], None), (["the", "the"], [[]])],
)
def test_what_does_not_fit_the_processor_is_refused(text: Any, measurements: Any) -> None:
    with pytest.raises(InputError):
        tiny_processor(config())(text, None, None, measurements)
