"""The built wheel, installed outside the checkout: `medmm demo`, `medmm batch` and `medmm ui` work from it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.dashboard_picture import wait_for
from tests.docs.test_docs_run import blocks
from tests.ui.viewer_page import browser_of

pytestmark = pytest.mark.wheel
ROOT = Path(__file__).resolve().parents[2]


def clean_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("MEDMM_", "PYTHONPATH"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: building leaves nothing in the checkout
    kept = (
        "medmm",
        "ui",
        "pipelines",
        "configs",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "pyproject.toml",
    )
    source.mkdir()
    for name in kept:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def medmm(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script `medmm` of a new environment that holds the wheel; its dependencies are those already installed.

    The dependencies come in through a .pth file, whose own .pth files (the editable checkout) do not count.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder),
        "install",
        "--no-deps",
        "--quiet",
        str(wheel),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "bin" / "medmm"


def run(medmm: Path, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [str(medmm), *words],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_nothing_named_ui_or_pipelines_lands_in_site_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"medmm"}
    for part in ("ui/app.py", "pipelines/batch.py", "configs/local.yaml"):
        assert f"medmm/shipped/{part}" in names
    assert any(
        name.startswith("medmm/weights/") and name.endswith("model.safetensors") for name in names
    )
    assert not any(
        name.startswith("medmm/weights/") and name.endswith("__init__.py") for name in names
    )


def test_the_installed_package_is_the_wheel(medmm: Path, tmp_path: Path) -> None:
    code = "import medmm; print(medmm.__file__)"
    where = subprocess.run(
        [str(medmm.parent / "python"), "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    ).stdout
    assert str(medmm.parent.parent) in where


def test_demo_and_batch_run_from_the_wheel(medmm: Path, tmp_path: Path, demo_films: Path) -> None:
    assert "nothing was signed" in run(medmm, tmp_path, "demo", "--out", "demo")
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(demo_films / "RG1_UNCR.dcm", folder)
    told = run(medmm, tmp_path, "--config", "demo/demo.yaml", "batch", "in", "--out", "out")
    assert "1 studies: 1 done" in told
    assert "0 done, 1 skipped" in run(
        medmm, tmp_path, "--config", "demo/demo.yaml", "batch", "in", "--out", "out"
    )


def test_the_code_of_the_readme_runs_from_the_wheel(medmm: Path, tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    variables = {"MEDMM_DATA_DIR": str(tmp_path / "data"), "MEDMM_THREADS": "1"}
    code = "\n".join(blocks(ROOT / "README.md", "python"))
    done = subprocess.run(
        [str(medmm.parent / "python"), "-c", code],
        cwd=tmp_path,
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def dashboard(medmm: Path, folder: Path, config: str) -> Iterator[str]:
    """The dashboard of the wheel over these settings, as long as it is needed: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(medmm), "--config", config, "ui", "--no-browser", "--port", str(port)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://localhost:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)
    assert "Traceback" not in (folder / "log").read_text()


def test_the_dashboard_draws_from_the_wheel(medmm: Path, tmp_path: Path) -> None:
    """The worklist's table and the viewer are components of the wheel's own files, under the page's policy."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    run(medmm, tmp_path, "demo", "--out", "demo")
    told = run(medmm, tmp_path, "--config", "demo/demo.yaml", "cases", "--json")
    case = json.loads(told)
    complaints: list[str] = []

    def said(message: Any) -> None:
        # Streamlit asks below each page first where its server is
        if message.type == "error" and "/read/_stcore/" not in message.location["url"]:
            complaints.append(f"{message.text} {message.location['url']}")

    with dashboard(medmm, tmp_path, "demo/demo.yaml") as address, browser_of(chromium) as browser:
        tab = browser.new_page(viewport={"width": 1366, "height": 768})
        tab.set_default_timeout(90_000)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", said)
        tab.goto(address)
        tab.locator("tbody tr").first.wait_for()
        tab.goto(f"{address}/read?case={case['case_id']}")
        tab.locator(".medmm-viewer .pane[data-slice]").first.wait_for()
    assert complaints == []


@pytest.mark.slow
def test_the_wheel_with_its_own_dependencies_in_an_empty_environment(
    wheel: Path, tmp_path: Path
) -> None:
    """The same with every dependency installed anew from the pinned versions (needs a package index)."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        str(ROOT / "constraints.txt"),
    ]
    subprocess.run([*pip, "torch==2.13.0"], check=True)
    subprocess.run([*pip, str(wheel)], check=True)
    assert "nothing was signed" in run(folder / "bin" / "medmm", tmp_path, "demo", "--out", "demo")
