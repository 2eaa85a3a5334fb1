"""The devices, lines and tubes that words name, from `data/device_words.csv`."""

from __future__ import annotations

from medmm.language.word_tables import phrase_patterns


def devices_named(text: str) -> tuple[str, ...]:
    """Return the kinds of device that a text names."""
    return tuple(
        name for name, words in phrase_patterns("device_words", "device") if words.search(text)
    )
