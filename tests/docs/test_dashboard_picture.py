"""The picture of the dashboard in the README is of the page as it is."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image

from tests.docs.dashboard_picture import (
    MADE_OF,
    PICTURE,
    ROOT,
    carried_sha256,
    page_sha256,
    with_digest,
)

MOST_BYTES = 700_000


def screenshot() -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(out, "PNG")
    return out.getvalue()


def test_the_picture_is_of_the_page_as_it_is() -> None:
    assert carried_sha256(PICTURE) == page_sha256(), (
        "the page is newer than its picture: run `make pictures`"
    )
    assert PICTURE.stat().st_size < MOST_BYTES


def test_a_picture_carries_its_digest_and_one_without_is_told_apart(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    plain.write_bytes(screenshot())
    marked.write_bytes(with_digest(screenshot(), "0" * 64))
    assert carried_sha256(plain) is None
    assert carried_sha256(marked) == "0" * 64
    with Image.open(plain) as before, Image.open(marked) as after:
        assert before.size == after.size


def test_a_changed_added_or_renamed_part_of_the_page_changes_the_digest(tmp_path: Path) -> None:
    for pattern in MADE_OF:
        for path in ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    found = [page_sha256(tmp_path)]
    assert found == [page_sha256()]
    page = tmp_path / "ui" / "presenter.py"
    page.write_text(page.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    found.append(page_sha256(tmp_path))
    page.rename(page.with_name("shown.py"))
    found.append(page_sha256(tmp_path))
    (tmp_path / "ui" / "more.py").write_text("")
    found.append(page_sha256(tmp_path))
    assert len(set(found)) == len(found)
