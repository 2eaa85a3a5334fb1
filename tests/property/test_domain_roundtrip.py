"""Every noun of the domain goes to JSON and back unchanged, whatever it holds."""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import types
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medmm.domain.acceptance import Acceptance, Distribution
from medmm.domain.audit_event import AuditEvent
from medmm.domain.calibration import FindingCalibration
from medmm.domain.codec import from_json, to_json
from medmm.domain.critical_result import Communication
from medmm.domain.double_reading import DoubleReading
from medmm.domain.draft import (
    AlsoSuspected,
    Assertion,
    Draft,
    Fate,
    Generation,
    SentenceRecord,
    Statement,
)
from medmm.domain.first_read import FirstRead
from medmm.domain.frame_reference import FrameReference
from medmm.domain.identity import PatientIdentity
from medmm.domain.insight import InsightFilter
from medmm.domain.lease import Lease
from medmm.domain.model_standing import BackToShadow
from medmm.domain.priority import CasePriority
from medmm.domain.promise import LEAST_POSITIVES, AlarmRule, Promise
from medmm.domain.reading import Extent, Finding, LabelMap, Mask, Measurement, Region
from medmm.domain.rejection_reasons import rejection_reasons
from medmm.domain.report import Add, Addendum, Edit, Impression, Reject, SignedReport
from medmm.domain.report_kind import ReportKind
from medmm.domain.reviewed_case import Answer, ReviewedCase, ReviewedStatement
from medmm.domain.shadow_reading import ShadowReading
from medmm.domain.study import Notice, Study, Volume
from medmm.domain.unfinished_text import UnfinishedText
from medmm.domain.worklist import Page, SavedFilter
from tests.unit.domain.test_domain_nouns import nouns

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
WORDS = TEXT.filter(lambda text: text.strip())
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=ZONES)
FRACTIONS = st.floats(0, 1)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    datetime: MOMENTS,
    date: st.dates(),
}
INSIDE = st.tuples(FRACTIONS, FRACTIONS).filter(lambda pair: pair[0] < pair[1])
BOXES = st.tuples(INSIDE, INSIDE).map(lambda axes: (axes[0][0], axes[1][0], axes[0][1], axes[1][1]))
MASKS = st.builds(
    Mask.from_array,
    TEXT,
    arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))),
    st.none() | st.deferred(lambda: noun(FrameReference)),
)
GRIDS = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
LABEL_MAPS = st.builds(
    LabelMap.from_array,
    TEXT,
    TEXT,
    st.just(("one", "two")),
    arrays.arrays(np.uint8, GRIDS, elements=st.integers(0, 2)),
)
SPACINGS = st.none() | st.tuples(st.floats(0.01, 99), st.floats(0.01, 99))


def _ordered(values: list[float]) -> dict[str, Any]:
    low, value, high = sorted(values)
    return {"value": value, "interval": (low, high)}


