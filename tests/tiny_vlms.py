"""Image-text-to-text models of a few thousand random parameters, saved as folders that transformers opens by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    PreTrainedTokenizerFast,
)

MARKS = (
    "<pad>", "<s>", "</s>", "<unk>", "<image>", "<user>", "<assistant>", "<start_of_image>", "<end_of_image>",
    "<image_soft_token>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>",
    *(f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)),
)  # fmt: skip
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<user>{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEXT_TEMPLATE = (
    "{% for message in messages %}<user>{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}{% endfor %}<assistant>"
)
TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 8192, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
SCALE = 6.0  # of random weights, so that the picture decides what is said


def tokenizer_of(**extra: Any) -> PreTrainedTokenizerFast:
    """Bytes as tokens, with the marks of every model here."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate((*MARKS, *alphabet))}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.post_processor = processors.ByteLevel(trim_offsets=False)
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        **extra,
    )
    made.add_special_tokens({"additional_special_tokens": list(MARKS[4:])})
    return made


def number(mark: str) -> int:
    return MARKS.index(mark)


def scaled(network: Any) -> Any:
    """Random weights large enough that the answer depends on the picture."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():  # Gemma 3 begins with a projector of zeros
                parameter.normal_()
            elif parameter.ndim > 1:
                parameter.mul_(SCALE)
    return network.eval()


def vision() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )


def llava(folder: Path) -> None:
    from transformers import LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = tokenizer_of()
    config = LlavaConfig(
        vision_config=vision(), text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        image_token_index=number("<image>"),
    )  # fmt: skip
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    processor = LlavaProcessor(
        pictures, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE.replace("IMAGE", "<image>"),
    )  # fmt: skip
    saved(folder, scaled(LlavaForConditionalGeneration(config)), processor)


def llava_next(folder: Path) -> None:
    from transformers import LlavaNextProcessor
    from transformers.models.llava_next.image_processing_pil_llava_next import (
        LlavaNextImageProcessorPil,
    )

    tokenizer = tokenizer_of()
    pinpoints = [[28, 56], [56, 28], [56, 56]]
    config = LlavaNextConfig(
        vision_config=vision(), text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        image_token_index=number("<image>"), image_grid_pinpoints=pinpoints,
    )  # fmt: skip
    pictures = LlavaNextImageProcessorPil(
        size={"shortest_edge": 28},
        crop_size={"height": 28, "width": 28},
        image_grid_pinpoints=pinpoints,
    )
    processor = LlavaNextProcessor(
        pictures, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE.replace("IMAGE", "<image>"),
    )  # fmt: skip
    saved(folder, scaled(LlavaNextForConditionalGeneration(config)), processor)


def gemma3(folder: Path) -> None:
    """The architecture of MedGemma."""
    from transformers import Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    tokenizer = tokenizer_of(
        extra_special_tokens={
            "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
        }
    )  # fmt: skip
    config = Gemma3Config(
        text_config={"vocab_size": len(tokenizer), "head_dim": 16, "sliding_window": 512, **TEXT},
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 56, "patch_size": 14,
        },
        mm_tokens_per_image=4, boi_token_index=number("<start_of_image>"), eoi_token_index=number("<end_of_image>"),
        image_token_index=number("<image_soft_token>"),
    )  # fmt: skip
    pictures = Gemma3ImageProcessorPil(size={"height": 56, "width": 56})
    processor = Gemma3Processor(
        pictures,
        tokenizer,
        image_seq_length=4,
        chat_template=TEMPLATE.replace("IMAGE", "<start_of_image>"),
    )
    saved(folder, scaled(Gemma3ForConditionalGeneration(config)), processor)


def idefics3(folder: Path) -> None:
    from transformers import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tokenizer = tokenizer_of()
    config = Idefics3Config(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **TEXT},
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 56, "patch_size": 14,
        },
        image_token_id=number("<image>"), scale_factor=2, pad_token_id=0,
    )  # fmt: skip
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 112}, max_image_size={"longest_edge": 56}
    )
    processor = Idefics3Processor(
        pictures, tokenizer, image_seq_len=4, chat_template=TEMPLATE.replace("IMAGE", "<image>")
    )
    saved(folder, scaled(Idefics3ForConditionalGeneration(config)), processor)


def saved(folder: Path, network: Any, processor: Any) -> None:
    network.generation_config = GenerationConfig(
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        do_sample=True,
        temperature=0.7,
        repetition_penalty=1.3,
    )
    network.save_pretrained(folder)
    processor.save_pretrained(folder)


def ended_by(folder: Path, token: int) -> None:
    """Have the model end its answer at a token that it is known to write."""
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [2, token]}))


KINDS: dict[str, Callable[[Path], None]] = {
    "gemma3": gemma3, "llava": llava, "llava_next": llava_next, "idefics3": idefics3,
}  # fmt: skip


def made(kind: str, folder: Path) -> Path:
    """A folder with a model of this kind; the same at each call."""
    torch.manual_seed(7)
    KINDS[kind](folder)
    return folder
