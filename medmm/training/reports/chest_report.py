"""Train the chest film language model: heads, language, alignment, end to end.

See configs/train/chest_report.yaml.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoConfig, PreTrainedTokenizerFast

from medmm.domain.errors import InputError, needed
from medmm.files import sha256_of
from medmm.models.film.preprocessing import prepare_film
from medmm.models.report_model.multimodal import (
    MedMMConfig,
    MedMMForConditionalGeneration,
    MedMMImageProcessor,
    MedMMProcessor,
)
from medmm.models.report_model.multimodal.grammar import BOS, EOS, PAD, special_tokens
from medmm.models.report_model.record_tokens import record_tokens, stacked
from medmm.models.weights.catalogue import WeightsFolder
from medmm.models.weights.loading import load_network
from medmm.training.data.array_cache import room
from medmm.training.data.holdout import refuse_held_back, refuse_other_splits
from medmm.training.data.label_counts import check_labels
from medmm.training.film.chest_findings import logistic_head
from medmm.training.loop.fitting import fit, merged
from medmm.training.recipes import ChestReportRecipe, recipe_as
from medmm.training.reports import claim_calibration
from medmm.training.reports.corpus import FilmReport
from medmm.training.reports.examples import (
    ReportExample,
    drawn_record,
    examples,
    record_codes,
    spoken,
    target_text,
    words_for,
)
from medmm.training.reports.film_encoder import encoder_weights
from medmm.training.reports.objective import ReportObjective
from medmm.training.reports.sources import ReportSource, report_source
from medmm.training.reports.statements import FindingSaid, phrase_book, report_findings
from medmm.training.reports.warm_start import Decoder, Start, inputs_of
from medmm.training.weights_export import run_folder, write_json

SIZE_PX = 288
UNITS = ("a", "1")
Array = NDArray[np.float64]
Batch = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The reports of one split with films (n, 288, 288), prepared bit for bit as live."""

    examples: list[ReportExample]
    films: NDArray[np.float32]

    @classmethod
    def read(
        cls, source: ReportSource, split: str, *, quiet: bool, file: Path | None = None
    ) -> Corpus:
        """Read all reports of a split that have a frontal film and a findings text.

        The films are kept in memory, or in `file`.
        """
        chosen = examples(source.reports(split))
        if not chosen:
            raise InputError(
                f"no {split} report has a film and findings", remedy="look at the folder's splits"
            )
        reports = [example.report for example in chosen]
        films = room((len(reports), SIZE_PX, SIZE_PX), np.float32, file)
        greys = track(
            source.greys(reports), total=len(reports), description=f"films, {split}", disable=quiet
        )
        for place, grey in enumerate(greys):
            films[place] = prepare_film(grey, SIZE_PX)[0]
        return cls(examples=chosen, films=films)

    def labels(self, findings: Sequence[str]) -> NDArray[np.float32]:
        """Build labels of what each report calls present or possible, (n, findings).

        Findings and impression count.
        """
        return np.asarray([claimed(e.report, findings) for e in self.examples], dtype=np.float32)


def claimed(report: FilmReport, findings: Sequence[str]) -> list[float]:
    """Return 1 for each finding that a report calls present or possible.

    Findings and impression count.
    """
    said = report_findings(f"{report.findings} {report.impression}")
    return [
        float(said.get(name) in (FindingSaid.PRESENT, FindingSaid.POSSIBLE)) for name in findings
    ]


