"""The role of an MR series in its study, weighed by mr_terms.csv and mr_physics.csv.

Both tables lie in data/; what is weighed is what the header states.

A term that decides (a localiser, a diffusion map) is taken at its word. Weightings are decided by
the physics, TE, TR and TI; where a word says otherwise the reason names both. Nothing is guessed:
what no rule fits, or two rules, is UNKNOWN. A reason names elements and values; of a text it
repeats only the table's own name for it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import pairwise

from pydicom.datadict import dictionary_description

from medmm.domain import study
from medmm.domain.study import SequenceRole
from medmm.imaging.mr.physics import Physics, alike

# s/mm2; below it an image of a diffusion series has no diffusion weighting to speak of
WEIGHTED_FROM_B = 50.0
HEART_ROLES = (
    SequenceRole.CINE,
    SequenceRole.LOCALISER,
    SequenceRole.PERFUSION,
    SequenceRole.DERIVED,
)
_POST = r"POST(?!ERIOR)|\bGD\b|\bGAD|\bC ?\+|\+ ?C\b|\bCE\b|\bKM\b|CONTRAST|ENHANCED|\bMDC\b"
_PRE = r"PRE(?!SAT|SS)|NATIV|\bW/?O\b|WITHOUT|NON ?CON|\bC ?-|UNENHANCED"
MIXED = study.Sequence(
    role=SequenceRole.UNKNOWN,
    reason="images of several contrasts in one series that nothing in their places tells apart",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A row of mr_terms.csv: what a pattern in an element means, and whether it decides."""

    element: str
    pattern: re.Pattern[str]
    role: SequenceRole
    decides: bool
    name: str

    @property
    def words(self) -> str:
        """The element and what it says, in words of the standard and of the table."""
        return f"{dictionary_description(self.element)} says {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingRule:
    """A row of mr_physics.csv: the ranges of one weighting; an empty range is not asked."""

    role: SequenceRole
    name: str
    region: str
    family: str
    echo_planar: bool
    inversion: bool | None
    form: str
    ranges: tuple[tuple[str, float, float], ...]

    def fits(self, physics: Physics, region: str) -> bool:
        """Tell whether the image may be of this weighting.

        A family or an inversion that is not stated may be any.
        """
        family = physics.family or "SE"
        inversion = self.inversion is None or physics.inversion in (self.inversion, None)
        if (region, family, physics.echo_planar) != (
            self.region,
            self.family,
            self.echo_planar,
        ) or not inversion:
            return False
        return _form_fits(self.form, physics) and all(
            _within(physics, *limits) for limits in self.ranges
        )


def _within(physics: Physics, name: str, low: float, high: float) -> bool:
    value: float | None = getattr(physics, name)
    if value is None:
        return name in ("inversion_ms", "flip_deg")
    return low <= value <= high


def _form_fits(form: str, physics: Physics) -> bool:
    asked = {
        "prepared": physics.prepared,
        "spoiled": physics.spoiled,
        "phases": physics.phases,
        "2D": physics.dimension == "2D",
        "3D": physics.dimension == "3D",
    }
    return all(asked[word] for word in form.split())


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("medmm.imaging").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())


@cache
def terms() -> tuple[Term, ...]:
    """Read the known terms in the order in which they count."""
    return tuple(
        Term(
            element=row["element"],
            pattern=re.compile(row["pattern"]),
            role=SequenceRole[row["role"]],
            decides=row["decides"] == "yes",
            name=row["name"],
        )
        for row in _rows("mr_terms.csv")
    )


@cache
def rules() -> tuple[WeightingRule, ...]:
    """Read the ranges of every weighting."""
    names = ("echo_ms", "repetition_ms", "inversion_ms", "flip_deg")
    return tuple(
        WeightingRule(
            role=SequenceRole[row["role"]],
            name=row["name"],
            region=row["region"],
            family=row["family"],
            echo_planar=row["echo_planar"] == "yes",
            inversion={"yes": True, "no": False, "any": None}[row["inversion"]],
            form=row["form"],
            ranges=tuple((name, *map(float, row[name].split("-"))) for name in names if row[name]),  # type: ignore[misc]
        )
        for row in _rows("mr_physics.csv")
    )


