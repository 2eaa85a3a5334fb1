"""A real `transformers serve` on loopback, with random models: what it ignores is found by the probe and named."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from medmm.domain.errors import MedmmError, Unavailable
from medmm.domain.model_server import ModelServer, WriterProbe
from medmm.drafting import OutsideWriter, RuleWriter, ServerModel, probe
from medmm.drafting.writers.server_probe import ANOTHER_MODEL, PICTURE_IGNORED, PROSE
from medmm.models.report_model.quiet_transformers import quiet
from tests import tiny_vlms
from tests.factories import make_case, make_reading
from tests.proposing_models import findings_of

pytestmark = [pytest.mark.serving, pytest.mark.timeout(600)]
STARTS_WITHIN_S = 300


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model that is shown pictures, and one that reads text alone."""
    folder = tmp_path_factory.mktemp("served")
    with quiet():
        tiny_vlms.made("llava_next", folder / "looks")
        torch.manual_seed(3)
        tokenizer = tiny_vlms.tokenizer_of()
        tokenizer.chat_template = tiny_vlms.TEXT_TEMPLATE
        network = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **tiny_vlms.TEXT))
        tiny_vlms.saved(folder / "blind", tiny_vlms.scaled(network), tokenizer)
    return {"looks": folder / "looks", "blind": folder / "blind"}


@pytest.fixture(scope="module")
def url(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server, started and stopped with its log beside it."""
    home = tmp_path_factory.mktemp("hub")
    (home / "hub").mkdir()  # without it GET /v1/models fails
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _await(f"http://127.0.0.1:{port}/health", process, home / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urlopen(address, timeout=5) as answer:
                assert answer.status == 200
                return
        except (URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"transformers serve did not start: {log.read_text(errors='replace')[-2000:]}")


def served(url: str, model: Path | str) -> ModelServer:
    return ModelServer(url=url, model=str(model), retries=0, chunk_s=120.0)


def probed(server: ModelServer) -> WriterProbe:
    """Its first request loads the model: what takes too long then is asked once more."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    try:
        return probe(server, lambda: now)
    except Unavailable:
        return probe(server, lambda: now)


def codes(found: WriterProbe) -> set[str]:
    return {refusal.code for refusal in found.refusals}


def test_a_server_that_ignores_the_schema_is_refused_by_that_name(
    url: str, folders: dict[str, Path]
) -> None:
    found = probed(served(url, folders["looks"]))
    assert PROSE in codes(found)
    assert ANOTHER_MODEL not in codes(found)  # it answers as PATH@main
    assert PICTURE_IGNORED not in codes(found)
    assert not found.passed


def test_a_model_that_is_shown_no_picture_is_refused_by_that_name(
    url: str, folders: dict[str, Path]
) -> None:
    assert codes(probed(served(url, folders["blind"]))) == {PROSE, PICTURE_IGNORED}


def test_a_model_that_it_has_not_is_a_typed_error(url: str, folders: dict[str, Path]) -> None:
    with pytest.raises(MedmmError):
        probe(served(url, folders["looks"].with_name("nobody")), lambda: datetime.now(UTC))


def test_what_it_says_leaves_a_draft_by_rules(url: str, folders: dict[str, Path]) -> None:
    """Had it been let to speak, random words would have changed nothing."""
    case, reading = make_case(), make_reading()
    server = served(url, folders["looks"])
    draft = OutsideWriter(ServerModel(server, lambda departure: None)).write(case, reading)
    assert findings_of(draft) == findings_of(RuleWriter().write(case, reading))
    assert "writer-failed" in {notice.code for notice in draft.warnings}
