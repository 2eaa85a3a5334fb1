"""Adopted models are checked on the way in and at every opening, and nothing is half-stored."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from medmm.domain.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    MedmmError,
    StateError,
    Unavailable,
)
from medmm.domain.study_inspection import ModelRow
from medmm.models import Networks
from medmm.models.film.chest_anatomy import STRUCTURES, build
from medmm.models.installed_models import CATALOGUE, Adopted, report_weights
from medmm.training.weights_export import write_manifest, write_weights_folder
from tests.factories import make_case, make_ratio
from tests.model_folders import FINDINGS, decoder_folder, report_folder

ADDED_AT = datetime(2031, 2, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    decoder_folder(folder / "tiny-decoder")
    decoder_folder(folder / "sharded", shard="4KB")
    report_folder(folder / "tiny-report")
    report_folder(folder / "measuring", measurements={"cardiothoracic ratio": 0.5})
    return folder


@pytest.fixture
def source(made: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a made folder that a test may spoil."""
    return lambda name: Path(shutil.copytree(made / name, tmp_path / name))


@pytest.fixture
def adopted(tmp_path: Path) -> Adopted:
    return Adopted(tmp_path / "data" / "models", lambda: ADDED_AT)


def add(
    adopted: Adopted, source: Path, name: str | None = None, licence: str | None = None
) -> ModelRow:
    with adopted.adding(source, name=name, licence=licence) as row:
        return row


def nothing_is_kept(adopted: Adopted) -> bool:
    """Whether the folder holds nothing but its lock and an empty catalogue, if it is there at all."""
    left = {p.name for p in adopted.folder.iterdir()} if adopted.folder.exists() else set()
    return not adopted.rows() and left <= {".lock", CATALOGUE}


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("name", ["tiny-decoder", "sharded"])
def test_a_decoder_gets_a_manifest_and_its_terms_from_its_card(
    name: str, adopted: Adopted, made: Path
) -> None:
    row = add(adopted, made / name)
    assert (row.name, row.task, row.state, row.licence, row.research_only) == (
        name,
        "decoder",
        "ready",
        "apache-2.0",
        False,
    )
    weights = adopted.open(name, task="decoder")
    assert set(weights.json("manifest.json")["files"]) == {p.name for p in (made / name).iterdir()}
    assert row.added_at == "2031-02-03T04:05:06+00:00"
    assert (
        weights.folder.stat().st_mode & 0o777,
        (weights.folder / "config.json").stat().st_mode & 0o777,
    ) == (
        0o700,
        0o600,
    )


def test_a_report_model_keeps_its_manifest_and_terms(adopted: Adopted, made: Path) -> None:
    row = add(adopted, made / "tiny-report", name="ours")
    assert (row.task, row.modality, row.findings, row.licence) == (
        "report",
        "DX",
        FINDINGS,
        "test terms",
    )
    assert row.research_only
    kept = (adopted.folder / "ours" / "manifest.json").read_bytes()
    assert kept == (made / "tiny-report" / "manifest.json").read_bytes()


def test_a_network_of_the_pipeline_is_known_by_its_manifest(
    adopted: Adopted, tmp_path: Path
) -> None:
    config = {"channels": [4, 8], "residual_units": 1, "structures": list(STRUCTURES)}
    folder = tmp_path / "mine"
    write_weights_folder(
        folder, build(config), config=config, preprocessing={"size_px": 64}, calibration={}
    )
    write_manifest(
        folder, name="chest-anatomy", licence="test terms", research_only=False, inputs={}
    )
    row = add(adopted, folder)
    assert (row.task, row.findings, row.research_only) == ("anatomy", STRUCTURES, False)


@pytest.mark.parametrize("name", ["tiny-decoder", "tiny-report"])
def test_one_flipped_byte_in_any_file_is_refused_by_name(
    name: str, adopted: Adopted, made: Path
) -> None:
    task = add(adopted, made / name).task
    files = sorted(p.name for p in (adopted.folder / name).iterdir())
    assert {"manifest.json", "model.safetensors", "config.json", "tokenizer.json"} <= set(files)
    for file in files:
        path = adopted.folder / name / file
        sound = path.read_bytes()
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        with pytest.raises(IntegrityError) as caught:
            adopted.open(name, task=task)
        assert caught.value.where == {"weights": name, "file": file}
        assert adopted.model_rows()[0].state == "altered"
        path.write_bytes(sound)
    assert adopted.open(name, task=task).folder == adopted.folder / name


def test_a_folder_that_is_gone_is_no_missing_installation(adopted: Adopted, made: Path) -> None:
    add(adopted, made / "tiny-decoder")
    shutil.rmtree(adopted.folder / "tiny-decoder")
    with pytest.raises(IntegrityError, match="gone"):
        adopted.open("tiny-decoder", task="decoder")


