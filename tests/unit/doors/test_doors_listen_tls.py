"""Associations over TLS: who gets one, and that nobody who is slow keeps others out."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmm.domain.errors import ConfigError
from medmm.doors.dicom.tls import server_context
from tests.certificates import Authority
from tests.dicom_files import film_file
from tests.listener import Listening, associated, connected, entry, events, receiving, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def hospital(folder: Path) -> Authority:
    return Authority(folder, "hospital")


@pytest.fixture(scope="module")
def listener(
    folder: Path, hospital: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Listening]:
    certificate, key = hospital.sign("listener")
    tls = {"certificate": certificate, "key": key, "callers_ca": hospital.certificate}
    with receiving(tmp_path_factory.mktemp("data"), entry(tls=tls)) as found:
        yield found


def context(authority: Path, pair: tuple[Path, Path] | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(authority))
    if pair is not None:
        made.load_cert_chain(*pair)
    return made


def test_a_caller_with_a_certificate_of_the_authority_sends(
    listener: Listening, hospital: Authority, tmp_path: Path
) -> None:
    tls = context(hospital.certificate, hospital.sign("scanner"))
    with connected(listener.address):  # says nothing, and would hold up a server of pynetdicom
        link = associated(listener.address, tls_args=(tls, "127.0.0.1"))
        assert link.is_established
        assert link.dul.socket.socket.version() == "TLSv1.3"
        assert link.send_c_store(str(film_file(tmp_path))).Status == 0
        link.release()
    assert len(listener.stored()) == 1


@pytest.mark.parametrize("who", ["nobody", "another's", "expired"])
def test_a_wrong_certificate_gets_no_association(
    listener: Listening, hospital: Authority, folder: Path, who: str
) -> None:
    pairs = {
        "nobody": lambda: None,
        "another's": lambda: Authority(folder, "elsewhere").sign("intruder"),
        "expired": lambda: hospital.sign("old", days=-1),
    }
    tls = context(hospital.certificate, pairs[who]())
    listener.told.clear()
    link = associated(listener.address, tls_args=(tls, "127.0.0.1"))
    assert not link.is_established
    until(lambda: listener.told)
    assert events(listener.told, "rejected")[0]["why"] == "tls"


def test_without_tls_there_is_no_association(listener: Listening) -> None:
    assert not associated(listener.address).is_established


def test_tls_before_1_2_is_not_spoken(listener: Listening, hospital: Authority) -> None:
    old = context(hospital.certificate, hospital.sign("old-scanner"))
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    assert not associated(listener.address, tls_args=(old, "127.0.0.1")).is_established


def test_tls_1_2_is_spoken_with_forward_secrecy(listener: Listening, hospital: Authority) -> None:
    tls = context(hospital.certificate, hospital.sign("scanner-1.2"))
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    link = associated(listener.address, tls_args=(tls, "127.0.0.1"))
    assert link.is_established
    assert "ECDHE" in link.dul.socket.socket.cipher()[0]
    link.release()
    tls.set_ciphers("AES128-SHA:AES256-SHA")
    assert not associated(listener.address, tls_args=(tls, "127.0.0.1")).is_established


@pytest.mark.parametrize("wrong", ["certificate", "key", "callers_ca"])
def test_files_that_are_none_are_named(folder: Path, hospital: Authority, wrong: str) -> None:
    certificate, key = hospital.sign("fine")
    junk = folder / "junk.pem"
    junk.write_text("no certificate")
    tls = {"certificate": certificate, "key": key, "callers_ca": hospital.certificate, wrong: junk}
    listen = entry(tls=tls)
    assert listen.tls is not None
    with pytest.raises(ConfigError, match=r"TLS|authority") as refused:
        server_context(listen.tls)
    assert str(junk) in refused.value.where.values()
