from __future__ import annotations

from importlib.resources import files

import pytest
import yaml

from medmm.domain.errors import ConfigError
from medmm.domain.vocabulary import finding_terms
from medmm.drafting.phrases import parse_phrases, phrases
from medmm.language.report_parser import Polarity, findings_named

TEXT = files("medmm.drafting").joinpath("phrases.yaml").read_text(encoding="utf-8")


def test_every_finding_of_the_vocabulary_has_words_and_no_other() -> None:
    assert set(phrases().findings) == set(finding_terms())


@pytest.mark.parametrize("name", sorted(finding_terms()))
def test_the_words_say_what_they_are_for(name: str) -> None:
    row = phrases().findings[name]
    for side in ("", "left ", "right ", "bilateral "):
        assert findings_named(row.possible.format(side=side)) == {name: Polarity.HEDGED}
    assert findings_named(row.absent) == {name: Polarity.DENIED}
    assert row.source


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('    possible: "Possible cardiomegaly."\n', "", "findings.Cardiomegaly.possible"),
        (
            '    possible: "Possible cardiomegaly."',
            '    possibel: "x"',
            "findings.Cardiomegaly.possibel",
        ),
        ("Possible cardiomegaly.", "Possible {side}cardiomegaly.", "whether a side is named"),
        ("Possible {side}atelectasis.", "Possible atelectasis.", "whether a side is named"),
        ("{side}atelectasis", "{sidee}atelectasis", "unknown slots"),
        ("No atelectasis suspected.", "No {side}atelectasis suspected.", "unknown slots"),
        ("value: 365", "value: 0", "rules.observation_days.value"),
        ("impression:", "impresion:", "impresion"),
        ("rules:", "rules: [", "not YAML"),
    ],
)
def test_wrong_phrases_are_refused_by_place(old: str, new: str, reason: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=reason):
        parse_phrases(TEXT.replace(old, new, 1))


def test_the_file_is_plain_yaml() -> None:
    assert set(yaml.safe_load(TEXT)) == set(type(phrases()).model_fields)