@pytest.mark.parametrize(
    "damage", ["", "{", "[1]", '[{"name": "x"}]', '[{"name": "../x"}]', "null"]
)
def test_a_damaged_catalogue_is_refused(damage: str, adopted: Adopted, made: Path) -> None:
    row = add(adopted, made / "tiny-decoder")
    path = adopted.folder / CATALOGUE
    whole = json.loads(path.read_text())[0]
    path.write_text(
        damage.replace('{"name": "../x"}', json.dumps({**whole, "name": "../" + row.name}))
    )
    with pytest.raises(IntegrityError, match="catalogue"):
        adopted.rows()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/a/x",
        ".hidden",
        "a\n",
        "ä",
        "x" * 65,
        CATALOGUE,
        "a\\b",
        "-x",
        "a b",
    ],
)
def test_a_name_that_is_a_path_is_refused(name: str, adopted: Adopted, made: Path) -> None:
    with pytest.raises(InputError, match="can't be named"):
        add(adopted, made / "tiny-decoder", name=name)
    assert nothing_is_kept(adopted)


@pytest.mark.parametrize("name", ["chest-report", "Chest-Findings", "tiny-decoder", "TINY-decoder"])
def test_a_name_that_is_taken_is_refused(name: str, adopted: Adopted, made: Path) -> None:
    add(adopted, made / "tiny-decoder")
    with pytest.raises(InputError, match="there is a model"):
        add(adopted, made / "sharded", name=name)
    assert list(adopted.rows()) == ["tiny-decoder"]


def test_what_lies_among_the_models_unasked_is_neither_taken_nor_deleted(
    adopted: Adopted, made: Path
) -> None:
    stray = adopted.folder / "mine" / "keep.txt"
    stray.parent.mkdir(parents=True)
    stray.write_text("x")
    with pytest.raises(InputError, match="is not one"):
        add(adopted, made / "tiny-decoder", name="mine")
    add(adopted, made / "tiny-decoder")
    assert stray.read_text() == "x"


def a_pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))


def code(folder: Path) -> None:
    (folder / "modeling_x.py").write_text("raise SystemExit")


def remote_code(folder: Path) -> None:
    change_json(folder / "config.json", auto_map={"AutoModelForCausalLM": "modeling_x.X"})


def remote_tokenizer(folder: Path) -> None:
    change_json(
        folder / "tokenizer_config.json", extra=[{"auto_map": {"AutoTokenizer": ["x.X", None]}}]
    )


def a_kernel(folder: Path) -> None:
    change_json(folder / "config.json", attn_implementation="somebody/kernel")


def quantised(folder: Path) -> None:
    change_json(folder / "config.json", quantization_config={"quant_method": "bitsandbytes"})


def an_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def a_link(folder: Path) -> None:
    (folder / "more.json").symlink_to(folder / "config.json")


def a_folder_within(folder: Path) -> None:
    (folder / "original").mkdir()


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.json")