def train(config: Mapping[str, Any], data_dir: Path, out_dir: Path, *, quiet: bool = False) -> Path:
    """Run the recipe and write the weights folder `out_dir`, without card and manifest.

    Those are the evaluation's.

    A run that was stopped goes on where it stood. Returns: `out_dir`.
    """
    recipe = recipe_as(ChestReportRecipe, config)
    source, run_dir = report_source(recipe.reports, data_dir), run_folder(out_dir)
    kept = run_dir / "kept" if recipe.kept == "disk" else None
    corpus = Corpus.read(source, "train", quiet=quiet, file=kept and kept / "films.npy")
    refuse_other_splits({e.report.split for e in corpus.examples})
    refuse_held_back(source.people("train"), source.people("val") | source.people("test"))
    check_labels(recipe.findings, corpus.labels(recipe.findings))
    texts = [r.findings for r in source.reports("train")]
    start = (
        Start.of(recipe.start.expanduser(), recipe.findings, SIZE_PX, UNITS)
        if recipe.start
        else None
    )
    decoder = Decoder.of(recipe.decoder.expanduser(), recipe.findings) if recipe.decoder else None
    encoder = (
        None
        if start
        else encoder_weights(recipe.encoder_recipe, data_dir, run_dir, size_px=SIZE_PX, quiet=quiet)
    )
    school = School(
        config=config,
        corpus=corpus,
        book=spoken(phrase_book(texts)),
        start=start,
        decoder=decoder,
        encoder=encoder,
    )
    model = school.model().to(recipe.device)
    tokens_of = Maps.kept(model, corpus.films, quiet=quiet, folder=kept)
    for name, stage in recipe.stages.items():
        result = fit(
            model,
            range(len(corpus.examples)),
            ReportObjective(collate=school.collate(tokens_of if stage["kept_maps"] else None)),
            recipe.options(name),
            run_dir / name,
            quiet=quiet,
            name=name,
            inputs=inputs_of(start, decoder, encoder if recipe.encoder_recipe else None),
        )
        if result.stopped:
            raise InputError(
                "the training was stopped",
                remedy="give the same command again: it goes on",
                stage=name,
            )
    save(merged(model).cpu(), school.processor, out_dir)
    trained = (
        {"encoder": sha256_of(encoder.folder / "model.safetensors")}
        if encoder and recipe.encoder_recipe
        else {}
    )
    write_json(
        out_dir / "training.json",
        {"config": dict(config), "reports": len(corpus.examples), **trained},
    )
    claim_calibration.calibrate(out_dir, source, recipe.most_invented, quiet=quiet)
    if kept is not None:
        shutil.rmtree(kept)
    return out_dir


def calibrate(folder: Path, data_dir: Path, *, quiet: bool = False) -> None:
    """Write calibration.json of a trained folder anew, from the val reports of its recipe."""
    config = json.loads((folder / "training.json").read_text(encoding="utf-8"))["config"]
    recipe = recipe_as(ChestReportRecipe, config)
    claim_calibration.calibrate(
        folder, report_source(recipe.reports, data_dir), recipe.most_invented, quiet=quiet
    )


