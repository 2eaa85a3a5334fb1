"""The network for the kind of picture is loaded by the first film, not by every study."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medmm.domain.errors import IntegrityError
from medmm.models import picture_kinds
from medmm.models.film.film_kind import KINDS
from medmm.models.weights.catalogue import packaged_weights
from tests.dicom_files import picture

MR = """
import sys
from pathlib import Path
from medmm.imaging import inspection, read_studies
from medmm.models import picture_kinds
from tests.dicom_files import mr_file
folder = Path(sys.argv[1])
for n in range(3):
    mr_file(folder, f"{n}.dcm", 5.0 * n)
kinds = picture_kinds()
for intake in read_studies([folder], patient_secret=b"x", kinds=kinds):
    inspection(intake, kinds)
print("monai" in sys.modules, "torch" in sys.modules)
"""


def test_an_mr_study_loads_no_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MR, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_a_film_is_told_by_the_network() -> None:
    kinds = picture_kinds()
    grey = picture().astype("float32") / 4095
    assert kinds.kind_of(grey) in KINDS
    assert kinds.surely_frontal(grey) is False


def test_altered_weights_are_refused_before_they_are_asked(tmp_path: Path) -> None:
    folder = tmp_path / "film-kind"
    folder.mkdir()
    for path in (packaged_weights() / "film-kind").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "model.safetensors").write_bytes(b"0" * 100)
    with pytest.raises(IntegrityError):
        picture_kinds(tmp_path)
