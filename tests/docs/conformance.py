"""docs/conformance.md: what comes in, from the tables and the literals that the code itself uses."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.uid import UID, AllTransferSyntaxes

from medmm import domain, imaging, records
from medmm.domain.identity_match import NO_SHARED_ID, QUESTIONS, compare_identities
from medmm.domain.record import FactStatus
from medmm.evaluation.cards.tables import table
from medmm.imaging.dicom import anatomy, pixels
from medmm.imaging.dicom import files as dicom_files
from medmm.imaging.gate import rules as gate_rules
from medmm.imaging.mr import physics as mr_physics
from medmm.imaging.mr import sequence_roles, series_selection, slice_grouping
from tests.docs.conformance_dicom import dicom_out_md
from tests.docs.conformance_hl7 import hl7_md
from tests.docs.conformance_out import fhir_out_md
from tests.docs.conformance_profiles import profiles_md

MOVING = ("MPEG", "Fragmentable MPEG", "HEVC", "SMPTE", "JPIP")
NIFTI = "medmm.imaging.nifti.files"


def conformance_md() -> str:
    """The page below its heading."""
    parts = (
        "# Conformance\n\nWhat comes in, and what becomes of it. The figures of how well this is kept stand in "
        "[corpus](corpus.md).\n",
        _images(),
        _syntaxes(),
        _frames(),
        _character_sets(),
        _gate(),
        _limits(),
        _sequences(),
        _elements(),
        _nifti(),
        _fhir(),
        _identity(),
        fhir_out_md(),
        profiles_md(),
        dicom_out_md(),
        hl7_md(),
    )
    return "\n".join(parts)


def _images() -> str:
    rows = [
        [
            modality.name.capitalize() if modality.name != "MR" else "MR",
            ", ".join(word for word, m in anatomy.MODALITIES.items() if m is modality),
            uid,
            UID(uid).name,
        ]
        for modality, uids in gate_rules.SOP_CLASSES.items()
        for uid in uids
    ]
    return (
        "## DICOM: images that are read\n\nRadiographs of the chest, MR of the brain and of the heart. Files (PS3.10), folders of them, and "
        "files without prefix; a DICOMDIR is skipped. `medmm listen` takes the same over DICOM associations ([listening](listening.md)), `medmm watch` and `medmm fetch` from folders, archives, a PACS and DICOMweb servers ([fetching](fetching.md)). Any other SOP class is refused, "
        "and the refusal is kept.\n\n" + table(["kind", "Modality", "SOP class", "name"], rows)
    )


def _syntaxes() -> str:
    rows, not_read = [], ["everything that is video, audio or a reference to a server"]
    for uid in sorted(
        (*AllTransferSyntaxes, *pixels._RETIRED), key=lambda uid: [int(n) for n in uid.split(".")]
    ):
        plugin = pixels._PLUGIN.get(str(uid))
        if not uid.is_encapsulated:
            by = "core"
        elif plugin is None:
            if not uid.name.startswith(MOVING):
                not_read.append(f"{uid.name} ({uid})")
            continue
        elif plugin == pixels.GDCM:
            by = "extra `codecs` (GDCM, in a process of its own)"
        else:
            by = f"core ({plugin})"
        if str(uid) == pixels._JPEG_EXTENDED:
            by += " for 8 bits; more: extra `codecs`"
        rows.append([str(uid), uid.name, by])
    return (
        "## Transfer syntaxes\n\n`medmm doctor` says which of them decode on a machine, and the remedy for the rest. What has "
        "no decoder is refused with its remedy.\n\n"
        + table(["UID", "name", "decoded by"], rows)
        + "\nNot read: "
        + "; ".join(not_read)
        + ".\n"
    )


def _frames() -> str:
    whole, alone = "`generate_fragmented_frames`", "`get_frame`"
    agrees = "the same"
    rows = [
        ["an Extended or Basic Offset Table of the starts of its frames", "by the table", agrees],
        ["no table, as many fragments as frames", "a fragment is a frame", agrees],
        [
            "no table, more fragments than frames, JPEG of any kind",
            "a frame ends with the marker of its end",
            agrees,
        ],
        [
            "the same in RLE",
            "refused",
            f"{whole}: the first frame, then `StopIteration`; {alone}: `ValueError`",
        ],
        [
            "a Basic Offset Table of zeros, or with one entry for all frames",
            "the table is not followed",
            f"{whole} and {alone}: no picture",
        ],
        [
            "a Basic Offset Table with an entry beside the start of a fragment",
            "the table is not followed",
            f"{whole}: the right frames; {alone}: `ValueError` for two of them",
        ],
        [
            "an Extended Offset Table of zeros",
            "the table is not followed",
            f"{whole} and {alone}: the first frame in place of every other, without an error (RLE, JPEG-LS)",
        ],
    ]
    return (
        "## Frames of compressed images\n\nA viewer gets one frame at a time (`Volume.frame`), and a reader all of them, by the same "
        "places. A table counts only where each entry is the start of a fragment and every frame has one (PS3.5 A.4, "
        "PS3.3 C.7.6.3.1.8). Beside it stands what pydicom 3.0.2 does with the same file (`pydicom/encaps.py`; images of six "
        "frames made for it, in RLE, JPEG-LS and JPEG 2000).\n\n"
        + table(["how the frames are stated", "what is done", "pydicom alone"], rows)
        + "\nOne frame of deflated and big endian files, and of values of 1 or 12 bits without gaps, is not read apart: the "
        "image is decoded whole. So it is where bits beside the values are in use, which are judged over all frames. A NIfTI "
        "file is read whole once, for the scale of its slices; of one in gzip all before a slice is inflated.\n"
    )


def _character_sets() -> str:
    terms = sorted(
        term for term in python_encoding if term.startswith("ISO") or term in ("GB18030", "GBK")
    )
    return (
        "## Character sets\n\nSpecific Character Set (0008,0005; PS3.3 C.12.1.1.2), with code extensions: "
        + ", ".join(f"`{term}`" for term in terms)
        + ". Without one, text is read as ASCII; a byte that a set does "
        "not hold becomes a replacement character.\n"
    )


def _objected(rule: Callable[..., object]) -> str:
    """Return what a gate rule objects to, by the first line of its docstring."""
    said = (inspect.getdoc(rule) or "").splitlines()[0].removeprefix("Object to ")
    return said[:1].upper() + said[1:]


def _gate() -> str:
    rules = [[f"`{r.code}`", _holds(r.held), _objected(r.asks)] for r in gate_rules.RULES]
    named = {rule.code for rule in gate_rules.RULES}
    others = [
        [
            f"`{call['code']}`",
            _holds(bool(call.get("held"))),
            str(call["reason"]).removeprefix("not evaluable: "),
        ]
        for call in sorted(_calls("Refusal"), key=lambda c: str(c.get("code")))
        if {"code", "reason"} <= set(call) and "…" not in call["code"] and call["code"] not in named
    ]
    kinds = [
        [f"`{refusal.code}`", _holds(refusal.held), refusal.reason.removeprefix("not evaluable: ")]
        for refusal in imaging.gate.picture_kind.KINDS.values()
    ]
    others = [row for row in others if row[0] not in {kind[0] for kind in kinds}]
    assert all(row[2] for row in rules), "a rule of the gate without a docstring"
    notices = {call["code"]: call["text"] for call in _notices()}
    return (
        "## The gate\n\nIt asks in this order, before any model: the header, then the plain pixels, then (radiographs) a small "
        "network for the kind of picture. Refused: not evaluable, with its reason. Held: until a person has looked and "
        "`medmm release` says why.\n\n"
        + table(["code", "verdict", "what it asks of the header"], rules)
        + "\nOf a study's files together, and of the pixels:\n\n"
        + table(["code", "verdict", "why"], [*others, *kinds])
        + "\nWarnings that travel with a study into its draft, its JSON and its report:\n\n"
        + table(
            ["code", "what it says"],
            [[f"`{code}`", text] for code, text in sorted(notices.items())],
        )
    )


def _holds(held: bool) -> str:
    return "hold" if held else "refuse"


def _limits() -> str:
    rows = [
        ["a file", f"{dicom_files.MAX_FILE_BYTES // 2**20} MiB"],
        ["decoded pixels of a file", f"{pixels.MAX_DECODED_BYTES // 2**20} MiB"],
        [
            "a deflated file, inflated",
            f"{dicom_files.MAX_INFLATED_BYTES // 2**20} MiB, or 30 times its size",
        ],
        [
            "elements of a file",
            f"about {dicom_files.MAX_ELEMENTS:,}, and one more for every {dicom_files.BYTES_PER_ELEMENT} bytes",
        ],
        ["a record", f"{_of_room(records, 'LARGEST_BYTES') // 10**6} MB"],
    ]
    least = [
        [
            "radiograph, longest side",
            f"{gate_rules.SMALLEST_FILM_PX} pixels (shortest: {gate_rules.SMALLEST_FILM_PX // 2})",
        ],
        ["MR, longest side", f"{gate_rules.SMALLEST_MR_PX} pixels"],
    ]
    return (
        "## Limits\n\nMore is an error with its remedy.\n\n"
        + table(["what", "at most"], rows)
        + "\nLess is refused by the gate.\n\n"
        + table(["what", "at least"], least)
    )


def _sequences() -> str:
    words = [
        [
            dictionary_description(term.element),
            term.name,
            term.role.value,
            "alone" if term.decides else "with the physics",
        ]
        for term in sequence_roles.terms()
    ]
    physics = [
        [
            rule.role.value,
            rule.name,
            rule.region.lower(),
            ", ".join(f"{n.replace('_', ' ')} {a:g} to {b:g}" for n, a, b in rule.ranges),
        ]
        for rule in sequence_roles.rules()
    ]
    private = [
        [f"({group:04X},xx{element:02X})", creator]
        for creator, group, element in mr_physics.PRIVATE_B
    ]
    wanted = [
        [part, ", ".join(role.value for role in roles)]
        for part, roles in series_selection.WANTED.items()
    ]
    return (
        "## The sequences of an MR study\n\nEach series gets a role with its reason. A term that decides alone is taken at its "
        "word; a weighting is decided by the physics, and where a word says otherwise the reason names both. What no rule fits, or "
        "several, stays unknown. Of several series of a role one stands for it: the original, with known geometry, of more slices, "
        "finer in the plane. Patterns and sources stand in `medmm/imaging/data/mr_terms.csv` and `mr_physics.csv`.\n\n"
        "Slices of a series, and frames of an enhanced image (by their functional groups), that share a place are told apart by "
        "the first of these elements that differs: "
        + ", ".join(dictionary_description(keyword) for keyword in slice_grouping.TELLING)
        + "; then, where every place has as many, by the order of "
        + ", ".join(dictionary_description(keyword) for keyword in slice_grouping.TIMES)
        + ". Of Dimension Index Values those of Stack ID and of places do not count. Frames of different Stack ID or plane are never one "
        "volume. Frames that share no place are apart where they are of several contrasts and no slice would be left alone. What nothing "
        "tells apart is held (`series`).\n\n"
        + table(["role", "physics", "of the", "ranges"], physics)
        + "\n"
        + table(["element", "term", "role", "decides"], words)
        + "\nThe b-value also from private elements of the vendors:\n\n"
        + table(["tag", "private creator"], private)
        + "\nThe roles that a reading would use; those a study lacks are named in a warning:\n\n"
        + table(["body part", "roles"], wanted)
    )


def _elements() -> str:
    texts = {text for text in _texts(imaging) if text.isidentifier() and text[:1].isupper()} - {
        "UID"
    }
    found = {text for text in texts if tag_for_keyword(text)}
    rows = []
    for keyword in sorted(found, key=lambda k: tag_for_keyword(k) or 0):
        tag = tag_for_keyword(keyword) or 0
        rows.append([f"({tag >> 16:04X},{tag & 0xFFFF:04X})", dictionary_description(tag)])
    return (
        "## DICOM elements that are read\n\nEvery element that the code names; all others, private ones too but for the b-values "
        "above, are not looked at.\n\n" + table(["tag", "name"], rows)
    )


def _nifti() -> str:
    if find_spec(NIFTI) is None:
        return "## NIfTI\n\nNot read.\n"
    module = importlib.import_module(NIFTI)
    return f"## NIfTI\n\n{inspect.getdoc(module)}\n"


def _fhir() -> str:
    kinds, dates = _of_room(records, "KINDS"), _of_room(records, "DATES")
    types = [
        [f"`{name}`", kind.value.replace("_", " "), ", ".join(dates.get(name, ()))]
        for name, kind in kinds.items()
    ]
    types.insert(0, ["`Patient`", "identity, age, sex", ""])
    reasons = sorted(
        {str(call["reason"]) for call in _calls("Omission", records) if call.get("reason")}
    )
    return (
        "## FHIR R4: records\n\nA Bundle, a lone resource or NDJSON, as JSON, from a file; no server is asked and no reference is "
        "followed outside. Every other resource type is left out, and that is said.\n\n"
        "A record that says that it is a part is read, and that it is incomplete stands in the record, in the draft and in JSON: a "
        "search with a next page or a total above what is there, resources cut to some of their elements (SUBSETTED, REDACTED, "
        "MASKED), an OperationOutcome that says so, an answer that failed, lines that are no JSON, an inner Bundle.\n\n"
        + table(["resource", "becomes", "dates: the latest counts"], types)
        + "\n"
        + _fhir_elements()
        + _fhir_statuses()
        + _fhir_deviations()
        + "What is left out is listed with its place and one of these reasons:\n\n"
        + "".join(f"- {reason}\n" for reason in reasons)
    )


def _identity() -> str:
    _, *rest = (inspect.getdoc(compare_identities) or "").split("\n\n")
    asked = [[name, text] for name, text in (("patient_id", NO_SHARED_ID), *QUESTIONS.items())]
    return (
        "## Image and record: one patient?\n\n"
        + "\n\n".join(" ".join(part.split()) for part in rest)
        + " What is near is joined with a warning; a mismatch is never joined, whoever confirms it.\n\n"
        + table(["field", "a person must confirm"], asked)
        + "\nWhatever the fields say, a person must also confirm where the record's patient died before the study, was replaced by "
        "another Patient, or holds an element that may change who is meant.\n\n"
    )


def _fhir_statuses() -> str:
    rows = []
    for kind, elements in _of_room(records, "STATUSES").items():
        for element, codes in elements.items():
            for code, meaning in codes.items():
                left_out = meaning.status is FactStatus.ENTERED_IN_ERROR
                becomes = "left out, and said" if left_out else meaning.status.value
                rows.append(
                    [
                        f"`{kind}`",
                        f"`{element}`",
                        f"`{code}`",
                        becomes + (f', "{meaning.mark}"' if meaning.mark else ""),
                    ]
                )
    others = [
        [system, code, status.value, source]
        for system, code, status, source in _of_room(records, "OTHER_CODES")
    ]
    certainty = ", ".join(
        f"{code}: {status.value}" for code, status in _of_room(records, "CERTAINTY").items()
    )
    return (
        "A status is kept with its fact, or the fact is left out. Of several statements of one fact the most negative prevails: "
        + ", ".join(status.value for status in _of_room(records, "ORDER"))
        + ". A code of HL7's own system counts wherever it stands among several codings; a missing status, words alone and an "
        "unknown code make a fact unconfirmed and are marked.\n\n"
        + table(["resource", "element", "code", "what becomes of the fact"], rows)
        + "\nWhat else says how sure a diagnosis is, where HL7's system does not: in its verificationStatus\n\n"
        + table(["system", "code", "what becomes of the fact", "source"], others)
        + f"\nand, as an extension of its code, `{_of_room(records, 'CERTAINTY_URL')}` ({certainty}).\n\n"
        "A status is that at the study. A condition that ended after it was active, and what is stated as active and ended before it "
        "is inactive and marked; where an end and the study can't be ordered it is unconfirmed and marked. Ends: abatement[x] of a "
        "condition (ages by the birth date), effectivePeriod of a MedicationStatement, bounds of all dosages. The same condition or "
        "allergy as active and as over or denied is marked at both, unless the one began after the other was over.\n\n"
    )


def _fhir_elements() -> str:
    elements = _of_room(records, "ELEMENTS", default={})
    rows = [
        [f"`{kind}.{name}`", becomes]
        for kind, row in elements.items()
        for name, becomes in row.items()
    ]
    return table(["element", "what it becomes"], rows) + "\n" if rows else ""


def _fhir_deviations() -> str:
    rows = [list(row) for row in _of_room(records, "DEVIATIONS", default=())]
    intro = (
        "Read tolerantly: what is not strict R4 is named beside what was read from it. The check uses the R4B classes of "
        "fhir.resources, which has no R4; for the resource types above they accept what R4 does.\n\n"
    )
    return intro + (
        table(["what a sender may do", "what becomes of it"], rows) + "\n" if rows else ""
    )


def _of_room(room: ModuleType, name: str, default: Any = None) -> Any:
    """A table of a room by its name, wherever the room keeps it."""
    for info in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        module = importlib.import_module(info.name)
        if name in vars(module):
            return vars(module)[name]
    if default is None:
        raise AssertionError(f"{room.__name__} keeps no table {name}")
    return default


@cache
def _trees(room: ModuleType) -> tuple[ast.Module, ...]:
    files = sorted(Path(room.__path__[0]).rglob("*.py"))
    return tuple(ast.parse(file.read_text(encoding="utf-8")) for file in files)


def _nodes(room: ModuleType) -> Iterator[ast.AST]:
    for tree in _trees(room):
        yield from ast.walk(tree)


def _calls(name: str, room: ModuleType = imaging) -> list[dict[str, Any]]:
    """The literal arguments of each call of a name; text in braces stands for what is only known later."""
    found = []
    for node in _nodes(room):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", getattr(node.func, "attr", "")) == name
        ):
            arguments = {k.arg: _literal(k.value) for k in node.keywords if k.arg}
            if name == "_note":
                arguments |= dict(zip(("code", "text"), map(_literal, node.args), strict=True))
            found.append({k: v for k, v in arguments.items() if isinstance(v, str | bool)})
    return found


def _notices() -> Iterator[dict[str, Any]]:
    """Notices by their call, and those that stand as rows (code, when, text)."""
    yield from (
        call
        for call in (*_calls("Notice"), *_calls("Notice", domain), *_calls("_note"))
        if {"code", "text"} <= set(call)
    )
    for node in _nodes(imaging):
        if isinstance(node, ast.Tuple) and len(node.elts) == 3:
            code, text = _literal(node.elts[0]), _literal(node.elts[2])
            if (
                isinstance(code, str)
                and isinstance(text, str)
                and " " not in code
                and " " in text.strip()
            ):
                yield {"code": code, "text": text}


def _literal(node: ast.AST) -> Any:
    if isinstance(node, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
    return node.value if isinstance(node, ast.Constant) else None


def _texts(room: ModuleType) -> Iterator[str]:
    for node in _nodes(room):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