class Maps:
    """The frozen encoder's last maps of films and mirror images, in half precision."""

    def __init__(self, straight: NDArray[np.float16], mirrored: NDArray[np.float16]) -> None:
        self.both = (straight, mirrored)

    @classmethod
    @torch.inference_mode()
    def kept(
        cls,
        model: MedMMForConditionalGeneration,
        films: NDArray[np.float32],
        *,
        quiet: bool,
        folder: Path | None = None,
    ) -> Maps:
        """Encode all films once, some minutes on two CPU cores.

        The maps are kept in memory, or in `folder`.
        """
        encoder = model.encoder(2).eval()
        device = encoder.head.weight.device
        cells = encoder(torch.zeros(1, 1, *films.shape[1:], device=device)).shape[1:]
        straight, mirrored = (
            room((len(films), *cells), np.float16, folder and folder / f"{name}.npy")
            for name in ("straight", "mirrored")
        )
        for start in track(range(0, len(films), 16), description="maps", disable=quiet):
            film = torch.from_numpy(films[start : start + 16])[:, None].to(device)
            for kept, view in ((straight, film), (mirrored, film.flip(3))):
                maps = encoder(view.contiguous(memory_format=torch.channels_last))
                kept[start : start + 16] = maps.half().contiguous().cpu().numpy()
        return cls(straight, mirrored)

    def drawn(self, places: Sequence[int], draw: random.Random) -> Tensor:
        """Draw maps of these films, each straight or mirrored.

        No label of a report's text names a side here.
        """
        return torch.from_numpy(
            np.stack([self.both[draw.random() < 0.5][place] for place in places])
        ).float()


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """What a model learns from: the corpus, its ways of speaking, and how both become batches."""

    config: Mapping[str, Any]
    corpus: Corpus
    book: Mapping[tuple[str, FindingSaid], Sequence[str]]
    start: Start | None = None
    decoder: Decoder | None = None
    encoder: WeightsFolder | None = None  # whose trunk a model without a start begins with

    @property
    def findings(self) -> list[str]:
        """The findings of the heads and of the grammar, in order."""
        return list(self.config["findings"])

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The tokenizer of start or decoder, or a byte-level BPE over the corpus and templates.

        Source: Sennrich et al., ACL 2016. It learns from the corpus' ways of speaking.
        """
        if self.start is not None:
            return self.start.processor.tokenizer
        if self.decoder is not None:
            return self.decoder.tokenizer
        draw = random.Random(0)
        lines = [text for texts in self.book.values() for text in texts]
        said = (FindingSaid.PRESENT, FindingSaid.POSSIBLE, FindingSaid.ABSENT)
        lines += [
            words_for(name, one, None, {}, draw) for name in self.findings for one in said
        ] * 3
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=int(self.config["vocabulary"]),
            special_tokens=special_tokens(self.findings),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        bpe.train_from_iterator(lines, trainer)
        return PreTrainedTokenizerFast(
            tokenizer_object=bpe, pad_token=PAD, bos_token=BOS, eos_token=EOS, padding_side="left"
        )

    @property
    def processor(self) -> MedMMProcessor:
        """The processor that ships with the model."""
        if self.start is not None:
            return self.start.processor
        return MedMMProcessor(
            MedMMImageProcessor(size_px=SIZE_PX),
            self.tokenizer,
            record_codes=record_codes(),
            record_units=UNITS,
            film_tokens=self.model_config.image_tokens(2),
        )

    @property
    def model_config(self) -> MedMMConfig:
        """The model's configuration."""
        if self.start is not None:
            return self.start.config
        tokenizer = self.tokenizer
        ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        if self.decoder is not None:
            text: Any = self.decoder.network.config
        else:
            text = AutoConfig.for_model(
                vocab_size=len(tokenizer), **ids, **self.config["language_model"]
            )
        return MedMMConfig(
            encoders={"film": {"spatial_dims": 2, "size": SIZE_PX}},
            text_config=text,
            connector=self.config["connector"],
            connector_size=self.config["connector_size"],
            record_codes=record_codes(),
            record_units=UNITS,
            findings=self.findings,
            image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
            record_token_id=tokenizer.convert_tokens_to_ids("<record>"),
        )

    def model(self) -> MedMMForConditionalGeneration:
        """Build the model at its start: as trained before, or put together.

        It is then the encoder's trunk, logistic heads on its features, and the decoder or a random
        language model.
        """
        if self.start is not None:
            return self.start.model()
        trunk = load_network(
            needed(self.encoder, "the encoder to begin with"), torch.device("cpu")
        ).trunk
        torch.manual_seed(0)
        model = MedMMForConditionalGeneration(self.model_config).eval()
        encoder = model.encoder(2)
        encoder.trunk.load_state_dict(trunk.state_dict())
        if self.decoder is not None:
            self.decoder.into(model)
        features = pooled(encoder, self.corpus.films)
        mean, spread = features.mean(0), features.std(0) + 1e-6
        truth = self.corpus.labels(self.findings).astype(np.float64)
        weight, bias = logistic_head(
            (features - mean) / spread, truth, float(self.config["penalty"])
        )
        weight = weight / spread
        with torch.no_grad():
            encoder.head.weight.copy_(torch.from_numpy(weight).float()[:, :, None, None])
            needed(encoder.head.bias, "the bias of the encoder's head").copy_(
                torch.from_numpy(bias - weight @ mean).float()
            )
        return model.eval()

    def collate(self, maps: Maps | None) -> Callable[[list[int]], Batch]:
        """Build the function that makes batches of places in the corpus.

        Every draw hangs on the places, so that a run that goes on draws the same.
        """
        tokenizer, config, codes = self.tokenizer, self.model_config, record_codes()
        begin, image, record = (
            [tokenizer.bos_token_id],
            [config.image_token_id],
            [config.record_token_id],
        )
        end, padding, image_tokens = (
            tokenizer.eos_token_id,
            tokenizer.pad_token_id,
            config.image_tokens(2),
        )
        labels, facts = torch.from_numpy(self.corpus.labels(self.findings)), self.config["facts"]

        def batch(places: list[int]) -> Batch:
            draw = random.Random(int(torch.randint(2**31, (1,))))
            chosen = [self.corpus.examples[place] for place in places]
            records = [record_tokens(drawn_record(e, draw, **facts), codes, UNITS) for e in chosen]
            out = sequences(
                [begin + image * image_tokens + record * len(r.ids) for r in records],
                [
                    tokenizer(
                        target_text(e, self.findings, self.book, draw), add_special_tokens=False
                    )["input_ids"]
                    for e in chosen
                ],
                end=end,
                padding=padding,
            )
            ids, values = stacked(records)
            out |= {"record_ids": torch.from_numpy(ids), "record_values": torch.from_numpy(values)}
            if maps is not None:
                return out | {"encoded_values": maps.drawn(places, draw)}
            films = torch.from_numpy(self.corpus.films[places])[:, None]
            mirrored = torch.tensor([draw.random() < 0.5 for _ in places])[:, None, None, None]
            return out | {
                "pixel_values": torch.where(mirrored, films.flip(3), films),
                "finding_labels": labels[places],
            }

        return batch


