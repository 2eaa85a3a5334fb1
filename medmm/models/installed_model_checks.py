"""Whether a folder is the model of its config.json: tensors, tokenizer, calibration.

Tensors are compared by name and shape.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from medmm.domain.errors import ConfigError, InputError
from medmm.domain.vocabulary import finding_terms
from medmm.models.report_model.chest_report import ClaimRule
from medmm.models.report_model.finding_heads import FILM, ReportHeads
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMProcessor,
)
from medmm.models.report_model.multimodal.grammar import Grammar
from medmm.models.report_model.multimodal.processing import MEASUREMENT
from medmm.models.report_model.quiet_transformers import quiet
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.loading import load_network
from medmm.models.weights.model_folder import INDEX, json_mapping

TOKENIZER_S = 120
# what transformers, safetensors and torch raise for a folder that is not what it says
MALFORMED = (
    ArithmeticError, AttributeError, ConfigError, ImportError, LookupError, OSError, RuntimeError,
    SafetensorError, StrictDataclassError, TypeError, ValueError,
)  # fmt: skip


def check_network(weights: WeightsFolder) -> None:
    """Check that a network of the training pipeline loads.

    Raises: InputError or IntegrityError if it does not.
    """
    with _malformed("config.json"):
        load_network(weights, torch.device("cpu"))


def check_report(weights: WeightsFolder) -> None:
    """Check that a multimodal model fits its configuration and can draft.

    Raises: InputError if it does not fit, or lacks what drafting needs.
    """
    folder = weights.folder
    for name in ("model.safetensors", "preprocessing.json", "calibration.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise _lacks(name)
    with _malformed("config.json"):
        config = MedMMConfig.from_pretrained(folder, local_files_only=True)
        if FILM not in config.encoders or config.encoders[FILM]["spatial_dims"] != 2:
            raise ValueError(f"there is no encoder {FILM!r} for films")
    unknown = sorted(set(config.findings) - set(finding_terms()))
    if unknown:
        raise _unfit(f"findings beyond the vocabulary: {', '.join(unknown)}", "config.json")
    _check_tensors(MedMMForConditionalGeneration, folder, config)
    tokenizer = read_tokenizer(folder)
    with _malformed("tokenizer.json"):
        Grammar.of(tokenizer, config.findings)
    _check_rows(config.text_config.vocab_size, tokenizer)
    with _malformed("processor_config.json"), quiet():
        processor = MedMMProcessor.from_pretrained(folder, local_files_only=True)
        if processor.film_tokens != config.image_tokens(2):
            raise ValueError(
                f"{processor.film_tokens} tokens a film where the model takes "
                f"{config.image_tokens(2)}"
            )
        if processor.measurements != config.measurements:
            raise ValueError("other measurements, or other typical values, than the model's")
        if (
            config.measurements
            and tokenizer.convert_tokens_to_ids(MEASUREMENT) != config.measurement_token_id
        ):
            raise ValueError(
                f"{MEASUREMENT} is not the token that the model puts measurements in the place of"
            )
    with _malformed("calibration.json"):
        calibration = json_mapping(folder / "calibration.json")
        ClaimRule(**calibration["claim"]).probability(0.0, 0.0)
        ReportHeads.open(weights, torch.device("cpu"))
        if not set(calibration["heads"]) <= set(config.findings):
            raise ValueError("heads that the model has not")


def check_decoder(folder: Path) -> None:
    """Check that a folder is a causal language model of transformers.

    Raises: InputError if it is not, or if its tensors do not fit.
    """
    config = json_mapping(folder / "config.json")
    kind = config.get("model_type")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise InputError(
            f"model_type {kind!r} is not a causal language model of transformers",
            remedy="give a folder whose config.json names one, for example llama, qwen2, gemma or "
            "gpt2",
            file="config.json",
        )
    with _malformed("config.json"), quiet():
        parsed = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    _check_tensors(AutoModelForCausalLM, folder, parsed)
    _check_rows(parsed.get_text_config().vocab_size, read_tokenizer(folder))


def read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Read the tokenizer of a folder.

    Raises: InputError if there is no tokenizer.json, or it can't be read.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise _lacks("tokenizer.json")
    json_mapping(path)
    if not _opens(path):
        raise _unfit("tokenizers does not open it", "tokenizer.json")
    with _malformed("tokenizer_config.json"), quiet():
        return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _opens(path: Path) -> bool:
    """Tell whether tokenizers opens a file, in a process of its own.

    Its errors have no type, and it may panic.
    """
    code = "import sys; from tokenizers import Tokenizer; Tokenizer.from_file(sys.argv[1])"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, str(path)],
            capture_output=True,
            timeout=TOKENIZER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _check_tensors(kind: Any, folder: Path, config: Any) -> None:
    """Compare names and shapes in the headers with what the configuration builds.

    No parameter is kept in memory.
    """
    _check_index(folder)
    with _malformed("model.safetensors"), quiet():
        _, found = kind.from_pretrained(
            folder,
            config=config,
            device_map="meta",
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            local_files_only=True,
            use_safetensors=True,
        )
    wrong = [
        f"{name} is {tuple(has)}, not {tuple(wants)}"
        for name, has, wants in found["mismatched_keys"]
    ]
    wrong += [
        f"{name} is missing"
        for name in found["missing_keys"]
        if not name.endswith("num_batches_tracked")
    ]
    wrong += [f"{name} is too many" for name in found["unexpected_keys"]]
    wrong += found["error_msgs"]
    if wrong:
        raise _unfit(f"{len(wrong)} tensors, the first: {min(wrong)}", "model.safetensors")


def _check_index(folder: Path) -> None:
    parts = {path.name for path in folder.glob("*.safetensors")}
    if "model.safetensors" in parts:
        return
    if not (folder / INDEX).is_file():
        raise _lacks("model.safetensors")
    named = json_mapping(folder / INDEX).get("weight_map")
    named = (
        set(named.values())
        if isinstance(named, dict) and all(isinstance(v, str) for v in named.values())
        else None
    )
    if not named:
        raise _unfit("no weight_map", INDEX)
    for name in sorted(named - parts):
        raise _lacks(name if Path(name).name == name else INDEX)


def _check_rows(rows: int, tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = max(tokenizer.get_vocab().values(), default=-1) + 1
    if not 0 < tokens <= rows:
        raise _unfit(f"{tokens} tokens for {rows} rows of embeddings", "tokenizer.json")


@contextmanager
def _malformed(file: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except MALFORMED as error:
        why = " ".join(str(error).split())[:300]
        raise _unfit(f"{type(error).__name__}: {why}", file) from error


def _lacks(name: str) -> InputError:
    remedy = (
        "give the whole folder, with the parameters as safetensors and the tokenizer as "
        "tokenizer.json"
    )
    return InputError("a file of the model is missing", remedy=remedy, file=name)


def _unfit(why: str, file: str) -> InputError:
    return InputError(
        f"the folder does not fit its own configuration: {why}",
        remedy="save the model again",
        file=file,
    )