def sequence_of(images: Sequence[Physics], region: str) -> study.Sequence:
    """Find the role of a stack by the physics of its images; UNKNOWN if they differ in role.

    Args:
        region: BRAIN or HEART; where it is empty the rules of the brain are asked.
    """
    found = [role_of(physics, region or "BRAIN") for physics in images]
    same = len({sequence.role for sequence in found}) == 1 and all(
        alike(a, b) for a, b in pairwise(images)
    )
    return found[len(found) // 2] if same else MIXED


def role_of(physics: Physics, region: str) -> study.Sequence:
    """Find the role of one image and the reason."""
    said = _terms_of(physics)
    decider = next((term for term in said if term.decides), None)
    if physics.component in ("PHASE", "IMAGINARY"):
        return _made(SequenceRole.UNKNOWN, physics, "Complex Image Component is no magnitude")
    if decider is not None:
        return _in_region(_made(decider.role, physics, decider.words), region)
    if (physics.b_value or 0) >= WEIGHTED_FROM_B:
        return _in_region(
            _made(SequenceRole.DWI, physics, "diffusion-weighted by its b-value"), region
        )
    role, why = _weighed(physics, [term for term in said if not term.decides], region)
    if role is SequenceRole.T1:
        role, contrast = _contrast(physics)
        why = f"{why}; {contrast}"
    return _in_region(_made(role, physics, why), region)


def _made(role: SequenceRole, physics: Physics, why: str) -> study.Sequence:
    stated = physics.words() or "no TE or TR is stated"
    derived = (
        "; Image Type says derived" if physics.derived and role is not SequenceRole.DERIVED else ""
    )
    return study.Sequence(role=role, reason=f"{why} ({stated}){derived}")


def _in_region(sequence: study.Sequence, region: str) -> study.Sequence:
    """Return the role as it counts for the body part.

    A heart has no rules of weighting, a brain has no cine that is read.
    """
    known = (
        sequence.role in HEART_ROLES
        if region == "HEART"
        else sequence.role is not SequenceRole.CINE
    )
    if known or sequence.role is SequenceRole.UNKNOWN:
        return sequence
    where = "of the heart" if region == "HEART" else "of the brain"
    reason = f"no role of a series {where}: {sequence.role.value}, {sequence.reason}"
    return replace(sequence, role=SequenceRole.UNKNOWN, reason=reason)


def _terms_of(physics: Physics) -> list[Term]:
    """List the first term that each element states.

    Protocol Name counts only if Series Description says nothing.
    """
    stated = dict(physics.stated)
    found: dict[str, Term] = {}
    for term in terms():
        if term.element == "ImageType":
            holds = any(term.pattern.fullmatch(value) for value in physics.types[2:])
        elif term.element == "SeriesDescription":
            holds = bool(term.pattern.search(stated.get("SeriesDescription", "")))
        else:
            holds = bool(term.pattern.fullmatch(stated.get(term.element, "")))
        if holds:
            found.setdefault(term.element, term)
    protocol = stated.get("ProtocolName", "")
    if protocol and "SeriesDescription" not in found:
        words = (
            t for t in terms() if t.element == "SeriesDescription" and t.pattern.search(protocol)
        )
        term_ = next(words, None)
        # A protocol's name may be that of the whole examination: it decides nothing alone
        if term_ is not None:
            found["ProtocolName"] = replace(term_, element="ProtocolName", decides=False)
    return list(found.values())


def _weighed(physics: Physics, said: Sequence[Term], region: str) -> tuple[SequenceRole, str]:
    """Find the role by physics, or by words if physics fits no rule or several."""
    fitting = [rule for rule in rules() if rule.fits(physics, region)]
    possible = dict.fromkeys(rule.role for rule in fitting)
    by_words = dict.fromkeys(term.role for term in said)
    quoted = "; ".join(term.words for term in said)
    if len(possible) == 1:
        role, against = fitting[0].role, [term for term in said if term.role is not fitting[0].role]
        if not against:
            return role, "; ".join(filter(None, (fitting[0].name, quoted)))
        return (
            role,
            (
                f"{fitting[0].name}, but {'; '.join(t.words for t in against)}: they contradict, "
                "the physics counts"
            ),
        )
    names = " or ".join(rule.name for rule in fitting)
    if len(by_words) == 1 and (not possible or said[0].role in possible):
        return said[
            0
        ].role, f"{quoted}; {f'physics leaves {names}' if names else 'no rule of physics fits'}"
    if said:
        return (
            SequenceRole.UNKNOWN,
            f"{quoted}; they do not agree{f', physics leaves {names}' if names else ''}",
        )
    if possible:
        return SequenceRole.UNKNOWN, f"physics leaves {names}"
    unknown = SequenceRole.DERIVED if physics.derived else SequenceRole.UNKNOWN
    return unknown, "Image Type says derived; no rule fits" if physics.derived else "no rule fits"


def _contrast(physics: Physics) -> tuple[SequenceRole, str]:
    """Decide by its element, else by a word, whether a T1 image is after a contrast agent."""
    stated = dict(physics.stated)
    texts = (stated.get(element, "") for element in ("SeriesDescription", "ProtocolName"))
    said = next((word for text in texts if (word := _said(text))), None)
    if physics.agent is None:
        if said == "post-contrast":
            return (
                SequenceRole.T1_CONTRAST,
                "a description says post-contrast; no element states an agent",
            )
        return SequenceRole.T1, "no element states a contrast agent"
    role = SequenceRole.T1_CONTRAST if physics.agent else SequenceRole.T1
    element = (
        "a contrast agent is stated"
        if physics.agent
        else "the elements state that no contrast agent was given"
    )
    if said is None or (said == "post-contrast") is physics.agent:
        return role, element
    return role, f"{element}, but a description says {said}: they contradict, the element counts"


def _said(text: str) -> str | None:
    if re.search(_PRE, text):
        return "pre-contrast"
    return "post-contrast" if re.search(_POST, text) else None