def _slices(ends: list[int]) -> dict[str, Any]:
    first, last = sorted(ends)
    return {"slices": (first, last), "slice_count": (last - first) // 2 + 1}


def _tokens(pairs: list[tuple[str, float]], known: bool) -> dict[str, Any]:
    probabilities = tuple(p for _, p in pairs) if known else None
    return {"tokens": tuple(t for t, _ in pairs), "log_probabilities": probabilities}


FATES = st.sampled_from(
    [
        {"fate": Fate.STATED, "statement_id": "s1", "reason": "", "words": ""},
        {"fate": Fate.REPLACED, "statement_id": "s1", "reason": "too sure", "words": ""},
        {"fate": Fate.WITHHELD, "statement_id": None, "reason": "not read", "words": ""},
        {"fate": Fate.REFUSED, "statement_id": None, "reason": "G4: compares", "words": ""},
        {"fate": Fate.REWORDED, "statement_id": "s1", "reason": "G2", "words": "No edema."},
    ]
)


COUNTS = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(tuple)
DISTRIBUTED = st.one_of(
    COUNTS.map(lambda c: {"counts": c, "edges": tuple(float(n) for n in range(len(c) - 1))}),
    COUNTS.map(lambda c: {"counts": c, "labels": tuple(f"name {n}" for n in range(len(c)))}),
)


# Fields whose noun asks more of them than their type does.
NARROW: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    FrameReference: {"frame_number": st.none() | st.integers(1, 10_000)},
    PatientIdentity: {"sex": st.sampled_from([None, "M", "F", "O"])},
    Region: {"peak_xy": st.tuples(FRACTIONS, FRACTIONS), "box_xyxy": BOXES},
    Finding: {
        "probability": FRACTIONS,
        "threshold": st.floats(0.01, 0.99),
        "rule_out": st.none() | st.floats(0.0001, 0.01),
    },
    Volume: {
        "shape_zyx": st.tuples(*[st.integers(1, 4000)] * 3),
        "spacing_yx_mm": SPACINGS,
        "pixel_aspect": st.floats(0.02, 99),
        "patient_left_on": st.sampled_from([None, "left", "right"]),
    },
    Study: {"uid": WORDS},
    BackToShadow: {"reason": WORDS},
    ShadowReading: {"reading": st.none(), "why": st.deferred(lambda: noun(Notice))},
    Statement: {
        "text": WORDS,
        "summarises": st.none(),
    },  # a draft of one that does is in the drafting tests
    Edit: {"text": WORDS},
    Add: {
        "text": WORDS,
        "assertion": st.sampled_from([Assertion.PRESENT, Assertion.POSSIBLE, Assertion.ABSENT]),
    },
    Impression: {"text": WORDS},
    AuditEvent: {"outcome": st.sampled_from(["done", "refused", "failed"])},
    SignedReport: {
        "signed_at": MOMENTS,
        "version": st.integers(2, 99),
        "replaces": WORDS,
        "first": WORDS,
        "reason": WORDS,
        "independent_reads": st.just(()),  # a noun of its own, and a case holds many reports
        "kind": st.sampled_from([ReportKind.AMENDMENT, ReportKind.CORRECTION, ReportKind.ADDENDUM]),
    },
    Addendum: {"text": WORDS},
    CasePriority: {"reason": WORDS, "at": st.none() | MOMENTS},
    Reject: {"code": st.sampled_from([None, *rejection_reasons()])},
    Communication: {
        "findings": st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        "category": st.integers(1, 3),
        "to": WORDS.filter(str.isprintable),
    },
    SavedFilter: {"name": WORDS.filter(str.isprintable)},
    FirstRead: {
        "at": MOMENTS,
        "text": WORDS,
        "findings": st.sampled_from([(), (Add.of("Edema", assertion=Assertion.ABSENT),)]),
    },
    DoubleReading: {
        "at": MOMENTS,
        "dropped_by": st.none(),
        "dropped_at": st.none(),
        "reason": st.just(""),
    },
    UnfinishedText: {"field": WORDS, "at": MOMENTS},
    Page: {"limit": st.none() | st.integers(1, 10_000)},
    Promise: {
        "false_claim_rate": FRACTIONS,
        "claimed": FRACTIONS,
        "prevalence": FRACTIONS,
        "positives": st.integers(LEAST_POSITIVES, 10_000),
    },
    AlarmRule: {"any_finding": FRACTIONS, "point": FRACTIONS, "burden": FRACTIONS},
    FindingCalibration: {
        "slope": st.floats(0.01, 99),
        "intercept": st.floats(-99, 99),
        "threshold": st.floats(0.01, 0.99),
        "rule_out": st.none() | st.floats(0.0001, 0.01),
    },
    ReviewedStatement: {
        "answer": st.just(Answer.EDITED),
        "words_changed": FRACTIONS,
    },
    ReviewedCase: {"signed_at": MOMENTS},
    InsightFilter: {"since": st.none(), "until": st.none() | MOMENTS},
    Acceptance: {"chosen_burden": st.floats(0.01, 0.99)},
}
# What is made for one call to a model, or for a viewer, of pixels, settings and words, and what is sent where with which
# secret; nothing of it is kept as JSON.
NEVER_KEPT = {
    "TlsFiles",
    "DicomReceiver",
    "BearerToken",
    "UserPassword",
    "BackendServices",
    "HttpServer",
    "StowReceiver",
    "FhirReceiver",
    "RecordSource",
    "OutgoingObject",
    "Picture",
    "Instruction",
    "ModelServer",
    "Window",
    "GreyTable",
    "StoredFrame",
    "SentFrame",
}
FIRST_VERSION = {
    "version": 1,
    "replaces": None,
    "first": None,
    "reason": "",
    "kind": ReportKind.ORIGINAL,
}
NEVER_EMPTY = {"volumes", "evidence", "id", "source", "uid"}


