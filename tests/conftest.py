"""What all tests share: the folder of real data, which users do not have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared data folder (labelled films, DICOM corpus, FHIR records); the test skips where it is absent."""
    folder = Path(os.environ.get("MEDMM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "cxr" / "labels.csv").exists():
        pytest.skip("the shared data are not here (set MEDMM_TEST_DATA to their folder)")
    return folder


@pytest.fixture(scope="session")
def demo_films() -> Path:
    """Folder of the real DICOM images that the package pydicom-data carries (MIT)."""
    import data_store

    return Path(data_store.__file__).parent / "data"
