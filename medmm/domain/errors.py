"""The error tree of medmm. Its second level says who must act.

MedmmError
├── InputError        the sender: a file, record or request is at fault          exit 3, HTTP 422
├── ConfigError       the operator: a setting or an installation is at fault     exit 4, HTTP 500
├── PermissionDenied  the user: this role may not do this                        exit 5, HTTP 403
├── StateError        the caller: right request, wrong time                      exit 6, HTTP 409
├── Unavailable       nobody: try again                                          exit 7, HTTP 503
└── IntegrityError    stop and call someone: audit broken, weights altered       exit 8, HTTP 500
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class MedmmError(Exception):
    """What went wrong (`problem`), where (`where`), and what to do about it (`remedy`).

    `where` holds keys, paths and hashes, never names or text of a record, so that an error can be
    logged.
    """

    def __init__(self, problem: str, *, remedy: str, **where: str) -> None:
        place = ", ".join(f"{name} {value}" for name, value in where.items())
        super().__init__(f"{problem}{f' ({place})' if place else ''}; {remedy}")
        self.problem, self.remedy, self.where = problem, remedy, where


class InputError(MedmmError):
    """The sender must act: a file, a record or a request is at fault."""


class ConfigError(MedmmError):
    """The operator must act: a setting or an installation is at fault."""


class PermissionDenied(MedmmError):
    """The user must act: this person or role may not do this."""


class StateError(MedmmError):
    """The caller must act: a right request at the wrong time (already signed, draft outdated)."""


class Unavailable(MedmmError):
    """Nobody is at fault: try again later."""


class IntegrityError(MedmmError):
    """Stop and call someone: the audit log, the store or the weights were altered."""


def needed(value: T | None, what: str, **where: str) -> T:
    """Return a value that an earlier step gives.

    Raises: StateError naming it if it is missing.
    """
    if value is None:
        raise StateError(
            f"{what} is missing",
            remedy="call the steps in their order; else this is a fault of medmm: report it",
            **where,
        )
    return value


EXIT_CODES: dict[type[MedmmError], int] = {
    InputError: 3,
    ConfigError: 4,
    PermissionDenied: 5,
    StateError: 6,
    Unavailable: 7,
    IntegrityError: 8,
}
SOME_FAILED = 9  # of several inputs: some failed, others were done
HTTP_STATUS: dict[type[MedmmError], int] = {
    InputError: 422,
    ConfigError: 500,
    PermissionDenied: 403,
    StateError: 409,
    Unavailable: 503,
    IntegrityError: 500,
}


def exit_code(error: MedmmError) -> int:
    """Return the process exit code for an error: 3 to 8 in the order of the tree."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def exit_code_of_several(codes: Iterable[int]) -> int:
    """Return the process exit code for several inputs by the code of each, 0 for done.

    Returns: 0 if none failed, `SOME_FAILED` if some did and others not, else the highest.
    """
    codes = list(codes)
    failed = [code for code in codes if code]
    if not failed:
        return 0
    return max(failed) if len(failed) == len(codes) else SOME_FAILED
