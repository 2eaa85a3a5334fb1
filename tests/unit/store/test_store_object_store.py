"""What every `ObjectStore` promises, held by the folder and by one that keeps its files in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medmm.domain.audit_event import AuditEvent
from medmm.domain.errors import InputError, IntegrityError
from medmm.store import Store
from medmm.store.files import Objects
from medmm.store.object_store import ObjectFault, ObjectStore, is_digest
from tests.databases import only_sqlite
from tests.factories import make_study

pytestmark = only_sqlite


class InMemory:
    """Keeps files elsewhere, and brings one here when its place is asked for."""

    def __init__(self, brought: Path) -> None:
        self.brought, self.kept = brought, dict[str, bytes]()

    def put(self, source: Path) -> str:
        try:
            content = source.read_bytes()
        except OSError as error:
            raise InputError("the file can't be opened", remedy="look at it") from error
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    @contextmanager
    def copied(self, sources: Mapping[str, Path]) -> Iterator[Callable[[], None]]:
        copies = {sha256: source.read_bytes() for sha256, source in sources.items()}
        if any(hashlib.sha256(content).hexdigest() != sha for sha, content in copies.items()):
            raise InputError("the file changed after it was judged", remedy="admit it again")
        yield lambda: self.kept.update(copies)

    def place(self, sha256: str) -> Path:
        if not is_digest(sha256):
            raise InputError("an object is named by its SHA-256 in hex", remedy="take a digest")
        here = self.brought / sha256
        if sha256 in self.kept:
            here.write_bytes(self.kept[sha256])
        return here

    def verified_path(self, sha256: str) -> Path:
        match self.fault(sha256):
            case None:
                return self.place(sha256)
            case ObjectFault(kind="missing"):
                raise InputError("no such object in the store", remedy="admit the study again")
        raise IntegrityError("an object was altered", remedy="restore it from a copy")

    def fault(self, sha256: str) -> ObjectFault | None:
        if sha256 not in self.kept:
            return ObjectFault(kind="missing")
        sound = hashlib.sha256(self.kept[sha256]).hexdigest() == sha256
        return None if sound else ObjectFault(kind="altered", text="its bytes are others")

    def digests(self) -> Iterator[str]:
        yield from sorted(self.kept)

    def sweep(self) -> None:
        """Nothing is ever half-copied here."""


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    (tmp_path / "brought").mkdir()
    return (
        Objects(tmp_path / "objects")
        if request.param == "folder"
        else InMemory(tmp_path / "brought")
    )


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film"
    path.write_bytes(b"pixels")
    return path


NOW = datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
FILM = hashlib.sha256(b"pixels").hexdigest()


def altered(objects: ObjectStore, sha256: str) -> None:
    """Change a kept file behind the back of its store."""
    if isinstance(objects, InMemory):
        objects.kept[sha256] = b"others"
    else:
        objects.place(sha256).write_bytes(b"others")


def test_a_file_is_kept_once_under_its_digest(objects: ObjectStore, film: Path) -> None:
    assert (objects.put(film), objects.put(film)) == (FILM, FILM)
    assert list(objects.digests()) == [FILM]
    assert objects.verified_path(FILM).read_bytes() == objects.place(FILM).read_bytes() == b"pixels"
    assert objects.fault(FILM) is None


def test_what_was_copied_is_kept_when_it_is_said_and_not_before(
    objects: ObjectStore, film: Path
) -> None:
    with objects.copied({FILM: film}):
        pass
    assert list(objects.digests()) == []
    with objects.copied({FILM: film}) as keep:
        keep()
    assert list(objects.digests()) == [FILM]


def test_a_file_that_changed_after_it_was_judged_is_not_kept(
    objects: ObjectStore, film: Path
) -> None:
    with pytest.raises(InputError, match="changed"), objects.copied({"0" * 64: film}):
        pass
    assert list(objects.digests()) == []


def test_what_is_missing_or_altered_is_named_and_never_opened(
    objects: ObjectStore, film: Path
) -> None:
    assert objects.fault(FILM) == ObjectFault(kind="missing")
    with pytest.raises(InputError):
        objects.verified_path(FILM)
    altered(objects, objects.put(film))
    assert objects.fault(FILM) == ObjectFault(kind="altered", text="its bytes are others")
    with pytest.raises(IntegrityError):
        objects.verified_path(FILM)


@pytest.mark.parametrize("name", ["", "../keys/audit.key", "A" * 64, "0" * 63, "0" * 65])
def test_a_place_is_named_by_a_digest_alone(objects: ObjectStore, name: str) -> None:
    with pytest.raises(InputError):
        objects.place(name)


def test_a_source_that_is_not_there_is_refused(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        objects.put(tmp_path / "nothing")


def test_a_store_works_with_the_objects_it_is_given(objects: ObjectStore, tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"pixels")
    study = make_study()
    event = AuditEvent(
        at=NOW, verb="admit", outcome="done", actor="a", role="service", subject=study.uid
    )
    with Store.open(tmp_path / "data", objects=objects) as store:
        with store.copied({FILM: film}) as keep, store.step() as step:
            step.save_study(study, {FILM: None})
            step.cover_objects(study.uid, [FILM])
            step.record(event)
            keep()
        assert store.object_path(FILM).read_bytes() == b"pixels"
        assert store.verify().problems == ()
        altered(objects, FILM)
        (problem,) = store.verify().problems
        assert (problem.kind, problem.place) == ("altered", f"object {FILM}")
