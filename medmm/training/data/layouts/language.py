"""The language of a report that states none."""

from __future__ import annotations

from functools import cache
from typing import Any

from medmm.domain.errors import ConfigError

LANGUAGES = ("en", "de", "es", "fr", "it", "nl", "pt")


def language_of(text: str) -> str:
    """Detect the language of a text among `LANGUAGES`, as in BCP 47.

    Raises: ConfigError if the package py3langid is not installed.
    """
    return str(_identifier().classify(text)[0])


@cache
def _identifier() -> Any:
    try:
        from py3langid import langid
    except ImportError as error:
        raise ConfigError(
            "the language of reports is told by the package py3langid, which is not installed",
            remedy="install medmm[train], or state it in a column `language`",
        ) from error
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier
