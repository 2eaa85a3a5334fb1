from __future__ import annotations

import ast
from pathlib import Path

import pytest

import medmm
from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Reader
from medmm.domain.roles import require, role_table, roles

ROLES = (
    "reader",
    "resident",
    "attending",
    "technologist",
    "auditor",
    "administrator",
    "service",
    "nobody",
)
PHYSICIANS = {"reader", "resident", "attending"}
# Written down a second time, by what must never be: the table itself may change, these limits may not.
NEVER = {
    "sign": set(ROLES) - {"reader", "attending"},
    "amend": set(ROLES) - {"reader", "attending"},
    "addendum": set(ROLES) - {"reader", "attending"},
    "withdraw": set(ROLES) - {"reader", "attending"},
    "release": set(ROLES) - {"reader", "attending"},
    "decide": set(ROLES) - PHYSICIANS,
    "publish": {"resident", "technologist", "auditor", "administrator", "nobody"},
    "deliver": {"resident", "technologist", "auditor", "nobody"},
    "retry_delivery": {"resident", "technologist", "auditor", "service", "nobody"},
    "take_order": set(ROLES) - {"administrator", "service"},
    "identity": {"auditor", "administrator", "service", "nobody"},
}


def test_the_roles_are_the_eight_of_the_design() -> None:
    assert roles() == ROLES


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("verb", sorted(role_table()))
def test_every_verb_with_every_role(verb: str, role: str) -> None:
    who = Reader(id="reader-1", name="-", role=role)
    if role_table()[verb][role]:
        require(verb, who)
    else:
        with pytest.raises(PermissionDenied, match=verb):
            require(verb, who)


@pytest.mark.parametrize("verb", sorted(NEVER))
def test_limits_that_the_table_must_keep(verb: str) -> None:
    assert not {role for role, may in role_table()[verb].items() if may} & NEVER[verb]


def test_nobody_may_touch_nothing_of_a_patient() -> None:
    assert {verb for verb, row in role_table().items() if row["nobody"]} == {
        "models",
        "capabilities",
        "check_model",
    }


def test_an_unknown_role_may_nothing() -> None:
    for verb in role_table():
        with pytest.raises(PermissionDenied):
            require(verb, Reader(id="reader-1", name="-", role="Attending "))


def test_every_verb_that_is_asked_about_has_a_row() -> None:
    """The verb names are the first arguments of `verb`, `look`, `call` and `allow` in the verbs."""
    asked = {
        node.args[0].value
        for path in (Path(medmm.__file__).parent / "verbs").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", ""))
        in ("verb", "call", "look", "allow")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert {"admit", "draft", "decide", "sign", "publish", "read", "case"} <= asked
    assert asked <= set(role_table())
