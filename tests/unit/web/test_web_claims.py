"""Claims of a provider read as a reader, or refused with what to ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmm.domain.errors import PermissionDenied
from medmm.domain.report import Reader
from medmm.web.claims import reader_of
from tests.unit.web.sign_in_rules import claims, entry


def read(said: dict[str, Any], **settings: Any) -> Reader:
    return reader_of(said, entry(**settings), service="medmm-service")


def refused(said: dict[str, Any], **settings: Any) -> PermissionDenied:
    with pytest.raises(PermissionDenied) as caught:
        read(said, **settings)
    assert caught.value.remedy
    return caught.value


def test_a_person_is_told_by_the_subject_with_name_and_mapped_role() -> None:
    assert read(claims()) == Reader(id="att-1", name="ZZREADER One", role="attending")


@pytest.mark.parametrize("held", ["rad-resident", ["x", "rad-resident"], ("rad-resident",)])
def test_a_role_may_stand_alone_or_in_a_list(held: object) -> None:
    said = {**claims(), "https://hospital.example/roles": held}
    assert read(said, roles_claim=("https://hospital.example/roles",)).role == "resident"


def test_of_several_roles_the_first_line_of_the_settings_counts() -> None:
    said = claims(realm_access={"roles": ["rad-resident", "rad-attending"]})
    assert read(said).role == "attending"
    table = {"rad-resident": "resident", "rad-attending": "attending"}
    assert read(said, roles=table).role == "resident"


@pytest.mark.parametrize(
    "held", [None, {}, {"roles": None}, {"roles": {"rad-attending": 1}}, {"roles": 7}, "roles", [],
             {"roles": ["RAD-ATTENDING", "rad-attending ", "attending", "rad"]}],
)  # fmt: skip
def test_without_a_mapped_role_nobody_comes_in_and_is_told_what_to_ask_for(held: object) -> None:
    error = refused(claims(realm_access=held))
    assert error.where["session"] == "no role"
    assert "rad-attending, rad-resident" in error.remedy


@given(st.text(max_size=30))
def test_only_the_very_words_of_the_settings_give_a_role(value: str) -> None:
    said = claims(realm_access={"roles": [value]})
    if value in ("rad-attending", "rad-resident"):
        assert read(said).role == value.removeprefix("rad-")
    else:
        refused(said)


@pytest.mark.parametrize(
    "sub", [None, "", 7, ["a"], "a b", "a\nb", "ä", "x" * 256, "medmm-service", "\u202eone"]
)
def test_a_subject_that_tells_nobody_is_refused(sub: object) -> None:
    assert refused(claims(sub=sub)).where["session"] == "no id"


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_counts_as_an_id_only_if_the_provider_verified_it(verified: object) -> None:
    said = claims(email="one@hospital.example", email_verified=verified)
    assert read(said).id == "att-1"
    refused(said, reader_id_claim="email")
    said["email_verified"] = True
    assert read(said, reader_id_claim="email").id == "one@hospital.example"


@pytest.mark.parametrize(
    "name", [None, "", "  ", 7, "x" * 201, "One\x00", "One \u202eeno", "One\u2028Signed by Two"]
)
def test_a_name_that_can_not_stand_in_a_report_is_refused(name: object) -> None:
    if name == "One\u2028Signed by Two":  # a line end is a space to Python
        assert read(claims(name=name)).name == "One Signed by Two"
    else:
        assert refused(claims(name=name)).where["session"] == "no name"


def test_names_of_any_script_stay_as_they_are() -> None:
    for name in ("Jean‐Luc O’Brien", "李 小龍", "می‌خواهم", "Nguyễn Thị Ánh"):
        assert read(claims(name=name)).name == name
    assert read(claims(name=" Two\n Lines ")).name == "Two Lines"
