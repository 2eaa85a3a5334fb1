"""The report model's encodings of the last films, shared by heads and language model."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor

KEPT = 4  # films; a map takes a third of a megabyte


class EncodedFilms:
    """The last encoded films by network and pixels. Safe from several threads.

    A map is kept under the digest of the manifest of the weights and of the prepared pixels, so
    another film, another preparation or other weights never find it: what is given back is what the
    encoder gave.
    """

    def __init__(self) -> None:
        self._maps: OrderedDict[str, Tensor] = OrderedDict()
        self._guard = threading.Lock()

    def encoded(
        self, weights_sha256: str, prepared: Tensor, encode: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the map of one prepared film (1, 1, rows, columns), kept or made by `encode`.

        What is made is kept.
        """
        pixels = hashlib.sha256(prepared.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
        key = f"{weights_sha256} {prepared.device} {tuple(prepared.shape)} {pixels}"
        with self._guard:
            if key in self._maps:
                self._maps.move_to_end(key)
                return self._maps[key]
        made = encode(prepared)
        with self._guard:
            self._maps[key] = made
            while len(self._maps) > KEPT:
                self._maps.popitem(last=False)
        return made