def sequences(
    prompts: list[list[int]], targets: list[list[int]], *, end: int, padding: int
) -> Batch:
    """Join prompts and targets with the end of the sequence, padded at the left.

    The section's token is given, not learned.
    """
    rows = [p + t + [end] for p, t in zip(prompts, targets, strict=True)]
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), padding, dtype=torch.long)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for place, (prompt, row) in enumerate(zip(prompts, rows, strict=True)):
        start = longest - len(row)
        ids[place, start:], mask[place, start:] = torch.tensor(row), 1
        learned = start + len(prompt) + 1
        labels[place, learned:] = ids[place, learned:]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@torch.inference_mode()
def pooled(encoder: Any, films: NDArray[np.float32]) -> Array:
    """Compute the encoder's mean features (n, channels) of prepared films."""
    out = []
    for start in range(0, len(films), 16):
        film = torch.from_numpy(films[start : start + 16])[:, None]
        out.append(encoder(film.contiguous(memory_format=torch.channels_last)).mean((2, 3)))
    return torch.cat(out).double().numpy()


def save(model: MedMMForConditionalGeneration, processor: MedMMProcessor, folder: Path) -> None:
    """Write model (rounded to fp16), configuration, tokenizer and processor.

    `model` is left with what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = model.state_dict()
    derived = {
        name: buffer.clone() for name, buffer in model.named_buffers() if name not in written
    }
    model.half().save_pretrained(folder)
    model.float()
    for name, buffer in model.named_buffers():
        # The frequencies of rotary positions: computed at loading, never rounded
        if name in derived:
            buffer.copy_(derived[name])
    (folder / "model.safetensors").chmod(0o644)
    processor.save_pretrained(folder)
    write_json(
        folder / "preprocessing.json",
        {"size_px": SIZE_PX, "function": "medmm.models.film.preprocessing.prepare_film"},
    )
