"""Any image-text-to-text model of a local folder: it answers, its confidence is its own, and nothing of the folder runs."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

from medmm.assistant import Assistant
from medmm.config import Settings
from medmm.domain.draft import Generation, Proposal
from medmm.domain.errors import ConfigError
from medmm.domain.instruction import Instruction, Pictures
from medmm.drafting import OutsideWriter, RuleWriter
from medmm.drafting.writers.instructions import instruction_for
from medmm.models import Adopted, Networks, refuse_lacking_packages
from medmm.models.report_model import hugging_face
from medmm.models.report_model.hugging_face import HuggingFaceModel
from medmm.models.report_model.hugging_face_folder import folder_digest
from medmm.models.report_model.quiet_transformers import quiet
from medmm.presentation.slice_picture import png_bytes
from tests import tiny_vlms
from tests.dicom_files import SAYS_FRONTAL, film_file
from tests.factories import make_case, make_reading
from tests.proposing_models import findings_of
from tests.quick_assistant import READERS, READS, GivenNetworks, opened

CPU = torch.device("cpu")
CASE, READING = make_case(), make_reading()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder a kind of model."""
    with quiet():
        return {
            kind: tiny_vlms.made(kind, tmp_path_factory.mktemp("vlm") / f"tiny-{kind}")
            for kind in tiny_vlms.KINDS
        }


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugging_face, "MOST_TOKENS", 16)


def asked(shade: int | None = None) -> Instruction:
    """What is asked of the case; of a picture of bars of one shade, if one is given."""
    instruction, _ = instruction_for(CASE, READING, pictures=Pictures.ALL)
    if shade is None:
        return instruction
    rgb = np.zeros((96, 96, 3), dtype=np.uint8)
    rgb[:, ::7] = rgb[shade % 90 :: 11] = shade
    assert instruction.picture is not None
    return replace(instruction, picture=replace(instruction.picture, png=png_bytes(rgb)))


def heard(model: HuggingFaceModel, instruction: Instruction | None = None) -> list[Proposal]:
    """What it proposes until its end, or until it is cut off."""
    found: list[Proposal] = []
    with suppress(ConfigError):
        found.extend(model.propose(CASE, READING, instruction or asked()))
    return found


@pytest.mark.parametrize("kind", tiny_vlms.KINDS)
def test_it_answers_alike_to_the_same_and_its_folder_names_it(
    kind: str, folders: dict[str, Path]
) -> None:
    model = HuggingFaceModel.open(folders[kind], CPU)
    assert (model.name, model.pictures) == (f"tiny-{kind}", Pictures.ALL)
    answers = {shade: heard(model, asked(shade)) for shade in (40, 255)}
    assert answers == {shade: heard(model, asked(shade)) for shade in (40, 255)}


@pytest.mark.parametrize("kind", tiny_vlms.KINDS)
def test_the_picture_and_the_record_reach_the_network(kind: str, folders: dict[str, Path]) -> None:
    model = HuggingFaceModel.open(folders[kind], CPU)
    logits = []
    for instruction in (asked(40), asked(255), replace(asked(255), facts=())):
        with torch.inference_mode():
            logits.append(model.network(**model._inputs(instruction)).logits[0, -1])
    assert not torch.allclose(logits[0], logits[1], atol=1e-4)
    assert not torch.allclose(logits[1], logits[2], atol=1e-4)


@pytest.mark.parametrize("kind", tiny_vlms.KINDS)
def test_confidence_is_the_log_softmax_of_the_networks_own_logits(
    kind: str, folders: dict[str, Path]
) -> None:
    """Though the folder asks for sampling, a temperature and a penalty."""
    model = HuggingFaceModel.open(folders[kind], CPU)
    inputs, recorder = model._inputs(asked(200)), hugging_face._Heard()
    with torch.inference_mode():
        ids = model.network.generate(**inputs, max_new_tokens=6, logits_processor=[recorder])
        start = inputs["input_ids"].shape[1]
        rest = {
            n: v
            for n, v in inputs.items()
            if n not in ("input_ids", "attention_mask", "token_type_ids")
        }
        written = ids[0, start:].tolist()
        for step, token in enumerate(written):
            prompt = ids[:, : start + step]
            more = (
                {"token_type_ids": torch.nn.functional.pad(inputs["token_type_ids"], (0, step))}
                if "token_type_ids" in inputs
                else {}
            )
            raw = model.network(
                input_ids=prompt, attention_mask=torch.ones_like(prompt), **rest, **more
            ).logits[0, -1]
            chosen = raw.float().log_softmax(-1)
            assert int(chosen.argmax()) == token
            assert float(chosen[token]) == pytest.approx(recorder.log_probabilities[step], abs=1e-3)


def test_sentences_have_their_own_tokens(folders: dict[str, Path]) -> None:
    model = HuggingFaceModel.open(folders["llava"], CPU)
    written = model.processor.tokenizer("1. No pneumothorax.\nCardiomegaly is possible.</s>")[
        "input_ids"
    ]
    numbers = [-float(n) for n in range(len(written))]
    pieces = list(model._sentences(written, numbers))
    assert [words for words, _ in pieces] == ["No pneumothorax.", "Cardiomegaly is possible."]
    tokens = [t for _, g in pieces for t in g.tokens]
    assert "".join(tokens).replace("\n", "") == "No pneumothorax.Cardiomegaly is possible."
    assert all(len(g.tokens) == len(g.log_probabilities or ()) for _, g in pieces)
    ordered = [p for _, g in pieces for p in g.log_probabilities or ()]
    assert ordered == sorted(ordered, reverse=True)


