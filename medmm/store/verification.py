"""The check of everything: the log against its heads, and all that is kept against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from medmm.audit.head import HeadSigner
from medmm.audit.log_database import LogDatabase
from medmm.audit.verify import verify
from medmm.domain.audit_event import AuditVerification
from medmm.store import delivery_log, integrity, last_words, log_coverage, search, worklist


def check(
    connection: sa.Connection,
    lines: Sequence[str],
    signer: HeadSigner,
    secret: bytes | None,
    database: LogDatabase,
) -> tuple[AuditVerification, dict[str, str]]:
    """Check log and rows in one snapshot.

    Args:
        lines: of the heads file.
        secret: the key that identities are digested with; None if this installation has made none.

    Returns: what was found, and the stored files still to be looked at (by digest, who names them).
    """
    found = verify(connection, lines, signer, database)
    words: last_words.Words = {}
    beside = log_coverage.LoggedRows()
    ways = delivery_log.LoggedDeliveries()
    for number, event in last_words.said(connection):
        last_words.add(words, number, event)
        beside.add(number, event)
        ways.add(number, event)
    covered = log_coverage.check(connection, secret, words, beside)
    said = {
        name: integrity.marks_of(some) for name, some in last_words.by_case(words.values()).items()
    }
    problems = (
        *found.problems,
        *integrity.problems(connection, said),
        *covered.problems,
        *worklist.problems(connection, said),
        *search.problems(connection, secret, _unsound(covered)),
        *last_words.problems(connection, words),
        *delivery_log.problems(connection, ways),
    )
    of_rows = replace(
        found,
        problems=problems,
        not_covered_before=covered.not_covered_before,
        identities_not_covered=covered.identities_not_covered,
        studies_not_covered=covered.studies_not_covered,
    )
    return of_rows, covered.objects


def _unsound(covered: log_coverage.LogCoverage) -> set[str]:
    """List the patients and studies whose rows are altered, or that no entry covers."""
    named = {problem.place.split()[-1] for problem in covered.problems if problem.place.split()}
    return named | {*covered.identities_not_covered, *covered.studies_not_covered}
