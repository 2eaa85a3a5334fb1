"""Every version of a signed report on its way out: what is read first is that it was changed, or counts no more."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medmm.delivery import (
    Outgoing,
    render,
    report_bundle,
    report_json,
    report_text,
    write_report,
)
from medmm.domain.draft import Assertion, ReaderEvidence, Section
from medmm.domain.report import Reader, SignedReport, SignedStatement
from medmm.domain.report_kind import ReportKind
from tests.factories import SECOND, make_amended_report, make_signed_report
from tests.unit.delivery.test_delivery_fhir import IDENTITY

WHY = "Left and right were swapped."
TOLD = "Told to the ward by telephone."


def corrected(first: SignedReport) -> SignedReport:
    """Another side, and no ratio any more."""
    clinical, seen, _, summary = first.statements
    words = "Possible right pleural effusion."
    statements = (clinical, *(replace(s, text=words, side=None) for s in (seen, summary)))
    return make_amended_report(
        first, kind=ReportKind.CORRECTION, reason=WHY, statements=statements, rejected_count=1
    )


def added(before: SignedReport) -> SignedReport:
    addendum = SignedStatement(
        id=f"a{before.version + 1}",
        section=Section.ADDENDUM,
        text=TOLD,
        assertion=Assertion.PRESENT,
        finding=None,
        side=None,
        evidence=(ReaderEvidence(reader_id=SECOND.id),),
        author=SECOND,
        added_at=before.signed_at,
    )
    return make_amended_report(
        before,
        kind=ReportKind.ADDENDUM,
        reason="Asked for by the ward.",
        statements=(*before.statements, addendum),
    )


def withdrawn(before: SignedReport) -> SignedReport:
    return make_amended_report(
        before,
        kind=ReportKind.WITHDRAWAL,
        reason="Another patient's film.",
        statements=(),
        not_evaluated=(),
    )


FIRST = make_signed_report()
CORRECTED = corrected(FIRST)
ADDED = added(CORRECTED)
WITHDRAWN = withdrawn(ADDED)
CHAIN = (FIRST, CORRECTED, ADDED, WITHDRAWN)


def text_of(report: SignedReport, *versions: SignedReport) -> str:
    return report_text(report, IDENTITY, versions=versions)


def flat(text: str) -> str:
    return " ".join(text.split())


def resources(kind: str, *versions: SignedReport) -> list[dict[str, Any]]:
    entries = report_bundle(versions[-1], IDENTITY, versions=versions)["entry"]
    return [e["resource"] for e in entries if e["resource"]["resourceType"] == kind]


def observations(*versions: SignedReport) -> dict[str, dict[str, Any]]:
    """By the fullUrl, which is that of a statement whatever the version."""
    entries = report_bundle(versions[-1], IDENTITY, versions=versions)["entry"]
    return {
        e["fullUrl"]: e["resource"]
        for e in entries
        if e["resource"]["resourceType"] == "Observation"
    }


# ---- text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "title"),
    [
        (CHAIN[:2], "RADIOLOGY REPORT: AMENDED, CORRECTED"),
        (CHAIN[:3], "RADIOLOGY REPORT: AMENDED, CORRECTED; ADDENDUM"),
        ((FIRST, added(FIRST)), "RADIOLOGY REPORT: ADDENDUM"),
        (CHAIN, "RADIOLOGY REPORT: WITHDRAWN, ENTERED IN ERROR"),
        ((FIRST, make_amended_report()), "RADIOLOGY REPORT: AMENDED"),
    ],
)
def test_what_is_read_first_is_that_the_report_was_changed(
    versions: tuple[SignedReport, ...], title: str
) -> None:
    newest = versions[-1]
    text = text_of(newest, *versions)
    assert text.splitlines()[0] == title
    head = flat(text[: text.index("\nPatient ")])
    for version in versions[1:]:  # every change with who, when and why, the last first
        assert f"by ZZREADER Two (reader-2, attending). Reason: {version.reason}" in head
        assert version.signed_at.isoformat(timespec="seconds") in head
        assert f"(version {version.version}, replaces {version.replaces})" in head
    places = [head.index(f"(version {v.version},") for v in versions[1:]]
    assert places == sorted(places, reverse=True)


def test_a_first_version_that_counts_is_printed_as_ever() -> None:
    assert text_of(FIRST, FIRST) == text_of(FIRST) == report_text(FIRST, IDENTITY)
    assert text_of(FIRST).startswith("RADIOLOGY REPORT\n================\n\nPatient ")


def test_a_withdrawn_report_prints_no_finding_and_whose_it_was() -> None:
    text = text_of(WITHDRAWN, *CHAIN)
    assert "No finding of this report is valid." in text
    for statement in (*FIRST.statements, *ADDED.statements):
        assert flat(statement.text) not in flat(text)
    for section in Section:
        assert f"\n{section.value.upper()}\n" not in text
        assert f"\n{section.value.upper()} (" not in text
    assert "Withdrawn by ZZREADER Two (reader-2, attending) on 2026-01-05" in flat(text)
    assert "Signed by" not in text
    assert "ZZFAKE-1" in text
    assert FIRST.study.uid in text


@pytest.mark.parametrize("versions", [CHAIN[:2], CHAIN[:3], CHAIN], ids=len)
@pytest.mark.parametrize("report", CHAIN[:3], ids=lambda report: report.id)
def test_an_earlier_version_is_marked_at_its_head_and_at_every_section(
    report: SignedReport, versions: tuple[SignedReport, ...]
) -> None:
    if report.version >= len(versions):
        return
    newest = versions[-1]
    mark = "WITHDRAWN, ENTERED IN ERROR" if newest.withdrawn else "REPLACED, NOT VALID"
    text = text_of(report, *versions)
    assert text.splitlines()[0] == f"RADIOLOGY REPORT: {mark}"
    assert f"version {newest.version} ({newest.id}) takes its place" in flat(text)
    headings = [s.value.upper() for s in Section if any(t.section is s for t in report.statements)]
    for heading in headings:
        assert f"\n{heading} ({mark})\n" in text
        assert f"\n{heading}\n" not in text
    assert ("No finding of this report is valid." in text) == newest.withdrawn


def test_an_addendum_stands_under_its_heading_with_who_and_when() -> None:
    text = text_of(ADDED, *CHAIN[:3])
    body = text[text.index("\nADDENDUM\n") :]
    assert TOLD in body
    assert "(added by ZZREADER Two (reader-2, attending) on 2026-01-03" in flat(body)


def test_a_reason_can_forge_no_line_and_is_printed_whole() -> None:
    reason = "Seen again.\nSigned by ZZOTHER on 2026-01-09.\n" + "long " * 100 + "end"
    forged = make_amended_report(reason=reason)
    text = text_of(forged, FIRST, forged)
    assert [line for line in text.splitlines() if line.startswith("Signed by")] == [
        "Signed by ZZREADER Two (reader-2, attending) on 2026-01-03T09:30:00+00:00."
    ]
    assert "long end" in flat(text)
    assert max(map(len, text.splitlines())) <= 80


# ---- JSON -----------------------------------------------------------------------------------------------


def test_json_says_whether_a_version_counts_and_which_takes_its_place() -> None:
    for report in CHAIN:
        found = report_json(report, IDENTITY, versions=CHAIN)
        assert found["valid"] is False
        assert found["replaced_by"] == (None if report is WITHDRAWN else WITHDRAWN.id)
        assert found["critical"] == []
        assert [v["version"] for v in found["versions"]] == [1, 2, 3, 4]
        assert [v["reason"] for v in found["versions"]] == [v.reason for v in CHAIN]
    found = report_json(ADDED, IDENTITY, versions=CHAIN[:3])
    assert (found["valid"], found["replaced_by"]) == (True, None)
    assert report_json(FIRST, None)["valid"] is True


def test_a_critical_addendum_is_named() -> None:
    told = replace(ADDED.statements[-1], text="In retrospect a left pneumothorax.")
    report = replace(ADDED, statements=(*CORRECTED.statements, told))
    assert report_json(report, None, versions=(FIRST, CORRECTED, report))["critical"] == ["a3"]


# ---- FHIR -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "status"),
    [
        (CHAIN[:1], "final"),
        (CHAIN[:2], "corrected"),
        ((FIRST, make_amended_report()), "amended"),
        ((FIRST, added(FIRST)), "appended"),
        ((FIRST, added(FIRST), added(added(FIRST))), "appended"),
        # whoever holds the first version must learn more than that something was added
        (CHAIN[:3], "corrected"),
        ((FIRST, make_amended_report(), added(make_amended_report())), "amended"),
        (CHAIN, "entered-in-error"),
    ],
)
def test_the_status_says_the_most_that_became_of_the_report(
    versions: tuple[SignedReport, ...], status: str
) -> None:
    (report,) = resources("DiagnosticReport", *versions)
    assert report["status"] == status


def test_every_version_is_the_same_resource_and_a_later_one_updates_it() -> None:
    bundles = [report_bundle(CHAIN[n], IDENTITY, versions=CHAIN[: n + 1]) for n in range(4)]
    several = {"Device": 2, "Provenance": 2}  # medmm's own and that of its network
    for kind in ("DiagnosticReport", "Patient", "ImagingStudy", *several):
        urls = {
            e["fullUrl"]
            for b in bundles
            for e in b["entry"]
            if e["resource"]["resourceType"] == kind
        }
        assert len(urls) == several.get(kind, 1), kind
    for number, bundle in enumerate(bundles):
        for entry in bundle["entry"]:
            kind, request = entry["resource"]["resourceType"], entry["request"]
            if kind in ("DiagnosticReport", "Observation") and number:
                own = entry["resource"]["identifier"][-1]["value"].replace(":", "%3A")
                assert request == {
                    "method": "PUT",
                    "url": f"{kind}?identifier=urn%3Aietf%3Arfc%3A3986|{own}",
                }
            else:
                assert (request["method"], request["url"]) == ("POST", kind)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_an_observation_that_is_not_made_any_more_was_entered_in_error(length: int) -> None:
    versions = CHAIN[:length]
    sent = {url for n in range(1, length + 1) for url in observations(*CHAIN[:n])}
    found = observations(*versions)
    assert set(found) == sent, "whatever was sent once is spoken of"
    said = {s.text for s in versions[-1].statements}
    for observation in found.values():
        if observation["status"] == "entered-in-error":
            assert not [name for name in observation if name.startswith(("value", "component"))]
            assert "interpretation" not in observation
            assert f"since version {length}" in observation["note"][0]["text"]
        else:
            assert observation["note"][0]["text"] in said
    valid = {url for url, o in found.items() if o["status"] != "entered-in-error"}
    (report,) = resources("DiagnosticReport", *versions)
    assert {r["reference"] for r in report.get("result", [])} == valid
    statuses = sorted(o["status"] for o in found.values())
    assert (
        statuses
        == {
            1: ["final", "final"],
            2: ["corrected", "entered-in-error"],
            3: ["corrected", "entered-in-error", "final"],
            4: ["entered-in-error"] * 3,
        }[length]
    )


def test_what_is_stated_again_is_amended() -> None:
    without = make_amended_report(statements=FIRST.statements[:1])
    again = make_amended_report(without, statements=FIRST.statements)
    found = observations(FIRST, without, again)
    assert {o["status"] for o in found.values()} == {"amended"}
    assert {o["status"] for o in observations(FIRST, without).values()} == {"entered-in-error"}


def test_the_provenance_names_the_version_before_and_the_reason() -> None:
    assert not {"entity", "reason", "activity"} & resources("Provenance", FIRST)[0].keys()
    for number, code in ((1, "UPDATE"), (2, "APPEND"), (3, "NULLIFY")):
        report, before = CHAIN[number], CHAIN[number - 1]
        provenance = resources("Provenance", *CHAIN[: number + 1])[0]
        (entity,) = provenance["entity"]
        assert (entity["role"], entity["what"]["identifier"]["value"]) == ("revision", before.id)
        assert provenance["reason"] == [{"text": report.reason}]
        assert provenance["activity"]["coding"][0]["code"] == code
        (body,) = resources("DiagnosticReport", *CHAIN[: number + 1])
        words = f"version {report.version} of the report"
        assert {"type": {"text": words}, "value": report.id} in body["identifier"]


def test_a_reader_is_the_same_practitioner_in_every_version() -> None:
    """Another signer must never be taken for the first: the server keeps whom it knows under an identifier."""
    third = Reader(id="reader-3", name="ZZREADER Three", role="attending")
    versions = (FIRST, CORRECTED, make_amended_report(CORRECTED, signed_by=third))
    by_url: dict[str, set[str]] = {}
    for number in range(1, 4):
        for one in resources("Practitioner", *versions[:number]):
            urls = [i["value"] for i in one["identifier"] if i["value"].startswith("urn:uuid:")]
            ids = [i["value"] for i in one["identifier"] if not i["value"].startswith("urn:")]
            by_url.setdefault(urls[0], set()).update(ids)
    assert sorted(map(tuple, by_url.values())) == [("reader-1",), ("reader-2",), ("reader-3",)]


def test_the_conclusion_begins_with_what_became_of_the_report() -> None:
    (report,) = resources("DiagnosticReport", *CHAIN[:3])
    lines = report["conclusion"].splitlines()
    assert lines[0].startswith("ADDENDUM on 2026-01-04")
    assert lines[1].startswith("AMENDED, CORRECTED on 2026-01-03")
    assert lines[2:] == [f"Addendum: {TOLD}", "Possible right pleural effusion."]
    (report,) = resources("DiagnosticReport", *CHAIN)
    lines = report["conclusion"].splitlines()
    assert lines[0].startswith("WITHDRAWN, ENTERED IN ERROR on 2026-01-05")
    assert lines[1] == "No finding of this report is valid."
    assert "effusion" not in report["conclusion"]
    whole = base64.b64decode(report["presentedForm"][0]["data"]).decode()
    assert whole == text_of(WITHDRAWN, *CHAIN)


def test_the_bundle_of_an_earlier_version_is_that_of_the_newest_and_says_so() -> None:
    """There is one resource: an outdated Bundle would put it back."""
    newest = render(ADDED, IDENTITY, "fhir", versions=CHAIN[:3])
    assert render(FIRST, IDENTITY, "fhir", versions=CHAIN[:3]) == newest
    told = [i["details"]["text"] for i in json.loads(render(FIRST, IDENTITY, "outcome", versions=CHAIN[:3]))["issue"]]  # fmt: skip
    assert any("the Bundle holds version 3 (report-3)" in text for text in told)


def test_every_reference_of_a_later_version_points_into_its_bundle() -> None:
    for number in range(1, 5):
        bundle = report_bundle(CHAIN[number - 1], IDENTITY, versions=CHAIN[:number])
        urls = [entry["fullUrl"] for entry in bundle["entry"]]
        assert len(set(urls)) == len(urls)
        text = json.dumps(bundle)
        found = {part.split('"')[0] for part in text.split('"reference": "')[1:]}
        assert found <= set(urls)


# ---- files ----------------------------------------------------------------------------------------------


def outgoing(report: SignedReport, versions: Sequence[SignedReport]) -> Outgoing:
    return Outgoing(report=report, identity=IDENTITY, versions=versions)


def test_publishing_a_later_version_marks_the_files_of_earlier_ones(tmp_path: Path) -> None:
    first = write_report(outgoing(FIRST, CHAIN[:1]), tmp_path)
    assert first[0].read_text() == text_of(FIRST)
    written = write_report(outgoing(ADDED, CHAIN[:3]), tmp_path)
    assert set(first) < set(written)
    assert len(written) == 6, "of the second version none lie there"
    assert first[0].read_text() == text_of(FIRST, *CHAIN[:3])
    assert json.loads(first[1].read_text())["replaced_by"] == ADDED.id
    assert first[2].read_text() == (tmp_path / "report-3.fhir.json").read_text()
    again = write_report(outgoing(FIRST, CHAIN), tmp_path)
    assert first[0].read_text().startswith("RADIOLOGY REPORT: WITHDRAWN")
    assert set(again) == set(written)
    assert "NOT VALID" not in (tmp_path / "report-3.txt").read_text().splitlines()[0]
    assert "WITHDRAWN" in (tmp_path / "report-3.txt").read_text().splitlines()[0]
