"""The HTTP API held against its own OpenAPI by schemathesis: bounded, in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api import Api, Issuer, api_settings
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.specs.openapi.checks import (  # noqa: E402
    ignored_auth,
    positive_data_acceptance,
)

EXAMPLES = 8
# Each address is called without a token elsewhere; and a request can be right at the wrong time
LEFT_OUT = [ignored_auth, positive_data_acceptance]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder, issuer = tmp_path_factory.mktemp("contract"), Issuer()
    with quick_assistant(folder / "data", **api_settings(issuer)) as assistant:
        yield Api(assistant, issuer)


def test_every_address_answers_as_it_is_described(
    api: Api, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case_id = opened(api.assistant, film_file(tmp_path_factory.mktemp("film")))
    api.assistant.draft(case_id)
    there = {"case_id": case_id, "job_id": f"draft-{case_id}"}
    head = {"host": "localhost", "authorization": f"Bearer {api.issuer.token()}"}
    described = schemathesis.openapi.from_asgi(
        "/openapi.json", api.app, headers={"host": "localhost"}
    )
    answered: Counter[int] = Counter()
    operations = [found.ok() for found in described.get_all_operations()]
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), known=st.booleans())
        def holds(case: Any, known: bool) -> None:
            if known:  # what is generated names no case that there is
                of_place = {n: there[n] for n in case.path_parameters if n in there}
                case.path_parameters = {**case.path_parameters, **of_place}
            answer = case.call(headers=head)
            answered[answer.status_code] += 1
            case.validate_response(answer, excluded_checks=LEFT_OUT)

        holds()
    assert len(operations) > 20
    assert not {500, 503} & set(answered), answered
    assert {200, 202, 404, 409, 422, 428} <= set(answered), answered
