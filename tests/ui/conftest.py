"""What tests of Streamlit pages leave behind is put back."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def main_module_put_back() -> Iterator[None]:
    """A page runs as `__main__` and stays there; processes that later tests start would run it again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