def strategy(kind: Any, field: str = "") -> st.SearchStrategy[Any]:
    """Values of a type hint."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*[st.none() if k is type(None) else strategy(k) for k in get_args(kind)])
    if origin is tuple:
        items = get_args(kind)
        if len(items) == 2 and items[1] is Ellipsis:
            least = 1 if field in NEVER_EMPTY else 0
            return st.lists(strategy(items[0]), min_size=least, max_size=2).map(tuple)
        return st.tuples(*[strategy(item) for item in items])
    if origin is collections.abc.Mapping:
        return st.dictionaries(TEXT, strategy(get_args(kind)[1]), max_size=2)
    if dataclasses.is_dataclass(kind):
        return noun(kind)  # type: ignore[arg-type]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return WORDS if kind is str and field in NEVER_EMPTY else PLAIN[kind]


def _later(hint: Any, name: str) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: strategy(hint, name))


def noun(kind: type) -> st.SearchStrategy[Any]:
    """Values of a noun that its own checks accept."""
    if kind is Mask:
        return MASKS
    if kind is LabelMap:
        return LABEL_MAPS
    hints = get_type_hints(kind)
    narrow = NARROW.get(kind, {})
    names = [f.name for f in dataclasses.fields(kind) if f.compare and f.init]
    fields = {n: narrow[n] if n in narrow else _later(hints[n], n) for n in names}
    if kind is Measurement:
        values = st.lists(PLAIN[float], min_size=3, max_size=3).map(_ordered)
        rest = st.fixed_dictionaries(
            {n: s for n, s in fields.items() if n not in ("value", "interval")}
        )
        return st.tuples(rest, values).map(lambda both: kind(**both[0], **both[1]))
    if kind is Extent:
        inside = st.lists(st.integers(0, 200), min_size=2, max_size=2).map(_slices)
        rest = st.fixed_dictionaries(
            {n: s for n, s in fields.items() if n not in ("slices", "slice_count")}
        )
        return st.tuples(rest, inside).map(lambda both: kind(**both[0], **both[1]))
    if kind is Lease:
        ends = st.tuples(MOMENTS, MOMENTS).filter(lambda two: two[0] != two[1]).map(sorted)
        rest = st.fixed_dictionaries(
            {n: s for n, s in fields.items() if n not in ("renewed", "until")} | {"since": MOMENTS}
        )
        return st.tuples(rest, ends).map(
            lambda both: kind(**both[0], renewed=both[1][0], until=both[1][1])
        )
    if kind is Generation:
        rest = st.fixed_dictionaries(
            {n: s for n, s in fields.items() if n not in ("tokens", "log_probabilities")}
        )
        tokens = st.lists(st.tuples(TEXT, PLAIN[float]), max_size=3)
        return st.tuples(rest, tokens, st.booleans()).map(
            lambda all_: kind(**all_[0], **_tokens(all_[1], all_[2]))
        )
    if kind is SentenceRecord:
        rest = st.fixed_dictionaries(
            {
                n: s
                for n, s in fields.items()
                if n not in ("fate", "statement_id", "reason", "words")
            }
        )
        return st.tuples(rest, FATES).map(lambda both: kind(**both[0], **both[1]))
    if kind is Draft:
        withheld = noun(SentenceRecord).filter(lambda record: record.statement_id is None)
        fields["sentences"] = st.lists(withheld, max_size=2).map(tuple)
        fields["statements"] = st.lists(noun(Statement), max_size=2, unique_by=lambda s: s.id).map(
            tuple
        )
        also = st.lists(noun(AlsoSuspected), max_size=2, unique_by=lambda one: one.statement.id)
        fields["also_suspected"] = also.map(
            lambda found: tuple(replace(o, statement=_unstated(o.statement)) for o in found)
        )
        del fields["version"], fields["parent"]
        first, later = st.just((1, None)), st.tuples(st.integers(2, 9), WORDS)
        return st.tuples(st.builds(kind, **fields), first | later).map(
            lambda both: replace(both[0], version=both[1][0], parent=both[1][1])
        )
    if kind is Distribution:
        rest = {n: s for n, s in fields.items() if n not in ("edges", "labels", "counts")}
        return st.tuples(st.fixed_dictionaries(rest), DISTRIBUTED).map(
            lambda both: kind(**both[0], **both[1])
        )
    if kind is SignedReport:
        first = fields | {n: st.just(value) for n, value in FIRST_VERSION.items()}
        return st.builds(kind, **fields) | st.builds(kind, **first)
    return st.builds(kind, **fields)


def _unstated(statement: Statement) -> Statement:
    return replace(statement, id=f"unstated {statement.id}")


@pytest.mark.parametrize(
    "kind",
    [kind for kind in nouns() if kind.__name__ not in NEVER_KEPT],
    ids=lambda kind: kind.__name__,
)
def test_every_noun_goes_to_json_and_back(kind: type) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(noun(kind))
    def there_and_back(value: Any) -> None:
        written = json.dumps(to_json(value))
        again = from_json(kind, json.loads(written))
        assert again == value
        assert json.dumps(to_json(again)) == written

    there_and_back()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_masks_unpack_to_what_was_packed(pixels: np.ndarray) -> None:
    packed = Mask.from_array("m", pixels)
    assert np.array_equal(packed.array(), pixels)
    assert sum(packed.runs[1::2]) == int(pixels.sum())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(arrays.arrays(np.uint8, GRIDS, elements=st.integers(0, 2)))
def test_label_maps_unpack_to_what_was_packed(values: np.ndarray) -> None:
    packed = LabelMap.from_array("x", "a" * 64, ("one", "two"), values)
    assert (packed.array() == values).all()
    assert packed.array().dtype == np.uint8