def test_an_answer_that_ends_is_taken_and_one_that_does_not_is_not(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "ends"
    shutil.copytree(folders["idefics3"], folder)
    model = HuggingFaceModel.open(folder, CPU)
    with pytest.raises(ConfigError, match="does not end within 16 tokens"):
        list(model.propose(CASE, READING, asked()))
    with torch.inference_mode():
        inputs = model._inputs(asked())
        written = model.network.generate(**inputs, max_new_tokens=16)[
            0, inputs["input_ids"].shape[1] :
        ]
    tiny_vlms.ended_by(folder, int(written[5]))
    ended = HuggingFaceModel.open(folder, CPU)
    proposals = list(ended.propose(CASE, READING, asked()))
    assert all(isinstance(p.generation, Generation) and p.generation.tokens for p in proposals)


def test_a_question_beyond_its_positions_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    model = HuggingFaceModel.open(folders["llava"], CPU)
    model.network.config.get_text_config().max_position_embeddings = 64
    with pytest.raises(ConfigError, match="more than the 64 places"):
        list(model.propose(CASE, READING, asked()))


def not_there(folder: Path) -> None:
    shutil.rmtree(folder)


def pickled(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")


def code(folder: Path) -> None:
    (folder / "modeling_x.py").write_text("raise SystemExit")


def asks_for_code(folder: Path) -> None:
    changed(folder, "config.json", auto_map={"AutoModelForImageTextToText": "modeling_x.X"})


def no_tensors(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def cut_tensors(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def more_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    changed(folder, "config.json", text_config={**config["text_config"], "num_hidden_layers": 3})


def no_processor(folder: Path) -> None:
    for name in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink(missing_ok=True)


def unknown_kind(folder: Path) -> None:
    changed(folder, "config.json", model_type="no-such-model")


def of_text_alone(folder: Path) -> None:
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=9,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
        )
    ).save_pretrained(folder)


def changed(folder: Path, name: str, **changes: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


FAULTS = {
    not_there: "can't be read", pickled: "pickle", code: "code", asks_for_code: "auto_map",
    no_tensors: "no safetensors", cut_tensors: "can't be opened", more_layers: "are missing",
    no_processor: "can't be opened", unknown_kind: "can't be opened", of_text_alone: "no image-text-to-text",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_is_no_whole_model_is_refused_by_name(
    fault: object, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(folders["llava"], folder)
    with quiet():
        fault(folder)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=FAULTS[fault]) as refused:  # type: ignore[index]
        HuggingFaceModel.open(folder, CPU)
    assert refused.value.where["writer_path"] == str(folder)


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "smolvlm"])
def test_what_needs_torchvision_is_named_at_the_start(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    settings = Settings(data_dir=tmp_path / "data", writer="hugging-face", writer_path=folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs torchvision") as refused:
        Assistant(settings)
    assert "pip install" in refused.value.remedy
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    refuse_lacking_packages(folder)


@pytest.mark.parametrize("name", ["Qwen2VLVideoProcessor", "SmolVLMVideoProcessor"])
def test_transformers_can_not_build_those_processors_without_it(name: str) -> None:
    """Else the list of what needs torchvision is out of date."""
    if importlib.util.find_spec("torchvision") is not None:
        pytest.skip("torchvision is installed")
    with pytest.raises(ImportError, match="Torchvision"):
        getattr(transformers, name)()


# ---- from the settings to the draft --------------------------------------------------------------------------


@pytest.fixture
def assistant(folders: dict[str, Path], tmp_path: Path) -> Iterator[Assistant]:
    folder = tmp_path / "tiny"
    shutil.copytree(folders["llava_next"], folder)
    settings = Settings(
        data_dir=tmp_path / "data", threads=1, device="cpu", readers=READERS,
        writer="hugging-face", writer_path=folder,
    )  # fmt: skip
    networks = OwnOutside(settings, reader=READS, picture_kinds=SAYS_FRONTAL, language_model=None)
    with Assistant(settings, networks=networks) as made:
        yield made


class OwnOutside(GivenNetworks):
    """The quick networks, with the folder that the settings name."""

    def __init__(self, settings: Settings, **given: object) -> None:
        super().__init__(settings, **given)
        self.writer_folder = settings.writer_path


def test_a_random_model_leaves_a_draft_by_rules_that_says_so(
    assistant: Assistant, tmp_path: Path
) -> None:
    case_id = opened(assistant, film_file(tmp_path))
    drafted = assistant.draft(case_id)
    (notice,) = [n for n in drafted.draft.warnings if n.code == "writer-failed"]
    assert "tiny" in notice.text
    assert drafted.draft.writer == RuleWriter().name
    assert assistant.capabilities().writer == "tiny"
    before = assistant._house.drafted_from()
    folder = assistant.settings.writer_path
    assert folder is not None
    changed(folder, "generation_config.json", top_k=3)
    assert assistant._house.drafted_from() != before
    shutil.rmtree(folder)
    assert folder_digest(folder) == "missing"
    assert assistant.draft(case_id).statements == drafted.statements


def test_the_networks_open_it_once(folders: dict[str, Path], tmp_path: Path) -> None:
    networks = Networks(
        None, device="cpu", threads=1, adopted=Adopted(tmp_path), writer_folder=folders["gemma3"]
    )
    assert networks.proposing_model is networks.proposing_model is not None
    draft = OutsideWriter(networks.proposing_model).write(CASE, READING)
    assert findings_of(draft) == findings_of(RuleWriter().write(CASE, READING))
    assert Networks(None, adopted=Adopted(tmp_path)).proposing_model is None