def an_archive(folder: Path) -> None:
    (folder / "x.zip").write_bytes(b"x")


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def an_empty_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def a_config_that_is_none(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def an_unknown_kind(folder: Path) -> None:
    change_json(folder / "config.json", model_type="no-such-model")


def no_language_model(folder: Path) -> None:
    change_json(folder / "config.json", model_type="vit")


def another_width(folder: Path) -> None:
    change_json(folder / "config.json", intermediate_size=48)


def more_layers(folder: Path) -> None:
    change_json(folder / "config.json", num_hidden_layers=3)


def fewer_layers(folder: Path) -> None:
    change_json(folder / "config.json", num_hidden_layers=1)


def another_architecture(folder: Path) -> None:
    change_json(folder / "config.json", model_type="gpt_neox", architectures=["GPTNeoXForCausalLM"])


def an_impossible_config(folder: Path) -> None:
    change_json(folder / "config.json", num_attention_heads=0)


def too_few_rows(folder: Path) -> None:
    change_json(folder / "config.json", vocab_size=8)
    state = load_file(folder / "model.safetensors")
    state["model.embed_tokens.weight"] = state["model.embed_tokens.weight"][:8].clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def no_safetensors(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({}))


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def no_parameters(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def no_terms(folder: Path) -> None:
    (folder / "README.md").unlink()


SPOILT = (
    a_pickle, code, remote_code, remote_tokenizer, a_kernel, quantised, an_adapter, a_link, a_folder_within, a_pipe, an_archive,
    no_tokenizer, an_empty_tokenizer, no_config, a_config_that_is_none, an_unknown_kind, no_language_model, another_width,
    more_layers, fewer_layers, another_architecture, an_impossible_config, too_few_rows, no_safetensors, cut_short,
    no_parameters, no_terms,
)  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_decoder_is_refused_and_leaves_no_trace(
    spoil: Callable[[Path], None], source: Callable[[str], Path], adopted: Adopted
) -> None:
    folder = source("tiny-decoder")
    spoil(folder)
    with pytest.raises(InputError) as caught:
        add(adopted, folder)
    assert caught.value.remedy
    assert nothing_is_kept(adopted)


@pytest.mark.parametrize("where", ["../outside.safetensors", "lost.safetensors"])
def test_an_index_that_points_elsewhere_is_refused(
    where: str, source: Callable[[str], Path], adopted: Adopted, tmp_path: Path
) -> None:
    folder = source("sharded")
    index = folder / "model.safetensors.index.json"
    given = json.loads(index.read_text())
    name = min(given["weight_map"])
    shutil.copy(folder / given["weight_map"][name], tmp_path / "outside.safetensors")
    given["weight_map"][name] = where
    index.write_text(json.dumps(given))
    with pytest.raises(InputError, match="missing"):
        add(adopted, folder)
    assert nothing_is_kept(adopted)


def signed_again(folder: Path) -> None:
    write_manifest(folder, name="chest-report", licence="test terms", research_only=True, inputs={})


def set_claim(folder: Path) -> None:
    change_json(folder / "calibration.json", claim={"head": 1.0})
    signed_again(folder)


def set_heads(folder: Path) -> None:
    change_json(folder / "calibration.json", heads={"Mass": {}})
    signed_again(folder)


def set_findings(folder: Path) -> None:
    change_json(folder / "config.json", findings=["Pneumothorax", "Effusion", "Nothing_known"])
    signed_again(folder)


def set_encoder(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["encoders"]["film"]["widths"] = [8, 8, 32, 32]
    change_json(folder / "config.json", encoders=config["encoders"])
    signed_again(folder)


def set_film_tokens(folder: Path) -> None:
    change_json(folder / "processor_config.json", film_tokens=1)
    signed_again(folder)


def set_typical(folder: Path) -> None:
    change_json(folder / "processor_config.json", measurements={"cardiothoracic ratio": 0.6})
    signed_again(folder)


def set_placeholder(folder: Path) -> None:
    change_json(folder / "config.json", measurement_token_id=11)
    signed_again(folder)


def drop_token(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<possible>", "<posible>"))
    signed_again(folder)


@pytest.mark.parametrize(
    "spoil",
    [set_claim, set_heads, set_findings, set_encoder, set_film_tokens, drop_token],
    ids=lambda s: s.__name__,
)
def test_a_report_model_that_could_not_draft_is_refused(
    spoil: Callable[[Path], None], source: Callable[[str], Path], adopted: Adopted
) -> None:
    folder = source("tiny-report")
    spoil(folder)
    with pytest.raises(InputError, match="does not fit"):
        add(adopted, folder)
    assert nothing_is_kept(adopted)


@pytest.mark.parametrize("spoil", [set_typical, set_placeholder], ids=lambda s: s.__name__)
def test_a_report_model_that_would_misread_measurements_is_refused(
    spoil: Callable[[Path], None], source: Callable[[str], Path], adopted: Adopted
) -> None:
    folder = source("measuring")
    spoil(folder)
    with pytest.raises(InputError, match="measurements"):
        add(adopted, folder)
    assert nothing_is_kept(adopted)


@pytest.mark.parametrize(
    "file", ["card.md", "model.safetensors", "more.md", "tokenizer_config.json"]
)
def test_a_file_that_the_manifest_does_not_bear_out_is_named(
    file: str, source: Callable[[str], Path], adopted: Adopted
) -> None:
    folder = source("tiny-report")
    with (folder / file).open("ab") as out:
        out.write(b" ")
    with pytest.raises(IntegrityError) as caught:
        add(adopted, folder)
    assert caught.value.where["file"] == file
    assert nothing_is_kept(adopted)


def test_a_report_model_without_manifest_is_refused(adopted: Adopted, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no manifest"):
        add(adopted, report_folder(tmp_path / "bare", manifest=False))
    assert nothing_is_kept(adopted)


def test_without_room_nothing_is_copied(
    adopted: Adopted, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(Unavailable, match="free"):
        add(adopted, made / "tiny-decoder")
    assert nothing_is_kept(adopted)


def test_a_disk_that_fills_up_leaves_nothing(
    adopted: Adopted, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="written"):
        add(adopted, made / "tiny-decoder")
    monkeypatch.undo()
    assert nothing_is_kept(adopted)


def test_what_is_added_or_removed_comes_back_if_its_entry_fails(
    adopted: Adopted, made: Path
) -> None:
    with pytest.raises(Unavailable), adopted.adding(made / "tiny-decoder", name=None, licence=None):
        raise Unavailable("no entry", remedy="again")
    assert nothing_is_kept(adopted)
    add(adopted, made / "tiny-decoder")
    with pytest.raises(Unavailable), adopted.removing("tiny-decoder"):
        raise Unavailable("no entry", remedy="again")
    assert adopted.open("tiny-decoder", task="decoder")
    with adopted.removing("tiny-decoder"):
        pass
    assert nothing_is_kept(adopted)


def test_what_a_killed_process_left_is_swept(adopted: Adopted, made: Path) -> None:
    left = adopted.folder / ".passing-0011"
    left.mkdir(parents=True)
    add(adopted, made / "tiny-decoder")
    assert not left.exists()


def test_the_report_model_in_use_is_named_by_the_settings(adopted: Adopted, made: Path) -> None:
    add(adopted, made / "tiny-report")
    add(adopted, made / "tiny-decoder")
    weights = report_weights("tiny-report", None, adopted)
    assert weights is not None
    assert weights.folder == adopted.folder / "tiny-report"
    for name in ("tiny-decoder", "nobody", "chest-findings"):
        with pytest.raises(ConfigError) as caught:
            report_weights(name, None, adopted)
        assert "chest-report, tiny-report" in caught.value.remedy


def test_drafts_and_heads_come_from_the_named_model(adopted: Adopted, made: Path) -> None:
    add(adopted, made / "tiny-report")
    networks = Networks(None, device="cpu", adopted=adopted, report="tiny-report")
    reader: Any = networks.reading_models[0].opened()
    assert networks.language_model is not None
    assert networks.language_model.name == reader.report_heads.weights.row.name == "tiny-report"
    with pytest.raises(StateError, match="in use"), networks.removing("tiny-report"):
        pass
    assert "tiny-report" in adopted.rows()
    assert [row.name for row in networks.model_rows()][-1] == "tiny-report"


@pytest.mark.parametrize(("name", "told"), [("measuring", True), ("tiny-report", False)])
def test_a_model_that_knows_measurements_is_told_those_of_the_reading(
    name: str, told: bool, adopted: Adopted, made: Path
) -> None:
    add(adopted, made / name)
    model = Networks(None, device="cpu", adopted=adopted, report=name).language_model
    if told:  # a random model hardly minds a value
        with torch.no_grad():
            for parameter in model.network.measurement.parameters():
                parameter.mul_(50)
    reading = [make_ratio(value) for value in (0.3, 0.9)]
    none, small, large = (
        model.opinions([make_case()], {}, rows)[0] for rows in ((), reading[:1], reading[1:])
    )
    assert (small.probability != large.probability) is told
    assert (none.probability != small.probability) is told


def test_an_unknown_report_model_stops_reading_and_drafting(adopted: Adopted) -> None:
    networks = Networks(None, device="cpu", adopted=adopted, report="nobody")
    with pytest.raises(ConfigError, match="nobody"):
        networks.reading_models[0].opened()
    with pytest.raises(ConfigError, match="nobody"):
        _ = networks.language_model


def test_removing_an_unknown_or_packaged_model_is_refused(adopted: Adopted) -> None:
    for name in ("nobody", "chest-findings", "../data"):
        with pytest.raises(MedmmError, match="no adopted model"), adopted.removing(name):
            pass


def test_no_parameter_is_kept_in_memory_by_the_check(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medmm.models import installed_model_checks

    seen = []
    given = installed_model_checks.AutoModelForCausalLM.from_pretrained

    def noted(*args: Any, **options: Any) -> Any:
        model, found = given(*args, **options)
        seen.append({p.device.type for p in model.parameters()})
        return model, found

    monkeypatch.setattr(installed_model_checks.AutoModelForCausalLM, "from_pretrained", noted)
    installed_model_checks.check_decoder(made / "sharded")
    assert seen == [{torch.device("meta").type}]


def test_of_several_at_once_one_gets_the_name(adopted: Adopted, made: Path) -> None:
    def one(_: int) -> str:
        try:
            return add(adopted, made / "tiny-decoder").state
        except InputError:
            return "refused"

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(one, range(3))) == ["ready", "refused", "refused"]
    assert adopted.model_rows()[0].state == "ready"


def test_a_catalogue_that_can_not_be_written_leaves_nothing(
    adopted: Adopted, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == CATALOGUE:
            raise OSError(28, "No space left on device")
        return given(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(Unavailable, match="written"):
        add(adopted, made / "tiny-decoder")
    monkeypatch.undo()
    assert nothing_is_kept(adopted)
