"""What all tests share: the folder of real data, which users do not have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.warm_parent import WarmParent

ROOT = Path(__file__).resolve().parent.parent
# No test is timed: how long an example takes says more of the machine than of the code. The same examples at each run.
settings.register_profile(
    "medmm", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("medmm")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites the golden files instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", default=False)


DEAD = pytest.StashKey[bool]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Remember that a process died with tests that nobody ran."""
    node.config.stash[DEAD] = bool(error) or node.config.stash.get(DEAD, False)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell a run whose process died from one in which tests failed: those may be run again."""
    if session.config.stash.get(DEAD, False):
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


@pytest.fixture(scope="session", autouse=True)
def opened_networks() -> Iterator[None]:
    """Assistants that open the packaged networks share those of the process; see `tests.opened_networks`."""
    from medmm import models
    from tests.opened_networks import OpenedNetworks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "Networks", OpenedNetworks)
        yield


@pytest.fixture(scope="session")
def warm_parent() -> Iterator[WarmParent]:
    """What forks programs that are processes of their own; see `tests.warm_parent`."""
    parent = WarmParent()
    yield parent
    parent.close()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of this name in tests/golden."""

    def compare(name: str, text: str) -> None:
        path = ROOT / "tests" / "golden" / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), "read the change as a diff: make golden"

    return compare


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
