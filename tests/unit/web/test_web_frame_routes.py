"""Frames, drawn pictures, overlays and reports over a real store, and who gets none."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmm.assistant import Assistant
from medmm.config import ReaderEntry
from medmm.domain.report import CaseFile
from medmm.domain.stored_frame import Window
from medmm.domain.study import Volume
from medmm.presentation.overlays import overlay_pixels, overlay_volume, overlays
from medmm.web.browser_cookie import COOKIE
from medmm.web.decoding_threads import DecodingThreads
from medmm.web.frame_links import browser_digest
from medmm.web.opened_cases import OpenedCases
from medmm.web.sign_ins import SessionDirectory
from tests.dicom_files import picture
from tests.kept import kept
from tests.quick_assistant import READERS, signed
from tests.unit.web.conftest import BROWSER, OTHER_BROWSER, Room
from tests.unit.web.sign_in_rules import Said, claims, let_in, sign_ins

TWO = (*READERS, ReaderEntry(id="reader-2", name="ZZREADER Two", role="attending"))


def volume_of(room: Room) -> Volume:
    return room.look().case.study.volumes[0]


def frame_path(room: Room, index: int | str = 0, **how: Any) -> str:
    return room.links(**how).frames(volume_of(room).sha256).format(index=index)


def looks(room: Room) -> int:
    return sum(event.verb == "case" for event in kept(room.assistant).events(room.case))


def problem(answer: Any) -> str:
    said: str = answer.json()["problem"]
    assert answer.json()["remedy"]
    assert answer.headers["cache-control"] == "no-store"
    return said


def test_a_frame_is_its_values_and_behind_them_how_they_are_shown(
    room: Room, tmp_path: Path
) -> None:
    answer = room.get(frame_path(room))
    assert answer.status_code == 200
    pixels = picture()
    values = np.frombuffer(answer.content, "<u2", pixels.size).reshape(pixels.shape)
    assert np.array_equal(values, pixels)
    facts = json.loads(answer.content[2 * pixels.size :])
    assert (facts["pixel_type"], facts["slope"], facts["intercept"]) == ("uint16", 1.0, 0.0)
    assert facts["windows"][0] == {
        "name": "window 1",
        "center": 2048.0,
        "width": 4096.0,
        "function": "LINEAR",
    }
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "private, no-cache"


def test_what_a_browser_has_already_is_not_decoded_again(room: Room) -> None:
    path = frame_path(room)
    tag = room.get(path).headers["etag"]

    def refuses(index: int) -> Any:
        raise AssertionError("decoded")

    file = room.look()
    study = replace(
        file.case.study,
        volumes=tuple(replace(v, stored_frame_loader=refuses) for v in file.case.study.volumes),
    )
    room.links(file=replace(file, case=replace(file.case, study=study)))
    again = room.get(path, if_none_match=f'"other", W/{tag}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    with pytest.raises(AssertionError, match="decoded"):
        room.get(path, if_none_match='"other"')
    assert room.get(path, cookie=OTHER_BROWSER, if_none_match=tag).status_code == 403


def test_a_link_is_for_one_browser_one_reader_one_series_and_a_short_time(
    room_of: Callable[..., Room],
) -> None:
    room = room_of(readers=TWO)
    path, links = frame_path(room), room.links()
    assert room.get(path).status_code == 200
    for cookie in (OTHER_BROWSER, "", "no cookie of ours"):
        assert "another browser" in problem(room.get(path, cookie=cookie))
    assert "no such series" in problem(room.get(links.frames("b" * 64).format(index=0)))
    assert "something else" in problem(room.get(path.replace("/frames/", "/pictures/")))
    for status, wrong in (
        (403, path.replace("/frames/", "/frames/x")),
        (422, path[:-1] + "1"),
        (422, path[:-1] + "-1"),
        (422, path[:-1] + "١"),  # a digit of another script
    ):
        assert room.get(wrong).status_code == status
    frame_path(room, reader="reader-2")  # who reads in this browser now
    answer = room.get(path)
    assert (answer.status_code, problem(answer)) == (403, "the link was made for another reader")
    frame_path(room)
    assert room.get(path).status_code == 200
    room.clock.now += 601
    answer = room.get(path)
    assert (answer.status_code, problem(answer)) == (403, "the link has expired")
    assert room.get(frame_path(room)).status_code == 200, "the page makes a new one"


def test_a_role_that_was_taken_away_opens_nothing(
    room_of: Callable[..., Room], tmp_path: Path
) -> None:
    room = room_of(readers=TWO)
    path = frame_path(room)
    entry = ReaderEntry(id="reader-1", name="ZZREADER One", role="auditor")
    with Assistant(room.assistant.settings.model_copy(update={"readers": (entry,)})) as now:
        room.opened.assistant = now
        answer = room.get(path)
        assert (answer.status_code, problem(answer)) == (403, "role 'auditor' may not case")
        nobody = frame_path(Room(room.assistant, room.case, room.clock), reader="reader-2")
        assert room.get(nobody).status_code == 403


def test_frames_are_covered_by_the_look_that_opened_the_case(room: Room) -> None:
    path = frame_path(room)
    before = looks(room)
    for _ in range(3):
        assert room.get(path).status_code == 200
    assert looks(room) == before
    room.restart()  # the page still shows its links
    for _ in range(3):
        assert room.get(path).status_code == 200
    assert looks(room) == before + 1, "a process that has not opened the case looks at it once"


def test_a_blind_link_opens_no_overlay_and_its_look_is_blind(room: Room) -> None:
    source = next(one.source for one in overlays(room.look()) if one.source)
    path = room.links(file=room.look(blind=True)).overlay(volume_of(room).sha256, source)
    assert room.get(path).status_code == 422
    room.restart()
    assert room.get(path).status_code == 422
    last = [e for e in kept(room.assistant).events(room.case) if e.verb == "case"][-1]
    assert last.details["blind"] == "True"


def test_a_missing_or_altered_file_is_said_and_another_stays_readable(room: Room) -> None:
    volume = volume_of(room)
    path = frame_path(room)
    (kept_file,) = (room.assistant.settings.data_dir / "objects").rglob(f"*{volume.sha256[2:]}")
    content = kept_file.read_bytes()
    kept_file.chmod(0o600)
    kept_file.write_bytes(content[:-1] + b"x")
    answer = room.get(path)
    assert (answer.status_code, problem(answer)) == (409, "an object of the store was altered")
    kept_file.unlink()
    answer = room.get(path)
    assert (answer.status_code, problem(answer)) == (410, "no such object in the store")
    kept_file.write_bytes(content)
    assert room.get(path).status_code == 200


def test_every_overlay_of_a_case_comes_as_one_byte_a_pixel(room: Room) -> None:
    file = room.look()
    found = [one for one in overlays(file) if one.source]
    assert {one.kind.value for one in found} >= {"heat"}
    for one in found:
        answer = room.get(f"{room.links().overlay(one.series, one.source)}?slice=0")
        rows, columns = (int(answer.headers[f"medmm-{n}"]) for n in ("rows", "columns"))
        pixels = np.frombuffer(answer.content, np.uint8).reshape(rows, columns)
        assert np.array_equal(pixels, overlay_pixels(file, one.source, 0))
        assert (
            room.get(f"{room.links().overlay(one.series, one.source)}?slice=9").status_code == 422
        )


def test_all_slices_of_an_overlay_come_at_once_and_packed(room: Room) -> None:
    file = room.look()
    one = next(one for one in overlays(file) if one.source)
    path = f"{room.links().overlay(one.series, one.source)}?slice=all"
    answer = room.get(path)
    assert answer.headers["content-type"] == "application/gzip"
    lengths = [int(answer.headers[f"medmm-{n}"]) for n in ("slices", "rows", "columns")]
    pixels = np.frombuffer(gzip.decompress(answer.content), np.uint8).reshape(lengths)
    assert np.array_equal(pixels, overlay_volume(file, one.source))
    again = room.get(path, if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    of_a_slice = room.get(path.replace("all", "0"))
    assert of_a_slice.headers["etag"] != answer.headers["etag"]
    assert room.get(path.replace("all", "every")).status_code == 422


def test_a_picture_is_drawn_at_the_size_and_in_the_window_asked_for(room: Room) -> None:
    volume = volume_of(room)
    path = room.links().pictures(volume.sha256).format(index=0)
    answer = room.get(f"{path}?longest_px=64&center=1000&width=500&function=LINEAR_EXACT")
    assert answer.headers["content-type"] == "image/png"
    image = np.asarray(Image.open(BytesIO(answer.content)))
    assert max(image.shape) <= 64
    window = Window.of_range(750, 1250)
    whole = volume.stored_frame(0).grey(window)
    assert abs(float(image.mean()) / 255 - float(whole.mean())) < 0.02
    turned = room.get(
        f"{path}?longest_px=64&center=1000&width=500&function=LINEAR_EXACT&inverted=1"
    )
    negative = np.asarray(Image.open(BytesIO(turned.content))).astype(int)
    assert np.abs(negative + image.astype(int) - 255).max() <= 1
    jpeg = room.get(f"{path}?longest_px=64&format=jpeg")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert jpeg.headers["etag"] != answer.headers["etag"]
    for wrong in (
        "longest_px=0",
        "longest_px=nan",
        "longest_px=x",
        "format=gif",
        "inverted=2",
        "center=1",
        "center=1&width=0",
        "center=1&width=2&function=CUBE",
    ):
        assert room.get(f"{path}?{wrong}").status_code == 422


def test_a_report_comes_in_the_formats_of_the_page_and_each_is_a_look(room: Room) -> None:
    report = signed(room.assistant, room.case, room.assistant.reader_named("reader-1"))
    links = room.links()
    for form in ("text", "json", "fhir"):
        answer = room.get(links.report(report.id, form))
        assert answer.text == room.assistant.render(report.id, format=form, by="reader-1")
        assert answer.headers["cache-control"] == "no-store"
        assert "attachment" in answer.headers["content-disposition"]
    assert room.get(links.report(report.id, "exe")).status_code == 422
    rendered = [e for e in kept(room.assistant).events(room.case) if e.verb == "publish"]
    assert len(rendered) == 6


def test_a_blocking_decode_does_not_hold_the_health_check(room: Room) -> None:
    release, begun = threading.Event(), threading.Event()
    slow = room.look()

    def waits(index: int) -> Any:
        begun.set()
        assert release.wait(30)
        return volume_of(room).stored_frame(index)

    path = frame_path(room, file=slowed(slow, waits))

    async def both() -> tuple[int, int]:
        frame = asyncio.ensure_future(room.asked(path))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        health = await room.asked("/health", cookie="")
        assert not frame.done()
        release.set()
        return health.status_code, (await frame).status_code

    assert asyncio.run(both()) == (200, 200)


def slowed(file: CaseFile, loader: Callable[[int], Any]) -> CaseFile:
    volumes = tuple(replace(v, stored_frame_loader=loader) for v in file.case.study.volumes)
    study = replace(file.case.study, volumes=volumes)
    return replace(file, case=replace(file.case, study=study))


def test_what_can_not_be_served_soon_is_asked_for_again_later(room: Room) -> None:
    release = threading.Event()
    room.threads = DecodingThreads(at_once=1, most_waiting=1)

    def waits(index: int) -> Any:
        assert release.wait(30)
        return volume_of(room).stored_frame(index)

    path = frame_path(room, file=slowed(room.look(), waits))

    async def three() -> list[int]:
        asked = [asyncio.ensure_future(room.asked(path)) for _ in range(2)]
        await asyncio.sleep(0.1)
        third = await room.asked(path)
        assert third.headers["retry-after"] == "1"
        release.set()
        return [third.status_code, *[(await one).status_code for one in asked]]

    assert asyncio.run(three()) == [503, 200, 200]


def test_who_went_away_is_not_decoded_for(room: Room) -> None:
    release, decoded = threading.Event(), []
    room.threads = DecodingThreads(at_once=1, most_waiting=5)

    def waits(index: int) -> Any:
        decoded.append(index)
        assert release.wait(30)
        return volume_of(room).stored_frame(index)

    path = frame_path(room, file=slowed(room.look(), waits))

    async def leaves() -> None:
        first = asyncio.ensure_future(room.asked(path))
        while not decoded:
            await asyncio.sleep(0.01)
        sent: list[Any] = []

        async def receive() -> dict[str, str]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"cookie", f"{COOKIE}={BROWSER}".encode())],
        }
        await room.app(scope, receive, send)
        assert sent[0]["status"] == 499
        release.set()
        assert (await first).status_code == 200

    asyncio.run(leaves())
    assert decoded == [0]


def test_other_addresses_reach_the_page(room: Room) -> None:
    answer = room.get("/anything")
    assert (answer.status_code, answer.text) == (404, "page")


def test_where_people_sign_in_links_end_with_the_session_and_with_the_role(room: Room) -> None:
    """The case is in memory already, and still every frame asks who is signed in."""
    said = Said()
    known = sign_ins(room.clock, said, roles_from="userinfo", roles_minutes=5, idle_minutes=9)
    room.opened = OpenedCases(room.assistant, room.clock, known)
    mine = browser_digest(BROWSER)

    def begin() -> tuple[str, str]:
        let_in(known, room.clock, mine)
        desk = room.assistant.with_directory(SessionDirectory(known, mine))
        who = desk.reader_named("att-1")
        links = room.opened.links(desk.case(room.case, by=who), who, BROWSER)
        series = volume_of(room).sha256
        return links.frames(series).format(index=0), links.pictures(series).format(index=0)

    frame, drawn = begin()
    assert [room.get(path).status_code for path in (frame, drawn)] == [200, 200]
    assert room.get(frame, OTHER_BROWSER).status_code == 403
    known.end(mine)
    for path in (frame, drawn):
        refused = room.get(path)
        assert (refused.status_code, problem(refused)) == (403, "you have signed out")
    frame, _ = begin()
    room.clock.now += 60 * 9
    assert "locked" in problem(room.get(frame))
    frame, _ = begin()
    said.answer = claims(realm_access={"roles": []})
    room.clock.now += 300
    assert "took your role away" in problem(room.get(frame))
    said.answer = claims()
    frame, _ = begin()
    room.restart()  # another process over the folder, in which nobody is signed in
    room.opened = OpenedCases(room.assistant, room.clock, sign_ins(room.clock))
    assert room.get(frame).status_code == 403
