"""A proof of one entry is checked by plain hashes and the public key, without medmm's own code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from medmm import Assistant
from medmm.config import ReaderEntry, Settings
from medmm.domain.audit_event import AuditProof
from medmm.domain.errors import InputError, PermissionDenied
from tests.dicom_files import film_file
from tests.quick_assistant import opened, quick_assistant


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("proved")
    with quick_assistant(folder / "data") as made:
        case_id = opened(made, film_file(folder / "in"))
        for _ in range(5):
            made.case(case_id)
        yield made


def root_of(proof: AuditProof) -> str:
    """The root that the path leads to, by RFC 6962's own rule for audit paths (RFC 9162, section 2.1.3.2)."""
    node, index, last = (
        hashlib.sha256(b"\0" + proof.entry.encode()).digest(),
        proof.number - 1,
        proof.size - 1,
    )
    for step in map(bytes.fromhex, proof.path):
        assert last > 0
        if index % 2 or index == last:
            node = hashlib.sha256(b"\1" + step + node).digest()
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = hashlib.sha256(b"\1" + node + step).digest()
        index, last = index // 2, last // 2
    assert last == 0
    return node.hex()


def signed(proof: AuditProof, size: int) -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(proof.public_key))
    key.verify(
        bytes.fromhex(proof.signature), f"medmm tree head v1\n{size}\n{proof.root}\n".encode()
    )


@pytest.mark.parametrize("number", range(1, 8))
def test_an_entry_is_proved_to_whoever_has_the_proof_alone(
    assistant: Assistant, number: int
) -> None:
    proof = assistant.prove(number)
    assert root_of(proof) == proof.root
    signed(proof, proof.size)
    assert json.loads(proof.entry)["verb"] == {1: "admit", 2: "open_case"}.get(number, "case")
    with pytest.raises(InvalidSignature):
        signed(proof, proof.size + 1)


def test_what_is_said_of_an_earlier_head_is_its_root(assistant: Assistant) -> None:
    before = assistant.prove(1)
    after = assistant.prove(2, since=before.size)
    assert after.size > before.size
    assert after.since_root == before.root


def test_the_numbers_are_those_of_the_history(assistant: Assistant) -> None:
    (case,) = assistant.cases()
    for event in assistant.history(case.case_id):
        assert event.number is not None
        said = json.loads(assistant.prove(event.number).entry)
        assert (said["verb"], said["subject"]) == (event.verb, event.subject)
        assert "number" not in said


def test_there_is_no_proof_of_what_is_not_there(assistant: Assistant) -> None:
    for number in (0, -1, 10_000):
        with pytest.raises(InputError, match="no entry"):
            assistant.prove(number)
    with pytest.raises(InputError, match="no tree head"):
        assistant.prove(1, since=10_000)
    assert assistant.verify().ok


def test_a_role_that_may_not_gets_none(tmp_path: Path) -> None:
    readers = (ReaderEntry(id="tech-1", name="ZZTECH One", role="technologist"),)
    with (
        Assistant(Settings(data_dir=tmp_path / "data", readers=readers)) as made,
        pytest.raises(PermissionDenied),
    ):
        made.prove(1, by="tech-1")
