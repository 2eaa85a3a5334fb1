"""A report among its versions, and what must be seen first: a change, or that it is void."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medmm.domain.plain_text import clean
from medmm.domain.report import Reader, SignedReport
from medmm.domain.report_kind import ReportKind

WITHDRAWN = "WITHDRAWN, ENTERED IN ERROR"
HEADS = {
    ReportKind.AMENDMENT: "AMENDED",
    ReportKind.CORRECTION: "AMENDED, CORRECTED",
    ReportKind.ADDENDUM: "ADDENDUM",
    ReportKind.WITHDRAWAL: WITHDRAWN,
}
NOTHING_VALID = "No finding of this report is valid."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """One version of a signed report among all of them.

    Attributes:
        report: the version that is given out.
        versions: all of the report, oldest first.
    """

    report: SignedReport
    versions: tuple[SignedReport, ...]

    @classmethod
    def of(cls, report: SignedReport, versions: Sequence[SignedReport] = ()) -> Lineage:
        """Place a report among its versions; it stands alone if none are named."""
        return cls(report=report, versions=tuple(versions) or (report,))

    @property
    def newest(self) -> SignedReport:
        """The version that counts."""
        return self.versions[-1]

    @property
    def replaced(self) -> bool:
        """Whether a later version took the place of this one."""
        return self.newest.version > self.report.version

    @property
    def withdrawn(self) -> bool:
        """Whether nothing of the report is valid, in whatever version."""
        return self.newest.withdrawn

    @property
    def valid(self) -> bool:
        """Whether this version counts."""
        return not self.replaced and not self.withdrawn

    @property
    def mark(self) -> str:
        """What became of the report, in capitals; "" of the first version while it counts."""
        if self.withdrawn:
            return WITHDRAWN
        if self.replaced:
            return "REPLACED, NOT VALID"
        kinds = {version.kind for version in self.versions}
        if ReportKind.CORRECTION in kinds:
            kinds.discard(ReportKind.AMENDMENT)  # a correction is one, and says more
        return "; ".join(head for kind, head in HEADS.items() if kind in kinds)

    def notices(self) -> Iterator[str]:
        """Yield who changed the report, when and why, the last change first.

        Before that comes whether this version counts.
        """
        if self.replaced:
            newest = self.newest
            yield (
                f"This is version {self.report.version}, which is not valid: "
                f"version {newest.version} ({newest.id}) takes its place."
            )
        for version in reversed(self.versions):
            if version.kind is not ReportKind.ORIGINAL:
                yield change_words(version)
            if version.withdrawn:
                yield NOTHING_VALID


def change_words(version: SignedReport) -> str:
    """Say in which way a version changed the report, when, by whom and why."""
    reason = clean(version.reason, limit=len(version.reason))
    return (
        f"{HEADS[version.kind]} on {version.signed_at.isoformat(timespec='seconds')} by "
        f"{reader_words(version.signed_by)}. Reason: {reason} "
        f"(version {version.version}, replaces {version.replaces})"
    )


def reader_words(reader: Reader) -> str:
    """Name a reader by name, id and role."""
    return f"{clean(reader.name)} ({reader.id}, {reader.role})"
