"""What an assistant keeps, looked at beside it: through a store of its own over the same data folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medmm.assistant import Assistant
from medmm.store import Store


class kept:
    """The methods of a store over an assistant's data folder, opened for one call each."""

    def __init__(self, assistant: Assistant) -> None:
        self._settings = assistant.settings

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with Store.open(self._settings.data_dir, heads_path=self._settings.heads_path) as store:
                return getattr(store, name)(*args, **kwargs)

        return call
